-- The words of each dataset with a list of members, and of each reference set, by where they came from, as `record_composition`
-- has it; 'unobserved' for members that no scan has seen, whose words are not known.
select member.dataset_id, coalesce(part.origin, 'unobserved') as origin, part.model,
    count(distinct member.record_id) as records, sum(part.words)::bigint as words, sum(part.verified_words)::bigint as verified_words
from dataset_records as member
left join record_composition as part on part.record_id = member.record_id
group by all
union all
select sets.set_id,
    case when any_value(sets.label) <> 'synthetic' then 'human' when any_value(authors.model) is null then 'unattributed' else 'model' end,
    any_value(authors.model), any_value(sets.reference_count), any_value(sets.words), any_value(sets.words)
from reference_sets as sets
left join set_authors as authors on authors.set_id = sets.set_id
where sets.label <> 'prompt'
group by sets.set_id
