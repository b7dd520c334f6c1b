-- For each dataset (or reference set) and model, whether it trains it or not: the loop that training would close.
--
-- `tail`: a shortest path from the dataset back to a relative's text and on to the model. `direct`: some of the text was written by the
-- model or a relative, in its own words or paraphrased; else their text only trained what wrote it. The counts
-- without `direct_` are of both.
with ways as (
    select reach.start as dataset_id, kin.model, bool_or(reach.direct) as direct,
        min_by({'tail': list_concat(reach.path, kin.path[2:]), 'author': kin.path[1]},
               (len(reach.path) + len(kin.path), reach.path, kin.path)) as way
    from text_reach as reach
    -- From the relative to the model.
    join (select model, relative, list_reverse(path) as path from relatives) as kin on kin.relative = reach.place
    group by reach.start, kin.model
),
texts as (
    select members.dataset_id, ways.model, member.record_id,
        bit_count(bit_or(text.cover)) as words,
        coalesce(bit_count(bit_or(text.cover) filter (where ways.direct)), 0) as direct_words,
        list(distinct ways.way.author) as authors
    from dataset_members as members
    join dataset_records as member on member.dataset_id = members.origin
    join record_text as text on text.record_id = member.record_id
    join ways on ways.dataset_id = text.origin
    group by members.dataset_id, ways.model, member.record_id
),
amounts as (
    select dataset_id, model, count(*) as records, sum(words)::bigint as words,
        count(*) filter (where direct_words > 0) as direct_records, sum(direct_words)::bigint as direct_words,
        list_distinct(flatten(list(authors))) as authors
    from texts group by dataset_id, model
    union all
    select sets.set_id, ways.model, sets.records, sets.words, if(ways.direct, sets.records, 0), if(ways.direct, sets.words, 0),
        [ways.way.author]
    from ways join (
        select set_id, any_value(reference_count) as records, any_value(words) as words from reference_sets group by set_id
    ) as sets on sets.set_id = ways.dataset_id
)
select ways.dataset_id, ways.model, ways.way.tail as tail,
    list_sort(list_distinct(list_append(coalesce(amounts.authors, []), ways.way.author))) as relatives,
    coalesce(amounts.records, 0)::bigint as records, coalesce(amounts.words, 0)::bigint as words,
    ways.direct,
    coalesce(amounts.direct_records, 0)::bigint as direct_records, coalesce(amounts.direct_words, 0)::bigint as direct_words
from ways left join amounts on amounts.dataset_id = ways.dataset_id and amounts.model = ways.model
