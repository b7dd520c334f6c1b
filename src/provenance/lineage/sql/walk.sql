-- Every node that is reached from one (`which`: an id or a name), once, with the fewest steps and the relation of the last: towards
-- what it came from (`upwards`), or towards what came from it. It ends on any graph: who was reached is not entered again.
--
-- It walks the numbered edges: `way` is the distance and the relation's number, so that the smaller of two is the shorter. A hash
-- table of a million edges takes longer to build than the answer, so each step looks up those who were reached, and
-- `unnest(list(…))` tells the optimiser that they are few. What datasets hold by matches is in `held_text`, and walked by `lineage trace`.
with recursive starts as (
    select which as id
    union all select 'model:' || which
    union all select 'file:' || which
    union all select 'source:' || source_id from sources where uri = which
    union all select scan_id from scan_log where name = which
    union all select dataset_id from datasets where name = which
    union all select run_id from runs where name = which
    union all select set_id from reference_sets where name = which
    union all select id from foreign_nodes where name = which
),
steps as not materialized (
    select if(upwards, child, parent) as near, if(upwards, parent, child) as far, relation from lineage_steps
),
reached(place, way) using key (place, min(way)) as (
    select place, 0 from lineage_places where id in (select id from starts)
    union
    select far, ((select max(way) from reached) // 16 + 1) * 16 + relation
    from steps semi join reached on reached.place = steps.near
),
found as (select unnest(list({'place': place, 'way': way}), recursive := true) from reached where way > 0),
met as materialized (select known.id, found.way from lineage_places as known join found on found.place = known.place),
listed as materialized (select unnest(list(id)) as id from met),
names as (
    select id, 'source' as kind, uri as name from sources join listed on listed.id = 'source:' || source_id
    union all select id, 'source', substr(id, 6) from listed where starts_with(id, 'file:')
    union all select id, 'scan', name from scan_log join listed on listed.id = scan_id
    union all select id, 'model', model from models join listed on substr(listed.id, 7) = model and starts_with(listed.id, 'model:')
    union all select id, 'model', model from reference_sets join listed on substr(listed.id, 7) = model and starts_with(listed.id, 'model:')
    union all select id, 'dataset', name from datasets join listed on listed.id = dataset_id
    union all
    select id, case kind when 'training' then 'run' when 'generation' then 'generation_run' else 'evaluation' end, coalesce(name, run_id)
    from runs join listed on listed.id = run_id
    union all
    select id, if(label = 'synthetic', 'generation_set', 'human_set'), name from reference_sets join listed on listed.id = set_id
    union all select listed.id, kind, name from foreign_nodes join listed on listed.id = foreign_nodes.id
)
select met.id, min(names.kind) as kind, max(names.name) as name, (any_value(met.way) // 16)::integer as distance,
    relation_names()[any_value(met.way) % 16] as relation
from met left join names on names.id = met.id
group by met.id
order by distance, met.id
