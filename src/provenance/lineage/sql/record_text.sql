-- Which words of a record a known model wrote, by what we know it: `origin` is a generation set whose verified text the
-- record holds, or a model that a declaration names. `cover` has one bit a word, padded to whole bytes.
--
-- Words that a human reference or a prompt covers too are not the model's. A record that several scans observed
-- counts as the last of them saw it. Style attributes to a family with some probability: that is no origin.
with found as materialized (
    select record_id, scan_id, set_id, label, cover, admissible and verified as counts from findings where cover is not null
),
touched as (
    select record.scan_id, record.record_id
    from observations as record
    join scan_log as scan on scan.scan_id = record.scan_id
    where record.record_id in (select record_id from matches)
    group by record.scan_id, record.record_id
    qualify row_number() over (partition by record.record_id order by max(scan.started_at) desc, record.scan_id desc) = 1
),
innocent as (
    select scan_id, record_id, bit_or(cover) as cover from found
    where label <> 'synthetic' group by scan_id, record_id
),
matched as (
    select record_id, scan_id, set_id as origin, cover
    from (
        select found.record_id, found.scan_id, found.set_id,
            bit_or(found.cover) & ~ coalesce(any_value(innocent.cover), bitstring('0', any_value(bit_length(found.cover))::integer))
                as cover
        from found
        join touched on touched.scan_id = found.scan_id and touched.record_id = found.record_id
        left join innocent on innocent.scan_id = found.scan_id and innocent.record_id = found.record_id
        where found.counts
        group by found.record_id, found.scan_id, found.set_id
    )
    where bit_count(cover) > 0
),
named as (
    select record_id, scan_id, words,
        unnest(list_distinct(list_transform(
            list_filter(evidence, lambda e: e.kind = 'declared' and e.decides and contains(e.detail, 'model=')),
            lambda e: regexp_extract(e.detail, '(?:^|; )model=([^;]+)', 1)))) as name
    from (
        select record.record_id, record.scan_id, record.words, record.evidence
        from observations as record
        join scan_log as scan on scan.scan_id = record.scan_id
        where not record.recovered and record.words > 0
          and len(list_filter(record.evidence, lambda e: e.kind = 'declared' and e.decides and contains(e.detail, 'model='))) > 0
        qualify row_number() over (partition by record.record_id order by scan.started_at desc, record.scan_id desc) = 1
    )
),
-- A page may declare any name: only models that are recorded here, under this name or another of theirs, get the text.
understood as (
    select said.name, known.model
    from (select distinct name from named) as said
    join model_facts as known on list_contains(known.keys, model_key(said.name)) or list_contains(known.keys, model_base_key(said.name))
)
select record_id, scan_id, origin, cover, bit_count(cover) as words from matched
union all
select distinct named.record_id, named.scan_id, 'model:' || understood.model,
    (repeat('1', named.words) || repeat('0', (named.words + 7) // 8 * 8 - named.words))::bit, named.words
from named join understood on understood.name = named.name
