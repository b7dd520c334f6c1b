-- Records and words of a scan by tag, all of them and without copies. $1: the scan.
select
    tag, count(*) as records, coalesce(sum(words), 0)::bigint as words,
    count(*) filter (coalesce(kept, true)) as unique_records,
    coalesce(sum(words) filter (coalesce(kept, true)), 0)::bigint as unique_words
from records left join duplicates using (scan_id, record_id)
where scan_id = $1
group by tag order by tag
