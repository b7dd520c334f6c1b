-- Along which edges text reaches what holds it: from a dataset back to the sets and models that its text came from, and
-- from a model back to what it was trained on. `trains` marks the step from a model to its training.
--
-- What only judges text (`graded_by`, `verified_by`, what an evaluation used) hands none on, nor does one model to the
-- next version; that a run starts from another model is for `fine_tuned_from` to say. A dataset whose members were all
-- observed is what they show: that it was made from another dataset says nothing more of the text that is left in it.
with told as (
    select dataset_id from datasets where records is not null and observed >= records group by dataset_id
),
run_kinds as (select run_id, any_value(kind) as kind from runs group by run_id)
select distinct edge.subject, edge.object, starts_with(edge.subject, 'model:') as trains
from lineage_edges as edge
left join told on told.dataset_id = edge.subject
left join run_kinds as subject_run on subject_run.run_id = edge.subject
left join run_kinds as object_run on object_run.run_id = edge.object
left join (select distinct set_id from reference_sets) as sets on sets.set_id = edge.object
where edge.relation in ('used', 'wasGeneratedBy', 'wasDerivedFrom', 'wasAttributedTo', 'hadMember', 'trained_on')
  and (subject_run.kind is null or subject_run.kind <> 'evaluation')
  and not (subject_run.kind is not distinct from 'training' and starts_with(edge.object, 'model:'))
  and (told.dataset_id is null or edge.relation = 'hadMember' or sets.set_id is not null or starts_with(edge.object, 'model:')
       or object_run.kind is not distinct from 'generation')
union
select dataset_id, origin, false from held_text
