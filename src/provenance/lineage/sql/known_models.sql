-- The shipped catalogue with what its claims say together. Of what is said about synthetic training text, the developer's word
-- goes before the press's; `said_by` says whose it is. `keys`: every name of the model, as `model_key` folds it.
select shipped.*, coalesce(by_developer, by_others) as trained_on_synthetic,
    case when by_developer is not null then 'developer' when by_others is not null then others end as said_by,
    list_sort(list_distinct(list_transform(list_append(shipped.aliases, shipped.model), lambda name: model_key(name)))) as keys
from shipped_models as shipped
left join (
    select model,
        bool_or(synthetic) filter (where said_by = 'developer') as by_developer,
        bool_or(synthetic) filter (where said_by <> 'developer') as by_others,
        min(said_by) filter (where said_by <> 'developer' and synthetic is not null) as others
    from known_model_claims where about = 'training data' group by model
) as said on said.model = shipped.model
order by shipped.released, shipped.model
