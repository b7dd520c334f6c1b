-- What the causes $causes (all if null) have touched from the moment $since on (from ever if null), one row for each scan, dataset, run
-- and model: directly, if its records got other tags or hold text of the sets and models $origins, or it was trained on such
-- a dataset; indirectly, if it was tuned or distilled from a model that was.
--
-- `tags_without` has the records that share text with those sets and have another tag because of them, as of now: `effects`. It is
-- empty where no set is asked about. `changes` are the entries of what happened, one by one.
with recursive entries as materialized (
    select * from changes
    where ($causes is null or list_contains($causes, cause_id)) and ($since is null or recorded_at >= $since)
),
held as materialized (
    select members.dataset_id, listed.record_id, bit_count(bit_or(text.cover)) as words
    from record_text as text
    join dataset_records as listed on listed.record_id = text.record_id
    join dataset_members as members on members.origin = listed.dataset_id
    where list_contains($origins, text.origin)
    group by members.dataset_id, listed.record_id
),
-- A scan holds what its own records show, also where a later scan saw them again.
held_by_scans as materialized (
    select scan_id, record_id, bit_count(own & ~ coalesce(innocent, bitstring('0', bit_length(own)::integer))) as words
    from (
        select scan_id, record_id,
            bit_or(cover) filter (where list_contains($origins, set_id) and admissible and verified) as own,
            bit_or(cover) filter (where label <> 'synthetic') as innocent
        from findings
        where cover is not null and record_id in (select record_id from matches where list_contains($origins, set_id))
        group by scan_id, record_id
    )
    where own is not null and words > 0
    union
    select scan_id, record_id, words from record_text where list_contains($origins, origin) and starts_with(origin, 'model:')
),
known_since as (
    select min(recorded_at) as moment from reference_sets where list_contains($origins, set_id)
),
nodes as materialized (
    select id, any_value(kind) as kind, any_value(name) as name, min(recorded_at) as recorded_at from lineage_nodes group by id
),
datasets_touched as (
    select id, coalesce(min(turned), min(held)) as since
    from (
        select subject as id, recorded_at as turned, null as held from entries where subject_kind = 'dataset'
        union all
        select distinct held.dataset_id, null, greatest(known_since.moment, nodes.recorded_at)
        from held join nodes on nodes.id = held.dataset_id cross join known_since
    )
    group by id
),
learnt as materialized (
    select training.run_id as id, training.dataset_id from trainings as training where training.run_id is not null
    union
    select training.model, training.dataset_id from trainings as training
),
scans_touched as (
    select held.scan_id as id, greatest(any_value(known_since.moment), any_value(nodes.recorded_at)) as since
    from held_by_scans as held join nodes on nodes.id = held.scan_id cross join known_since
    group by held.scan_id
),
touched as materialized (
    select id, min(moment) as since
    from (
        select subject as id, recorded_at as moment from entries
        union all
        select id, since from datasets_touched
        union all
        select id, since from scans_touched where id not in (select subject from entries)
        union all
        select learnt.id, greatest(source.since, nodes.recorded_at)
        from learnt
        join datasets_touched as source on source.id = learnt.dataset_id
        join nodes on nodes.id = learnt.id
    )
    group by id
),
tuned as materialized (
    select distinct subject, object from lineage_edges where relation in ('fine_tuned_from', 'distilled_from')
),
below(id, origin, since) using key (id) as (
    select touched.id, touched.id, touched.since from touched join nodes on nodes.id = touched.id where nodes.kind = 'model'
    union
    select tuned.subject, min(below.origin), min(below.since)
    from below join tuned on tuned.object = below.id
    left join recurring.below as before on before.id = tuned.subject
    where before.id is null
    group by tuned.subject
),
amounts as (
    select dataset_id as id, count(*) as records, sum(words)::bigint as words from held group by dataset_id
    union all
    select id, count(*), sum(words)::bigint
    from (select distinct learnt.id, held.record_id, held.words from learnt join held on held.dataset_id = learnt.dataset_id)
    group by id
    union all
    select scan_id, count(*), sum(words)::bigint from (select scan_id, record_id, max(words) as words from held_by_scans group by all)
    group by scan_id
),
-- The records whose tag is another one because of the sets: those of each scan, and each once in what lists or learnt from them, as
-- the last scan saw them.
seen_last as materialized (
    select turned.*
    from tags_without as turned
    join (select scan_id, max(started_at) as started_at from scan_log group by scan_id) as scan on scan.scan_id = turned.scan_id
    where turned.is_last
    qualify row_number() over (partition by turned.record_id order by scan.started_at desc, turned.scan_id desc) = 1
),
listed_effects as materialized (
    select distinct members.dataset_id, turned.record_id, turned.words, turned.tag_before, turned.tag_after
    from seen_last as turned
    join dataset_records as listed on listed.record_id = turned.record_id
    join dataset_members as members on members.origin = listed.dataset_id
),
effects as (
    select id, list({'tag_before': tag_before, 'tag_after': tag_after, 'records': records, 'words': words}
                    order by tag_before, tag_after) as effects
    from (
        select id, tag_before, tag_after, count(*)::bigint as records, sum(words)::bigint as words
        from (
            select scan_id as id, record_id, words, tag_before, tag_after from tags_without
            union all
            select dataset_id, record_id, words, tag_before, tag_after from listed_effects
            union all
            select distinct learnt.id, turned.record_id, turned.words, turned.tag_before, turned.tag_after
            from learnt join listed_effects as turned on turned.dataset_id = learnt.dataset_id
        )
        group by id, tag_before, tag_after
    )
    group by id
),
turned as (
    select subject as id, list({'cause': cause, 'cause_id': cause_id, 'tag_before': tag_before, 'tag_after': tag_after,
                                'records': records, 'words': words, 'recorded_at': recorded_at}
                               order by recorded_at, tag_before, tag_after) as changes
    from entries group by subject
)
select nodes.kind, found.id, nodes.name, found.how, found.since, found.through, coalesce(turned.changes, []) as changes,
    coalesce(effects.effects, []) as effects,
    coalesce(amounts.records, 0)::bigint as held_records, coalesce(amounts.words, 0)::bigint as held_words
from (
    select id, 'direct' as how, since, null as through from touched
    union all
    select below.id, 'indirect', greatest(below.since, nodes.recorded_at), below.origin
    from below join nodes on nodes.id = below.id
    where below.id not in (select id from touched)
) as found
join nodes on nodes.id = found.id
left join turned on turned.id = found.id
left join effects on effects.id = found.id
left join amounts on amounts.id = found.id
order by found.how, list_position(['scan', 'dataset', 'run', 'model'], nodes.kind), nodes.name, found.id
