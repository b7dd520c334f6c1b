-- Words of a scan or dataset ($1) by slice ($2: 'language', 'host' or null): all, human, and what is left of the human
-- ones when copies are dropped (near-duplicates if the scan was looked through for them, else equal texts alone).
with members as (
    select record_id from observations where scan_id = $1
    union
    select member.record_id
    from dataset_members as held
    join dataset_records as member on member.dataset_id = held.origin
    where held.dataset_id = $1
),
once as (
    select record.*, coalesce(copy.kept, true) as kept,
        case $2 when 'language' then record.language when 'host' then coalesce(record.host, '(no host)') else '' end as slice
    from records as record
    join scans using (scan_id)
    left join duplicates as copy on copy.scan_id = record.scan_id and copy.record_id = record.record_id
    where record.record_id in (select record_id from members)
    qualify row_number() over (partition by record.record_id order by scans.started_at desc, scans.scan_id desc) = 1
),
ranked as (
    select *, kept and row_number() over (partition by content_id, tag order by not kept, record_id) = 1 as unique_text,
        len(rights.opt_out) > 0 as reserved
    from once
)
select slice, count(*) as records, coalesce(sum(words), 0)::bigint as words,
    coalesce(sum(words) filter (where tag = 'human'), 0)::bigint as human_words,
    coalesce(sum(words) filter (where tag = 'human' and unique_text), 0)::bigint as unique_human_words,
    coalesce(sum(words) filter (where tag = 'human' and unique_text and not coalesce(reserved, false)), 0)::bigint as usable_words,
    coalesce(sum(words) filter (where tag = 'unknown' and unique_text), 0)::bigint as unique_unknown_words,
    coalesce(sum(words) filter (where tag = 'synthetic' and unique_text), 0)::bigint as unique_synthetic_words
from ranked
group by slice
order by words desc, slice
