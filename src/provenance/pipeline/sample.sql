-- Records of a scan or dataset whose texts are to be measured: of every slice the first ones by record id, which is a hash
-- and so as good as drawn by lot, until they hold enough words. $1: node id; $2: words wanted of each slice; $3: fewest
-- words of a record; $4: column of the slices, or null.
with members as (
    select record_id from observations where scan_id = $1
    union
    select member.record_id
    from dataset_members as held
    join dataset_records as member on member.dataset_id = held.origin
    where held.dataset_id = $1
),
records_once as (
    select record.record_id, record.scan_id, record.source_id, record.position, record.words,
        case $4 when 'language' then record.language when 'host' then coalesce(record.host, '(no host)') else '' end as slice
    from observations as record
    join scans using (scan_id)
    where record.record_id in (select record_id from members) and record.words >= $3
    qualify row_number() over (partition by record.record_id order by scans.started_at desc, scans.scan_id desc) = 1
)
select slice, scan_id, source_id, record_id, position, words
from records_once
qualify sum(words) over (partition by slice order by record_id rows unbounded preceding) - words < $2
order by slice, record_id
