-- What the depth of the nodes in `reachable` depends on: members of those datasets alone, and the matches that bear on them.
dataset_records as (select * from main.dataset_records where dataset_id in (select id from reachable)),
matches as (
    select * from main.matches
    where (set_id, reference_id) in (
        select distinct set_id, reference_id from main.matches where record_id in (select record_id from dataset_records)
    )
),
observations as (
    select * from main.observations
    where record_id in (select record_id from dataset_records) or (scan_id, record_id) in (select (scan_id, record_id) from matches)
)
