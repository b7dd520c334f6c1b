-- What is reached from the nodes $1 towards origins ($2) or towards uses, with the fewest steps and the relation of the last one:
-- along the recorded edges, and through what datasets hold by verified matches and declarations.
with recursive steps as materialized (
    select if($2, subject, object) as near, if($2, object, subject) as far, relation
    from (
        select subject, relation, object from lineage_edges
        union all
        select dataset_id, 'hadMember', origin from held_text
    )
),
reached(place, distance, relation) using key (place) as (
    select start.place, 0, null::varchar from (select unnest($1::varchar[]) as place) as start
    union
    select step.far, min(reached.distance) + 1, min(step.relation)
    from reached
    join steps as step on step.near = reached.place
    left join recurring.reached as before on before.place = step.far
    where before.place is null
    group by step.far
)
select reached.place as id, known.kind, known.name, reached.distance, reached.relation
from reached left join lineage_nodes as known on known.id = reached.place
order by reached.distance, reached.place
