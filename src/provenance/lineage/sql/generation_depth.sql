-- Generation depth of records, datasets, reference sets and models: 0 for human text; for text that a model wrote, one more than
-- what the model was trained on. `max_depth` and the token-weighted `mean_depth` are null where any of it is unknown;
-- `at_least` is what is certain, `known_mean` the mean over the share of words (`known_share`) whose depth is known.
with depths as materialized (select * from node_depth)
select depth.id, known.kind, depth.max_depth, depth.mean_depth, depth.at_least, depth.known_share, depth.known_mean
from depths as depth join lineage_nodes as known on known.id = depth.id
where known.kind in ('dataset', 'model', 'generation_set', 'human_set')
union all
select record_id, 'record',
    case when bool_and(low is not null) then max(low) end,
    case when bool_and(mean is not null) and sum(words) > 0 then sum(mean * words) / sum(words) end,
    max(sure),
    sum(words) filter (where low is not null) / nullif(sum(words), 0),
    sum(mean * words) / nullif(sum(words) filter (where mean is not null), 0)
from (
    select part.record_id, part.words,
        case part.origin when 'human' then 0 when 'model' then 1 + depth.max_depth end as low,
        case part.origin when 'human' then 0 when 'model' then 1 + depth.mean_depth end as mean,
        case when part.origin = 'model' then 1 + coalesce(depth.at_least, 0) when part.origin = 'unattributed' then 1 else 0 end as sure
    from record_composition as part
    left join depths as depth on depth.id = part.model
)
group by record_id
