-- Sums that must agree, and references that must have an end: one sentence for each that does not.
select 'source ' || uri || ' of scan ' || scan_id || ': ' || records || ' records + ' || rejects || ' rejects + ' || skipped
    || ' skipped is not the ' || read || ' read' as problem
from sources where error is null and records + rejects + skipped <> read
union all
select 'source ' || uri || ' of scan ' || scan_id || ' counted ' || sources.records || ' records; the store holds '
    || coalesce(held.records, 0) || if(forgotten.records > 0, ' and has forgotten ' || forgotten.records, '')
from sources
left join (select scan_id, source_id, count(*) as records from observations group by all) as held using (scan_id, source_id)
left join (
    select scan_id, source_id, sum(rows) as records from tombstones where kind = 'observations' group by all
) as forgotten using (scan_id, source_id)
where error is null and sources.records <> coalesce(held.records, 0) + coalesce(forgotten.records, 0)
union all
select 'source ' || uri || ' of scan ' || scan_id || ' counted ' || sources.rejects || ' rejects; the store holds '
    || coalesce(held.rejects, 0)
from sources
left join (select scan_id, source_id, count(*) as rejects from rejects group by all) as held using (scan_id, source_id)
where error is null and sources.rejects <> coalesce(held.rejects, 0)
union all
select 'the edge ' || subject || ' ' || relation || ' ' || object || ' has no end: ' || missing || ' is unknown'
from (
    select subject, relation, object, unnest([subject, object]) as missing from edges
) where missing not in (select id from lineage_nodes)
union all
select 'matches of scan ' || scan_id || ' name the reference set ' || set_id || ', which is unknown'
from (select distinct scan_id, set_id from matches) where set_id not in (select set_id from reference_sets)
union all
select records || ' matches of scan ' || scan_id || ' point to no record'
from (
    select scan_id, count(*) as records from matches
    where not exists (
        select 1 from observations as record where record.scan_id = matches.scan_id and record.record_id = matches.record_id)
    group by scan_id
)
union all
select records || ' duplicates of scan ' || scan_id || ' point to no record'
from (
    select scan_id, count(*) as records from duplicates
    where not exists (
        select 1 from observations as record
        where record.scan_id = duplicates.scan_id and record.record_id = duplicates.record_id)
    group by scan_id
)
union all
select 'scan ' || scan_id || ' holds ' || sum(records) || ' records and fingerprints of ' || sum(fingerprints)
from (
    select group_id as scan_id, if(kind = 'observations', rows, 0) as records, if(kind = 'fingerprints', rows, 0) as fingerprints
    from parts where kind in ('observations', 'fingerprints') and withdrawn_at is null
)
group by scan_id having sum(fingerprints) > 0 and sum(records) <> sum(fingerprints)
union all
select 'scan ' || scan_id || ' holds ' || count(*) - count(distinct record_id) || ' records twice'
from observations group by scan_id having count(*) <> count(distinct record_id)
union all
select 'scan ' || name || ' ended with ' || scans.records || ' records; its sources have ' || coalesce(counted.records, 0)
from scans left join (
    select scan_id, sum(records) as records from (
        select * from sources
        qualify row_number() over (partition by scan_id, source_id order by recorded_at desc, rowid desc) = 1)
    group by scan_id) as counted using (scan_id)
where state = 'finished' and scans.records <> coalesce(counted.records, 0)
union all
select 'the part ' || path || ' is listed ' || count(*) || ' times'
from parts where withdrawn_at is null group by path having count(*) > 1
union all
select 'source ' || source_id || ' of scan ' || scan_id || ' has given ' || told.records || ' records so far; the store holds '
    || coalesce(held.records, 0)
from (select scan_id, source_id, sum(records) as records from shards group by all) as told
left join (select scan_id, source_id, count(*) as records from observations group by all) as held using (scan_id, source_id)
left join (
    select scan_id, source_id, sum(rows) as records from tombstones where kind = 'observations' group by all
) as forgotten using (scan_id, source_id)
where told.records <> coalesce(held.records, 0) + coalesce(forgotten.records, 0)
