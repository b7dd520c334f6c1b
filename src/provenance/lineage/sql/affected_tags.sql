-- The tags of the records in `affected`.
select record.scan_id, record.record_id, record.words, record.tag
from records as record
join affected on affected.scan_id = record.scan_id and affected.record_id = record.record_id
