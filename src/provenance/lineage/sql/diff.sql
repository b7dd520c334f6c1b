-- Records by their tag in `verdicts_before` and in `verdicts_after`: with $reasons also by reason, with $by_dataset for each dataset
-- that lists them. A record that only one of the two has is `absent` in the other.
with paired as (
    select whole.dataset_id as dataset, coalesce(earlier.tag, 'absent') as tag_before, coalesce(later.tag, 'absent') as tag_after,
        if($reasons, earlier.reason, null) as reason_before, if($reasons, later.reason, null) as reason_after,
        coalesce(later.words, earlier.words) as words
    from verdicts_before as earlier
    full join verdicts_after as later on later.record_id = earlier.record_id
    left join (
        select distinct members.dataset_id, listed.record_id
        from dataset_members as members
        join dataset_records as listed on listed.dataset_id = members.origin
        where $by_dataset
    ) as whole on whole.record_id = coalesce(later.record_id, earlier.record_id)
),
counted as (
    select dataset, tag_before, tag_after, reason_before, reason_after, count(*) as records, sum(words)::bigint as words
    from paired group by all
)
from counted
order by dataset nulls first, list_position(['human', 'unknown', 'synthetic', 'absent'], tag_before),
    list_position(['human', 'unknown', 'synthetic', 'absent'], tag_after), reason_before, reason_after
