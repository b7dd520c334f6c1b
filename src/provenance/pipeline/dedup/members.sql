-- The clusters of a scan: who is kept, and in which order the others would take its place.
--
-- Kept is who was captured first, by a date that the container or a capture-time column gives; records without such a
-- date come after those with one. Among equals the smaller (URI, position, record id) comes first. None of that depends
-- on the order of reading. $1: the scan; $2: the threshold; `members`: row, root, record_id.
select
    observation.scan_id, observation.record_id, first_value(observation.record_id) over members_in_order as cluster_id,
    (row_number() over members_in_order)::integer as place, $2::double as threshold,
    member."row", first_value(member."row") over members_in_order as kept_row
from members as member
join observations as observation on observation.record_id = member.record_id and observation.scan_id = $1
left join (select source_id, any_value(uri) as uri from sources where scan_id = $1 group by source_id) as source
    using (source_id)
window members_in_order as (
    partition by member.root
    order by
        case when observation.date_origin in ('container', 'column') and not observation.recovered
             then observation.captured_at end nulls last,
        source.uri, observation.position, observation.record_id
)
order by cluster_id, place
