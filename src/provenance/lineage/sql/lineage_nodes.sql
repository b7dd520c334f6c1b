-- Every node of the graph: sources, scans, datasets, runs, models and reference sets, once each.
select 'source:' || source_id as id, 'source' as kind, min(uri) as name, min(recorded_at) as recorded_at
from sources group by source_id
union all
select scan_id, 'scan', arg_max(name, (recorded_at, rowid)), min(recorded_at) from scan_log group by scan_id
union all
select 'model:' || model, 'model', model, min(recorded_at)
from (select model, recorded_at from models
      union all select model, recorded_at from reference_sets where model is not null)
group by model
union all
select dataset_id, 'dataset', arg_max(name, recorded_at), min(recorded_at) from datasets group by dataset_id
union all
select run_id, case any_value(kind) when 'training' then 'run' when 'generation' then 'generation_run' else 'evaluation' end,
       coalesce(any_value(name), run_id), min(recorded_at)
from runs group by run_id
union all
select set_id, if(any_value(label) = 'synthetic', 'generation_set', 'human_set'), arg_max(name, recorded_at), min(recorded_at)
from reference_sets group by set_id
union all
-- Files that a reference set was read from; those of scans are in `sources`.
select object, 'source', substr(object, 6), min(recorded_at) from edges where starts_with(object, 'file:') group by object
union all
-- Nodes that came with an imported graph and that no table of the store holds.
select id, any_value(kind), arg_max(name, recorded_at), min(recorded_at) from foreign_nodes
where not exists (select 1 from models where 'model:' || model = id) and not exists (select 1 from runs where run_id = id)
  and not exists (select 1 from datasets where dataset_id = id) and not exists (select 1 from reference_sets where set_id = id)
  and not exists (select 1 from sources where 'source:' || source_id = id) and not exists (select 1 from scan_log where scan_id = id)
  and not starts_with(id, 'file:')
group by id
