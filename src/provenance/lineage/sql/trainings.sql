-- Which dataset (or generation set) trains which model, by which run; by no run where only `trained_on` is known.
with steps as materialized (
    select subject, relation, object from lineage_edges where relation in ('wasGeneratedBy', 'used', 'trained_on')
),
runs_of as (
    select made.subject as model, used.object as dataset_id, min(made.object) as run_id
    from steps as made
    join (select run_id from runs where kind = 'training' group by run_id) as run on run.run_id = made.object
    join steps as used on used.subject = made.object and used.relation = 'used'
    where made.relation = 'wasGeneratedBy' and starts_with(made.subject, 'model:') and not starts_with(used.object, 'model:')
    group by made.subject, used.object
)
select model, dataset_id, run_id from runs_of
union all
select distinct edge.subject, edge.object, null
from steps as edge
where edge.relation = 'trained_on'
  and not exists (select 1 from runs_of where runs_of.model = edge.subject and runs_of.dataset_id = edge.object)
