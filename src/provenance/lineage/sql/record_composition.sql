-- The words of each record by where they came from. `origin`: 'model' (with its id), 'unattributed' (a model whose name is not known),
-- 'unknown' or 'human'; each word once.
--
-- Words in verified passages of a model are the model's, whatever the tag: `verified_words`. The rest goes by the tag; that of
-- a synthetic record to the model that wrote most of the known part. Words that several models' texts cover count
-- for the one that covers most of the record. A record that several scans observed counts as the last of them saw it.
with judged as (
    select record.record_id, record.scan_id, record.tag, record.words
    from records as record
    join (select scan_id, max(started_at) as started_at from scan_log group by scan_id) as scan on scan.scan_id = record.scan_id
    qualify row_number() over (partition by record.record_id order by scan.started_at desc, record.scan_id desc) = 1
),
by_model as (
    select text.record_id, coalesce(authors.model, if(starts_with(text.origin, 'model:'), text.origin, null)) as model,
        bit_or(text.cover) as cover, bit_count(bit_or(text.cover)) as size
    from record_text as text left join set_authors as authors on authors.set_id = text.origin
    group by all
),
told_apart as (
    select record_id, model,
        bit_count(cover & ~ coalesce(before, bitstring('0', bit_length(cover)::integer))) as words, place
    from (
        select *, bit_or(cover) over (partition by record_id order by size desc, model
                                      rows between unbounded preceding and 1 preceding) as before,
            row_number() over (partition by record_id order by size desc, model) as place
        from by_model
    )
),
covered as (
    select record_id, sum(words)::bigint as words, any_value(model) filter (where place = 1) as model, true as any_text
    from told_apart group by record_id
)
select told_apart.record_id, if(told_apart.model is null, 'unattributed', 'model') as origin, told_apart.model,
    told_apart.words::bigint as words, told_apart.words::bigint as verified_words
from told_apart where told_apart.words > 0
union all
select judged.record_id,
    case when judged.tag <> 'synthetic' then judged.tag when covered.model is not null then 'model' else 'unattributed' end,
    case when judged.tag = 'synthetic' then covered.model end,
    greatest(judged.words - coalesce(covered.words, 0), 0)::bigint, 0
from judged left join covered on covered.record_id = judged.record_id
where covered.record_id is null or judged.words > covered.words
