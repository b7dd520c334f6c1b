-- How many members a dataset ($dataset) lists, observed or not.
select count(distinct listed.record_id)
from dataset_members as members
join dataset_records as listed on listed.dataset_id = members.origin
where members.dataset_id = $dataset
