-- The edges with numbers for their ends and relations, as walks use them.
select child.place as child, parent.place as parent, coalesce(list_position(relation_names(), edge.relation), 0)::tinyint as relation,
    edge.recorded_at
from lineage_edges as edge
join lineage_places as child on child.id = edge.subject
join lineage_places as parent on parent.id = edge.object
