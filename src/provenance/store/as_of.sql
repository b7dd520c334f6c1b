-- The tables that `records` reads, as they stood at a moment. A part counts from the commit that published it.
parts as (
    select path from main.parts where recorded_at <= moment and (withdrawn_at is null or withdrawn_at > moment)
),
observations as (
    select stored.* exclude (part) from stored_observations as stored where stored.part in (select path from parts)
),
matches as (
    select stored.* exclude (part) from stored_matches as stored where stored.part in (select path from parts)
),
reference_sets as (
    select * replace (null::timestamp as withdrawn_at) from main.reference_sets
    where recorded_at <= moment and (withdrawn_at is null or withdrawn_at > moment)
),
models as (select * from main.models where recorded_at <= moment),
dataset_records as (
    select stored.* exclude (part) from stored_dataset_records as stored where stored.part in (select path from parts)
),
datasets as (select * from main.datasets where recorded_at <= moment),
runs as (select * from main.runs where recorded_at <= moment),
edges as (select * from main.edges where recorded_at <= moment),
foreign_nodes as (select * from main.foreign_nodes where recorded_at <= moment),
sources as (select * from main.sources where recorded_at <= moment),
scan_log as (select *, rowid from main.scan_log where recorded_at <= moment),
scan_policies as (select *, rowid from main.scan_policies where recorded_at <= moment)
