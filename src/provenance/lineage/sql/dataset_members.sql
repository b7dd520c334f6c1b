-- Which dataset's list of members speaks for a dataset: its own, or, if it has none, those of the nearest it is made of.
with recursive listed as materialized (select distinct dataset_id from datasets where records is not null),
derivations as materialized (
    select distinct edge.subject, edge.object from lineage_edges as edge
    join (select distinct dataset_id from datasets) as whole on whole.dataset_id = edge.subject
    join (select distinct dataset_id from datasets) as part on part.dataset_id = edge.object
    where edge.relation in ('wasDerivedFrom', 'hadMember') and edge.subject not in (select dataset_id from listed)
),
origins(dataset_id, origin, path) using key (dataset_id, origin) as (
    select dataset_id, dataset_id, [dataset_id] from (select distinct dataset_id from datasets)
    union
    select origins.dataset_id, edge.object, min(list_append(origins.path, edge.object))
    from origins
    join derivations as edge on edge.subject = origins.origin
    left join recurring.origins as before on before.dataset_id = origins.dataset_id and before.origin = edge.object
    where before.dataset_id is null
    group by origins.dataset_id, edge.object
)
select origins.dataset_id, origins.origin, origins.path
from origins join listed on listed.dataset_id = origins.origin
