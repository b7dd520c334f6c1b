-- The records in `changed` summed up by scan, by the datasets that hold them, and by the runs and models that were trained
-- on those. A record that several scans observed is in a dataset as the last of them saw it.
with held as (
    select distinct whole.dataset_id, changed.scan_id, changed.record_id, changed.words, changed.tag_before, changed.tag_after
    from changed
    join dataset_records as member on member.record_id = changed.record_id
    join dataset_members as whole on whole.origin = member.dataset_id
),
seen_last as (
    select observed.record_id, arg_max(observed.scan_id, (scans.started_at, scans.scan_id)) as scan_id
    from observations as observed
    join scans on scans.scan_id = observed.scan_id
    where observed.record_id in (select record_id from held)
    group by observed.record_id
),
holding as (
    select held.* from held join seen_last on seen_last.record_id = held.record_id and seen_last.scan_id = held.scan_id
),
training as (
    select used.subject as run, used.object as dataset_id
    from lineage_edges as used
    join runs on runs.run_id = used.subject and runs.kind = 'training'
    where used.relation = 'used'
),
trained as (
    select made.subject as model, training.dataset_id
    from lineage_edges as made
    join training on training.run = made.object
    where made.relation = 'wasGeneratedBy'
    union
    select subject, object from lineage_edges where relation = 'trained_on'
),
subjects as (
    select 'scan' as subject_kind, scan_id as subject, record_id, words, tag_before, tag_after from changed
    union all
    select 'dataset', dataset_id, record_id, words, tag_before, tag_after from holding
    union all
    select distinct 'run', training.run, record_id, words, tag_before, tag_after
    from holding join training on training.dataset_id = holding.dataset_id
    union all
    select distinct 'model', trained.model, record_id, words, tag_before, tag_after
    from holding join trained on trained.dataset_id = holding.dataset_id
)
select subject_kind, subject, coalesce(any_value(known.name), subject) as name, tag_before, tag_after,
    count(*) as records, sum(words)::bigint as words
from subjects
left join (select id, any_value(name) as name from lineage_nodes group by id) as known on known.id = subjects.subject
group by subject_kind, subject, tag_before, tag_after
order by list_position(['scan', 'dataset', 'run', 'model'], subject_kind), subject, tag_before, tag_after
