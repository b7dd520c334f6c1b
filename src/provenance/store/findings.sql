-- Matches that count, each with what is known of its reference.
--
-- A synthetic reference is admissible only if its model was out when the record was captured (by the container's or a
-- capture-time column's date, and not in a stretch found by resynchronising): a page can't copy what did not exist. What
-- such an early record shares with the reference was there before the model: those passages are taken out of the
-- reference, for every record.
with known_matches as (
    select
        finding.scan_id, finding.record_id, finding.reference_id, finding.set_id, finding.tier, finding.share,
        finding.matched_words, finding.spans, finding.verified, known.label, known.model, models.family as model_family,
        record.words,
        -- A cover of another length than the record's is damaged; bit_or would refuse it.
        case when octet_length(finding.cover) = (record.words + 7) // 8 then finding.cover::bit end as cover,
        known.label = 'synthetic' and coalesce(
            not record.recovered and record.date_origin in ('container', 'column')
            and record.captured_at < coalesce(known.released, models.released), false) as predates
    from matches as finding
    join reference_sets as known on known.set_id = finding.set_id and known.withdrawn_at is null
    left join (
        select model, arg_max(family, recorded_at) as family, arg_max(released, recorded_at) as released
        from models group by model
    ) as models on models.model = known.model
    join observations as record on record.scan_id = finding.scan_id and record.record_id = finding.record_id
    where record.words > 0
),
older as (
    select set_id, reference_id, unnest(spans) as span from known_matches where predates and verified
),
-- The words of each record that stand in such a passage, one bit a word. A span's two sides may differ by a few words
-- where words were changed; they are laid on each other from the start.
older_words as (
    select scan_id, record_id, set_id, reference_id,
        bit_or((repeat('0', first) || repeat('1', last - first) || repeat('0', bits - last))::bit) as mask
    from (
        select matched.scan_id, matched.record_id, matched.set_id, matched.reference_id, bit_length(matched.cover) as bits,
            matched.span.start + greatest(older.span.reference_start - matched.span.reference_start, 0) as first,
            least(matched.span.start + older.span.reference_end - matched.span.reference_start, matched.span.end) as last
        from (select *, unnest(spans) as span from known_matches where not predates and label = 'synthetic') as matched
        join older on older.set_id = matched.set_id and older.reference_id = matched.reference_id
    )
    where first < last
    group by scan_id, record_id, set_id, reference_id
)
select
    matched.scan_id, matched.record_id, matched.reference_id, matched.set_id, matched.tier, matched.share,
    matched.matched_words, matched.verified, matched.label, matched.model, matched.model_family, matched.words,
    case when older_words.mask is null then matched.cover else matched.cover & ~ older_words.mask end as cover,
    matched.label = 'synthetic' and not matched.predates as admissible
from known_matches as matched
left join older_words on older_words.scan_id = matched.scan_id and older_words.record_id = matched.record_id
    and older_words.set_id = matched.set_id and older_words.reference_id = matched.reference_id
