-- The affected records that have another tag now.
select later.scan_id, later.record_id, later.words, earlier.tag as tag_before, later.tag as tag_after
from tags_before as earlier
join tags_after as later on later.scan_id = earlier.scan_id and later.record_id = earlier.record_id
where later.tag <> earlier.tag
