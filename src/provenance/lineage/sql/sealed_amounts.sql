-- How much each dataset or reference set holds in all; null where no list of members is known.
select dataset_id, arg_max(records, recorded_at) as records, arg_max(words, recorded_at) as words
from datasets group by dataset_id
union all
select set_id, any_value(reference_count), any_value(words) from reference_sets group by set_id
