-- Each model with each of its relatives (itself, ancestors and descendants among versions) and one shortest path between.
with recursive version_edges as materialized (
    select distinct subject, object from lineage_edges
    where relation in ('successor_of', 'fine_tuned_from', 'distilled_from')
),
nodes as (
    select id as version from lineage_nodes where kind = 'model'
    union select subject from version_edges union select object from version_edges
),
upwards(model, relative, path) using key (model, relative) as (
    select version, version, [version] from nodes
    union
    select upwards.model, edge.object, min(list_append(upwards.path, edge.object))
    from upwards
    join version_edges as edge on edge.subject = upwards.relative
    left join recurring.upwards as before on before.model = upwards.model and before.relative = edge.object
    where before.model is null
    group by upwards.model, edge.object
)
select model, relative, min_by(path, (len(path), path)) as path
from (
    select model, relative, path from upwards
    union all
    select relative, model, list_reverse(path) from upwards
)
group by model, relative
