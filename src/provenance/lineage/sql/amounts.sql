-- How much text in the members of a dataset is concerned, for each row of `concerned`: (dataset, whose list of members, model,
-- origin of the text, whether directly).
select dataset_id, model, count(*) as records, sum(words)::bigint as words,
    count(*) filter (where direct_words > 0) as direct_records, sum(direct_words)::bigint as direct_words,
    list_sort(list_distinct(flatten(list(origins)))) as origins
from (
    select concerned.dataset_id, concerned.model, member.record_id,
        bit_count(bit_or(text.cover)) as words,
        coalesce(bit_count(bit_or(text.cover) filter (where concerned.direct)), 0) as direct_words,
        list(distinct text.origin) as origins
    from concerned
    join dataset_records as member on member.dataset_id = concerned.part
    join record_text as text on text.record_id = member.record_id and text.origin = concerned.origin
    group by concerned.dataset_id, concerned.model, member.record_id
)
group by dataset_id, model
