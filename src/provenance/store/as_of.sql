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
scan_policies as (select *, rowid from main.scan_policies where recorded_at <= moment)
