-- The members that a subset leaves out, with where they stand.
select member.record_id, scan.name as scan, source.uri, member.position, member.tag, member.reason, member.words
from member
anti join kept on kept.record_id = member.record_id
left join scans as scan on scan.scan_id = member.scan_id
left join (select scan_id, source_id, any_value(uri) as uri from sources group by all) as source
    on source.scan_id = member.scan_id and source.source_id = member.source_id
order by scan.name, source.uri, member.position, member.record_id
