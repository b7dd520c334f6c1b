-- What a name ($name) can stand for among the causes of changes, with the ids under which they were entered and the origins of text.
select 'set' as kind, set_id as id, [set_id] as causes, [set_id] as origins
from reference_sets where set_id = $name or name = $name group by set_id
union all
select 'policy', policy_id, [policy_id], [] from policy_log where policy_id = $name or name = $name group by policy_id
union all
select 'model', 'model:' || facts.model,
    list_concat(['model:' || facts.model], coalesce(list(distinct authors.set_id) filter (where authors.set_id is not null), [])),
    list_concat(['model:' || facts.model], coalesce(list(distinct authors.set_id) filter (where authors.set_id is not null), []))
from model_facts as facts
left join set_authors as authors on authors.model = 'model:' || facts.model
where $name in (facts.model, 'model:' || facts.model)
group by facts.model
order by kind, id
