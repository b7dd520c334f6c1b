-- What the text of each dataset and reference set goes back to, with one shortest path. `direct`: on a path that passes
-- through no other model's training. For small graphs; a graph of a million edges is searched by `provenance lineage loops`.
with recursive flow as materialized (select subject, object, trains from text_flow),
starts as (
    select dataset_id as start from datasets
    union select dataset_id from trainings
    union select set_id from reference_sets
    union select object from flow where starts_with(object, 'model:')
),
reached(start, place, direct, path) using key (start, place, direct) as (
    select start, start, true, [start] from starts
    union
    select reached.start, edge.object, reached.direct and not edge.trains as onward, min(list_append(reached.path, edge.object))
    from reached
    join flow as edge on edge.subject = reached.place
    left join recurring.reached as before
        on before.start = reached.start and before.place = edge.object and before.direct = (reached.direct and not edge.trains)
    where before.start is null
    group by reached.start, edge.object, onward
)
select start, place, direct, path from reached
