-- Which models' text the members of a dataset hold: an origin is a generation set, or a model that declarations name.
-- Only for datasets with a list of members.
select member.dataset_id, text.origin, count(*) as records, sum(text.words)::bigint as words
from dataset_records as member
join record_text as text on text.record_id = member.record_id
group by member.dataset_id, text.origin
