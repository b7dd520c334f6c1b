-- The model that wrote each generation set; none where nobody said.
select sets.set_id, coalesce('model:' || any_value(sets.model), min(edge.object)) as model
from reference_sets as sets
left join edges as edge on edge.subject = sets.set_id and edge.relation = 'wasAttributedTo' and starts_with(edge.object, 'model:')
where sets.label = 'synthetic'
group by sets.set_id
