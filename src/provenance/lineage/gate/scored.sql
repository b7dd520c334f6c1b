-- The scored members by language, bin and cell, as an estimate of their synthetic share takes them.
select language as pile, 'scored' as standing, bin, cell,
    if($hosts, coalesce(host_bucket, text_bucket), text_bucket) as cluster,
    tag = 'synthetic' as tagged, count(*)::bigint as records, sum(words)::bigint as words
from present
where bin is not null
group by all
order by all
