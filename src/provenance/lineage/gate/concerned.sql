-- The records that count towards the violated limits ($violated), with where they stand.
select record.record_id, scan.name as scan, source.uri, record.position, record.tag, record.reason, record.words,
    record.own_words, round(record.synthetic, 3) as synthetic_words, list_intersect($violated, record.counts) as violations
from (
    select *, list_filter([
        if(own_words > 0, 'own', null), if(exact > 0 or tagged > 0 or style > words / 2, 'synthetic', null),
        if(unknown > 0, 'unknown', null), if(human < words, 'human', null), if(unverified > 0, 'unverified', null),
        if(self_graded > 0, 'self-graded', null), if(deep, 'depth', null), if(reserved, 'opt-out', null),
        if(forbidden, 'licence', null)], lambda name: name is not null) as counts
    from judged
) as record
left join (select scan_id, any_value(name) as name from scan_log group by scan_id) as scan on scan.scan_id = record.scan_id
left join (select scan_id, source_id, any_value(uri) as uri from sources group by all) as source
    on source.scan_id = record.scan_id and source.source_id = record.source_id
where len(violations) > 0
order by scan.name, source.uri, record.position, record.record_id
