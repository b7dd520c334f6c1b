-- Feedback loops: a dataset trains a model and holds text that the model or a relative generated.

-- Each model with each of its relatives (itself, ancestors and descendants among versions) and one shortest path between.
create or replace view relatives as
    with recursive version_edges as (
        select distinct subject, object from lineage_edges
        where relation in ('successor_of', 'fine_tuned_from', 'distilled_from')
    ),
    nodes as (
        select id as node from lineage_nodes where kind = 'model'
        union select subject from version_edges union select object from version_edges
    ),
    upwards(model, relative, path) using key (model, relative) as (
        select node, node, [node] from nodes
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
    group by model, relative;

-- Each dataset with each dataset that it is made of (itself included) and one shortest path between.
create or replace view dataset_origins as
    with recursive derivations as (
        select distinct edge.subject, edge.object from lineage_edges as edge
        join (select distinct dataset_id from datasets) as whole on whole.dataset_id = edge.subject
        join (select distinct dataset_id from datasets) as part on part.dataset_id = edge.object
        where edge.relation = 'wasDerivedFrom'
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
    select dataset_id, origin, path from origins;

-- Which dataset's list of members speaks for a dataset: its own, or, if it has none, those of the nearest it is made of.
create or replace view dataset_members as
    with listed as (select distinct dataset_id from datasets where records is not null)
    select origins.dataset_id, origins.origin, origins.path
    from dataset_origins as origins
    join listed on listed.dataset_id = origins.origin
    where origins.origin = origins.dataset_id
       or origins.dataset_id not in (select dataset_id from listed);

-- Words of each record that stand in verified passages of a model's generations, and in no human reference or prompt.
create or replace view record_models as
    select record_id, model, max_by(cover, scan_id) as cover, max_by(set_id, scan_id) as set_id
    from (
        select findings.scan_id, findings.record_id, 'model:' || findings.model as model,
            min(findings.set_id) as set_id,
            bit_or(findings.cover) & ~ coalesce(any_value(innocent.cover), bitstring('0', any_value(bit_length(findings.cover))::integer))
                as cover
        from findings
        left join (
            select scan_id, record_id, bit_or(cover) as cover from findings
            where label <> 'synthetic' and cover is not null group by scan_id, record_id
        ) as innocent on innocent.scan_id = findings.scan_id and innocent.record_id = findings.record_id
        where findings.admissible and findings.verified and findings.cover is not null and findings.model is not null
        group by findings.scan_id, findings.record_id, findings.model
    )
    where bit_count(cover) > 0
    group by record_id, model;

-- Each model whose text a dataset holds, by which set, and the path from the dataset to that set. Either members of it
-- share text with the set, or the dataset is recorded as made from the set.
create or replace view dataset_models as
    select members.dataset_id, text.model, text.set_id, min(list_append(members.path, text.set_id)) as path
    from dataset_members as members
    join dataset_records as member on member.dataset_id = members.origin
    join record_models as text on text.record_id = member.record_id
    group by members.dataset_id, text.model, text.set_id
    union
    select origins.dataset_id, made.object, edge.object, list_append(origins.path, edge.object)
    from dataset_origins as origins
    join lineage_edges as edge on edge.subject = origins.origin and edge.relation = 'wasDerivedFrom'
    join lineage_edges as made on made.subject = edge.object and made.relation = 'wasAttributedTo'
    join lineage_nodes as known on known.id = edge.object and known.kind = 'generation_set';

-- For each dataset and model, whether trained or not: the loop that training the model on the dataset closes.
-- `tail`: a shortest path from the dataset over a generation set and its model to the model.
create or replace view possible_loops as
    select ways.dataset_id, ways.model, ways.tail, ways.relatives,
           coalesce(amounts.records, 0) as records, coalesce(amounts.words, 0) as words
    from (
        select held.dataset_id, kin.model, list_sort(list(distinct kin.relative)) as relatives,
               min_by(list_concat(held.path, list_reverse(kin.path)), (len(held.path) + len(kin.path), held.path, kin.path)) as tail
        from dataset_models as held
        join relatives as kin on kin.relative = held.model
        group by held.dataset_id, kin.model
    ) as ways
    left join (
        select dataset_id, model, count(*) as records, sum(words)::bigint as words
        from (
            select members.dataset_id, kin.model, member.record_id, bit_count(bit_or(text.cover)) as words
            from dataset_members as members
            join dataset_records as member on member.dataset_id = members.origin
            join record_models as text on text.record_id = member.record_id
            join relatives as kin on kin.relative = text.model
            group by members.dataset_id, kin.model, member.record_id
        )
        group by dataset_id, model
    ) as amounts on amounts.dataset_id = ways.dataset_id and amounts.model = ways.model;

-- Which dataset trains which model, by which run; by no run where only `trained_on` is known.
create or replace view trainings as
    select made.subject as model, used.object as dataset_id, min(made.object) as run_id
    from lineage_edges as made
    join runs on runs.run_id = made.object and runs.kind = 'training'
    join lineage_edges as used on used.subject = made.object and used.relation = 'used'
    join (select distinct dataset_id from datasets) as known on known.dataset_id = used.object
    where made.relation = 'wasGeneratedBy'
    group by made.subject, used.object
    union
    select edge.subject, edge.object, null from lineage_edges as edge
    join (select distinct dataset_id from datasets) as known on known.dataset_id = edge.object
    where edge.relation = 'trained_on'
      and not exists (select 1 from lineage_edges as made
                      join lineage_edges as used on used.subject = made.object and used.relation = 'used'
                      where made.relation = 'wasGeneratedBy' and made.subject = edge.subject and used.object = edge.object);

-- One row for each (model, dataset) pair. The witness is a closed path that begins and ends at the model.
create or replace view feedback_loops as
    select
        training.model, training.dataset_id as dataset,
        list_concat(if(training.run_id is null, [training.model], [training.model, training.run_id]), loop.tail) as witness,
        loop.relatives, loop.records, loop.words,
        case when sealed.words > 0 then loop.words / sealed.words end as share,
        case when sealed.records > 0 then loop.records / sealed.records end as record_share
    from trainings as training
    join possible_loops as loop on loop.dataset_id = training.dataset_id and loop.model = training.model
    left join (
        select dataset_id, arg_max(records, recorded_at) as records, arg_max(words, recorded_at) as words
        from datasets group by dataset_id
    ) as sealed on sealed.dataset_id = training.dataset_id
    order by training.model, training.dataset_id;
