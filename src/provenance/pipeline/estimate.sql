-- How many records of a pile stand where: what evidence has decided, which score the others have, and what has none.
--
-- $records: the ids of datasets or scans, by $member: 'scan' or 'dataset'. $by: what piles are made of. $cluster: what is
-- resampled together, in 512 buckets: a host, a document (copies of one text are one), or nothing. $only: piles to take.
select pile, standing, bin, cell, cluster, tagged, count(*)::bigint as records, sum(words)::bigint as words
from (
    select
        case $by when 'host' then coalesce(host, '')
                 when 'language' then language
                 when 'month' then case when date_origin in ('container', 'column') and not recovered
                                        then strftime(captured_at, '%Y-%m') else '' end
                 else 'all' end as pile,
        case when reason = 'dated' or starts_with(reason, 'match:') or starts_with(reason, 'declared:')
                  or starts_with(reason, 'marker:') then tag
             when style_score is not null then 'scored'
             else reason end as standing,
        case when standing = 'scored' then calibration_bin end as bin,
        case when standing = 'scored'
             then (least(greatest(floor((style_score - $least) / $width), -1), $cells - 2) + 1)::integer end as cell,
        case when standing <> 'scored' or $cluster = 'nothing' then 0
             when $cluster = 'host' then (hash(coalesce(host, content_id)) % 512)::integer
             else (hash(content_id) % 512)::integer end as cluster,
        standing = 'scored' and tag = 'synthetic' as tagged,
        words
    from records
    where case $member when 'scan' then scan_id = $id
               else record_id in (select record_id from dataset_records where dataset_id = $id) end
)
where $only is null or list_contains($only, pile)
group by pile, standing, bin, cell, cluster, tagged
order by pile, standing, bin, cell, cluster, tagged
