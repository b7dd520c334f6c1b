-- What the members hold in all.
select
    count(*) as records,
    coalesce(sum(words), 0)::bigint as words,
    count(*) filter (where tag = 'synthetic') as synthetic_records,
    count(*) filter (where tag = 'unknown') as unknown_records,
    count(*) filter (where tag = 'human') as human_records,
    count(*) filter (where own_words > 0) as own_records,
    coalesce(sum(own_words), 0)::bigint as own_words,
    coalesce(sum(own_words) / nullif(sum(words), 0), 0) as own_share,
    coalesce(sum(synthetic) / nullif(sum(words), 0), 0) as synthetic_share,
    coalesce(sum(exact) / nullif(sum(words), 0), 0) as decided_synthetic_share,
    coalesce(sum(tagged) / nullif(sum(words), 0), 0) as tagged_synthetic_share,
    coalesce(sum(unknown) / nullif(sum(words), 0), 0) as unknown_share,
    coalesce(sum(human) / nullif(sum(words), 0), 0) as human_share,
    coalesce(sum(unverified) / nullif(sum(words), 0), 0) as unverified_share,
    coalesce(sum(self_graded) / nullif(sum(words), 0), 0) as self_graded_share,
    coalesce(max(passed), 0)::integer as max_depth,
    count(*) filter (where deep) as deep_records,
    coalesce(count(*) filter (where reserved) / nullif(count(*), 0), 0) as opt_out_share,
    count(*) filter (where forbidden) as forbidden_records
from judged
