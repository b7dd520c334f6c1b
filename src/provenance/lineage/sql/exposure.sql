-- What the training text of a model consisted of: shares of its words from itself, its relatives, other models, models whose name is not
-- known ('unattributed'), of unknown origin, and human, by generation (depth of that text; null where unknown).
--
-- Its training: the datasets of its runs and of the models that it was fine-tuned from, each once. A dataset whose
-- members are not known counts as unknown, without words; then no shares can be given.
with target as (
    select 'model:' || facts.model as id from model_facts as facts
    where which in (facts.model, 'model:' || facts.model) or list_contains(facts.keys, model_key(which))
    order by which not in (facts.model, 'model:' || facts.model), facts.model limit 1
),
training as (
    select distinct target.id, trained.dataset_id
    from target join trained_through as trained on trained.model = target.id
),
parts as (
    select
        case when part.origin = 'model' and part.model = training.id then 'self'
             when part.origin = 'model' and kin.relative is not null then 'relative'
             when part.origin = 'model' then 'other'
             when part.origin in ('human', 'unattributed') then part.origin
             else 'unknown' end as origin,
        case part.origin when 'human' then 0 when 'model' then 1 + depth.max_depth end as generation,
        part.model, part.words, part.verified_words
    from training
    left join dataset_composition as part on part.dataset_id = training.dataset_id
    left join relatives as kin on kin.model = training.id and kin.relative = part.model
    left join node_depth as depth on depth.id = part.model
)
select origin, generation, list_sort(list(distinct model) filter (where model is not null)) as models,
    if(count(words) = count(*), sum(words), null)::bigint as words,
    case when (select bool_and(words is not null) from parts) then sum(words) / nullif((select sum(words) from parts), 0) end as share,
    coalesce(sum(verified_words), 0)::bigint as verified_words
from parts
group by origin, generation
order by array_position(['self', 'relative', 'other', 'unattributed', 'unknown', 'human'], origin), generation
