-- Drops copies from what is to be kept: of each cluster the first record whose tag is kept stays. $1: the scan.
update tagged set keep = false, copy_of = chosen.record_id
from (
    select copy.record_id as copy_id, first_value(copy.record_id) over (partition by cluster_id order by place) as record_id
    from duplicates as copy join tagged using (record_id)
    where copy.scan_id = $1 and tagged.keep
) as chosen
where tagged.record_id = chosen.copy_id and chosen.copy_id <> chosen.record_id
