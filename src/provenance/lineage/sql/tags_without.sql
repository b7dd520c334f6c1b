-- Records that match the sets $origins and would have another tag without them: `tag_before` without, `tag_after` with. `is_last`:
-- no later scan saw the record.
select later.scan_id, later.record_id, later.words::bigint as words, earlier.tag as tag_before, later.tag as tag_after,
    later.scan_id = newest.scan_id as is_last
from tags_with as later
join tags_lacking as earlier on earlier.scan_id = later.scan_id and earlier.record_id = later.record_id
join (
    select seen.record_id, arg_max(seen.scan_id, (scan.started_at, seen.scan_id)) as scan_id
    from observations as seen
    join (select scan_id, max(started_at) as started_at from scan_log group by scan_id) as scan on scan.scan_id = seen.scan_id
    where seen.record_id in (select record_id from tags_with)
    group by seen.record_id
) as newest on newest.record_id = later.record_id
where earlier.tag <> later.tag
