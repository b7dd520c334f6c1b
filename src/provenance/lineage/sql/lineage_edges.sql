-- The recorded edges, and those that follow from a reference set's entry. An edge reads from what came about to what it
-- came from (a dataset wasDerivedFrom a scan, a run used a dataset): ancestors follow edges forwards, descendants backwards.
select subject, relation, object, recorded_at from edges
union all
select set_id, 'wasAttributedTo', 'model:' || model, min(recorded_at)
from reference_sets
where model is not null and withdrawn_at is null
  and not exists (select 1 from edges as known where known.subject = reference_sets.set_id
                  and known.relation = 'wasAttributedTo' and known.object = 'model:' || reference_sets.model)
group by set_id, model
