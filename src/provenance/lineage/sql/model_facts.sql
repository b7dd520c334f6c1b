-- What is known of each model that is recorded here or wrote a reference set: what the user said, and where he said nothing, what
-- the catalogue of known models has under one of its names. `keys`: all names that it goes by, as `model_key` folds them.
with recorded as (
    select model, arg_max(family, recorded_at) as family, arg_max(developer, recorded_at) as developer,
        arg_max(released, recorded_at) as released, arg_max(predecessor, recorded_at) as predecessor
    from (select model, family, developer, released, predecessor, recorded_at from models
          union all select distinct model, null, null, null::date, null, recorded_at from reference_sets where model is not null)
    group by model
),
-- The name itself goes before the name without a date behind it; of several, the first that came out.
matched as (
    select recorded.model,
        min_by(known, (not list_contains(known.keys, model_key(recorded.model)), known.released, known.model)) as known
    from recorded
    join known_models as known
        on list_contains(known.keys, model_key(recorded.model)) or list_contains(known.keys, model_base_key(recorded.model))
    group by recorded.model
)
select recorded.model,
    coalesce(recorded.family, matched.known.family) as family,
    coalesce(recorded.developer, matched.known.developer) as developer,
    coalesce(recorded.released, matched.known.released) as released,
    case when recorded.released is not null then 'given' when matched.known.released is not null then 'catalogue' end as released_from,
    recorded.predecessor,
    matched.known.model as known_model,
    matched.known.trained_on_synthetic as trained_on_synthetic,
    list_distinct(list_append(coalesce(matched.known.keys, []), model_key(recorded.model))) as keys
from recorded left join matched on matched.model = recorded.model
