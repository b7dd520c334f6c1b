-- What the nodes $nodes come from by the recorded edges, and they themselves.
with recursive reached(place) as (
    select place from lineage_places where list_contains($nodes, id)
    union
    select step.parent from lineage_steps as step semi join reached on reached.place = step.child
)
select id from lineage_places where place in (select place from reached)
