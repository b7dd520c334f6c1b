-- The graph of sources, scans, datasets, runs, models and reference sets.
--
-- Every edge reads from what came about to what it came from (a dataset wasDerivedFrom a scan, a run used a dataset), so
-- ancestors follow edges forwards and descendants backwards. Membership of records is in `dataset_records`, and what a
-- record shares with a reference set is in `findings`: neither is repeated here.

create or replace view lineage_nodes as
    select 'source:' || source_id as id, 'source' as kind, min(uri) as name, min(recorded_at) as recorded_at
    from sources group by source_id
    union all
    select scan_id, 'scan', arg_max(name, (recorded_at, rowid)), min(recorded_at) from scan_log group by scan_id
    union all
    select 'model:' || model, 'model', model, min(recorded_at)
    from (select model, recorded_at from models
          union all select model, recorded_at from reference_sets where model is not null)
    group by model
    union all
    select dataset_id, 'dataset', arg_max(name, recorded_at), min(recorded_at) from datasets group by dataset_id
    union all
    select run_id, case any_value(kind) when 'training' then 'run' when 'generation' then 'generation_run' else 'evaluation' end,
           coalesce(any_value(name), run_id), min(recorded_at)
    from runs group by run_id
    union all
    select set_id, if(any_value(label) = 'synthetic', 'generation_set', 'human_set'), arg_max(name, recorded_at), min(recorded_at)
    from reference_sets group by set_id
    union all
    -- Files that a reference set was read from; those of scans are in `sources`.
    select object, 'source', substr(object, 6), min(recorded_at) from edges where starts_with(object, 'file:') group by object;

-- The recorded edges, and those that follow from a set's entry.
create or replace view lineage_edges as
    select subject, relation, object, recorded_at from edges
    union all
    select set_id, 'wasAttributedTo', 'model:' || model, min(recorded_at)
    from reference_sets
    where model is not null and withdrawn_at is null
      and not exists (select 1 from edges as known where known.subject = reference_sets.set_id
                      and known.relation = 'wasAttributedTo' and known.object = 'model:' || reference_sets.model)
    group by set_id, model;

-- Every node that `node` (an id, or a name) comes from, once, with the fewest steps to it and the relation of the last step.
-- A node that was reached is not entered again, so the search ends on any graph.
create or replace macro ancestors(node) as table
    with recursive reached(node_id, distance, relation) using key (node_id) as (
        select start.node_id, 0, null::varchar
        from (select node as node_id union select known.id from lineage_nodes as known where known.name = node) as start
        union
        select edge.object, min(reached.distance) + 1, min(edge.relation)
        from reached
        join lineage_edges as edge on edge.subject = reached.node_id
        left join recurring.reached as before on before.node_id = edge.object
        where before.node_id is null
        group by edge.object
    )
    select reached.node_id as id, known.kind, known.name, reached.distance, reached.relation
    from reached left join lineage_nodes as known on known.id = reached.node_id
    where reached.distance > 0
    order by reached.distance, reached.node_id;

-- Every node that came from `node`, likewise.
create or replace macro descendants(node) as table
    with recursive reached(node_id, distance, relation) using key (node_id) as (
        select start.node_id, 0, null::varchar
        from (select node as node_id union select known.id from lineage_nodes as known where known.name = node) as start
        union
        select edge.subject, min(reached.distance) + 1, min(edge.relation)
        from reached
        join lineage_edges as edge on edge.object = reached.node_id
        left join recurring.reached as before on before.node_id = edge.subject
        where before.node_id is null
        group by edge.subject
    )
    select reached.node_id as id, known.kind, known.name, reached.distance, reached.relation
    from reached left join lineage_nodes as known on known.id = reached.node_id
    where reached.distance > 0
    order by reached.distance, reached.node_id;
