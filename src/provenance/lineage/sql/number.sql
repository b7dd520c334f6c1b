-- Number what came after the last edge that has numbers.
insert into lineage_places
select coalesce((select max(place) from lineage_places), 0) + row_number() over (order by fresh.id), fresh.id
from (
    select unnest([subject, object]) as id from lineage_edges
    where recorded_at > coalesce((select max(recorded_at) from lineage_steps), timestamp '-infinity')
    group by id
) as fresh
anti join lineage_places as known on known.id = fresh.id
order by all;
insert into lineage_steps
from numbered_edges
where recorded_at > coalesce((select max(recorded_at) from lineage_steps), timestamp '-infinity')
order by child, parent;
