-- The tables that the verdicts on the affected records read, cut down to what bears on them.
with matches as (
    select * from main.matches
    where (set_id, reference_id) in (
        select distinct set_id, reference_id from main.matches where (scan_id, record_id) in (from affected)
    )
),
observations as (
    select * from main.observations
    where (scan_id, record_id) in (from affected union select scan_id, record_id from matches)
)
