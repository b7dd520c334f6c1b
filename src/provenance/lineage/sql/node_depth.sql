-- Generation depth of datasets, reference sets and models; `generation_depth` adds the records.
--
-- A walk from a node through what it consists of (a dataset: of its members' text; a model: of what it was trained on) ends at
-- human text or where knowledge ends. Each step from text to the model that wrote it is one generation. A step
-- that closes a circle (a model that was trained on its own output under one name) is where knowledge ends, too.
with recursive flow as materialized (select subject, object from text_flow where not trains),
consists as materialized (
    select dataset_id as place,
        case origin when 'model' then model when 'human' then 'human' else 'unknown' end as child,
        if(origin in ('model', 'unattributed'), 1, 0) as steps, words
    from dataset_composition where words is null or words > 0
),
sizes as (select place, if(count(words) = count(*), sum(words), null) as words from consists group by place),
parts as materialized (
    select place, child, steps, words from consists
    union all
    -- What is made of other things by an unknown recipe: they say how deep it is at least.
    select flow.subject, flow.object, if(starts_with(flow.object, 'model:'), 1, 0), null
    from flow where flow.subject not in (select place from consists)
    union all
    select made.place, 'unknown', 0, null
    from (
        select dataset_id as place from datasets union select subject from flow union select object from flow
    ) as made
    where not starts_with(made.place, 'model:') and made.place not in (select place from consists)
    union all
    select training.model, coalesce(training.dataset_id, 'unknown'),
        if(training.dataset_id is null and coalesce(facts.trained_on_synthetic, false), 1, 0), any_value(sizes.words)
    from trained_through as training
    left join sizes on sizes.place = training.dataset_id
    left join model_facts as facts on 'model:' || facts.model = training.base
    group by training.model, training.base, training.dataset_id, facts.trained_on_synthetic
    union all
    select edge.subject, edge.object, 1, null from lineage_edges as edge where edge.relation = 'distilled_from'
),
leads(start, place, flat) using key (start, place, flat) as (
    select place, child, steps = 0 from parts
    union
    select leads.start, part.child, leads.flat and part.steps = 0 as still_flat
    from leads join parts as part on part.place = leads.place
    left join recurring.leads as before
        on before.start = leads.start and before.place = part.child and before.flat = (leads.flat and part.steps = 0)
    where before.start is null
    group by all
),
-- Of a circle, the steps from text to its writer are taken out; of one without such a step (no import should have let it in), all.
circles as (select start, place, bool_or(flat) as flat from leads group by start, place),
counted as materialized (
    select part.place, if(back.start is null, part.child, 'unknown') as child, part.steps,
        case when count(*) over (partition by part.place) = 1 then 1
             when count(part.words) over (partition by part.place) = count(*) over (partition by part.place)
             then part.words / nullif(sum(part.words) over (partition by part.place), 0) end as share
    from parts as part
    left join circles as back
        on back.start = part.child and back.place = part.place and (part.steps > 0 or back.flat)
        and part.child not in ('human', 'unknown')
),
walks(start, place, steps, share) as (
    select place, place, 0::bigint, 1::double from (select distinct place from counted)
    union all
    select walks.start, part.child, walks.steps + part.steps as onward,
        case when count(walks.share * part.share) = count(*) then sum(walks.share * part.share) end
    from walks join counted as part on part.place = walks.place
    group by walks.start, part.child, onward
)
select start as id,
    case when bool_and(place = 'human') then max(steps) end as max_depth,
    case when bool_and(place = 'human') and count(share) = count(*) then sum(share * steps) end as mean_depth,
    max(steps) as at_least,
    case when count(share) = count(*) then coalesce(sum(share) filter (where place = 'human'), 0) end as known_share,
    case when count(share) = count(*) then sum(share * steps) filter (where place = 'human')
         / nullif(sum(share) filter (where place = 'human'), 0) end as known_mean
from walks where place in ('human', 'unknown')
group by start
