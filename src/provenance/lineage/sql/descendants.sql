-- Every node that came from it, once, with the fewest steps to it and the relation of the last step; `which` is an id or a name.
-- A node that was reached is not entered again, so the search ends on any graph. It runs over hashes of the ids, which on a
-- million edges is three times as fast. What datasets hold by matches is in `held_text`, and walked by `lineage trace`.
with recursive entries as (
    select 'source:' || source_id as id, 'source' as kind, uri as name from sources
    union all select scan_id, 'scan', name from scan_log
    union all select 'model:' || model, 'model', model from models
    union all select 'model:' || model, 'model', model from reference_sets where model is not null
    union all select dataset_id, 'dataset', name from datasets
    union all select run_id, case kind when 'training' then 'run' when 'generation' then 'generation_run' else 'evaluation' end,
                     coalesce(name, run_id) from runs
    union all select set_id, if(label = 'synthetic', 'generation_set', 'human_set'), name from reference_sets
    union all select object, 'source', substr(object, 6) from edges where starts_with(object, 'file:')
    union all select id, kind, name from foreign_nodes
),
reached(place, id, distance, relation) using key (place) as (
    select hash(start.id), start.id, 0, null::varchar
    from (select which as id union select entries.id from entries where entries.name = which) as start
    union
    select step.s, min(step.subject), min(reached.distance) + 1, min(step.relation)
    from reached
    join (
        select hash(subject) as s, hash(object) as o, subject, relation, object from edges
        union all
        select hash(set_id), hash('model:' || model), set_id, 'wasAttributedTo', 'model:' || model
        from reference_sets where model is not null and withdrawn_at is null
    ) as step on step.o = reached.place
    left join recurring.reached as before on before.place = step.s
    where before.place is null
    group by step.s
)
select reached.id, known.kind, known.name, reached.distance, reached.relation
from reached
left join (
    select entries.id, min(entries.kind) as kind, max(entries.name) as name
    from entries where entries.id in (select id from reached) group by entries.id
) as known on known.id = reached.id
where reached.distance > 0
order by reached.distance, reached.id
