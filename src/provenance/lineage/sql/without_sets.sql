-- What the verdicts on the records in `affected` read, cut down to what bears on them, as if the sets in `left_out` were not registered.
matches as (
    select * from main.matches
    where set_id not in (select set_id from left_out) and (set_id, reference_id) in (
        select distinct set_id, reference_id from main.matches where (scan_id, record_id) in (select (scan_id, record_id) from affected)
    )
),
observations as (
    select * from main.observations
    where (scan_id, record_id) in (select (scan_id, record_id) from affected)
       or (scan_id, record_id) in (select (scan_id, record_id) from matches)
)
