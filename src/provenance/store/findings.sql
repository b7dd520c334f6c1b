-- Matches that count, each with what is known of its reference.
--
-- A synthetic reference is admissible only if its model was out (by the date given for the set or the model, else by that of the
-- catalogue of known models) when the record was captured (by the container's or a
-- capture-time column's date, and not in a stretch found by resynchronising): a page can't copy what did not exist. What
-- such an early record of a web archive shares with the reference was there before the model: those passages are taken
-- out of the reference, for every record. A date column is not enough for that: one wrong or forged date in a dataset
-- would excuse the copies in every other scan.
with known_matches as (
    select
        finding.scan_id, finding.record_id, finding.reference_id, finding.set_id, finding.tier, finding.share,
        finding.matched_words, finding.spans, finding.verified, known.label, known.model, facts.family as model_family,
        record.words, record.date_origin = 'container' as archived,
        -- A cover of another length than the record's is damaged; bit_or would refuse it.
        case when octet_length(finding.cover) = (record.words + 7) // 8 then finding.cover::bit end as cover,
        known.label = 'synthetic' and coalesce(
            not record.recovered and record.date_origin in ('container', 'column')
            and record.captured_at < coalesce(known.released, facts.released), false) as predates
    from matches as finding
    join reference_sets as known on known.set_id = finding.set_id and known.withdrawn_at is null
    left join model_facts as facts on facts.model = known.model
    -- Only the observations that matched: the planner overrates this join, and would put all observations into memory.
    join (
        select * from observations where (scan_id, record_id) in (select (scan_id, record_id) from matches)
    ) as record on record.scan_id = finding.scan_id and record.record_id = finding.record_id
    where record.words > 0
),
older as (
    select set_id, reference_id, unnest(spans) as span from known_matches where predates and archived and verified
),
-- The words of each record that stand in such a passage, one bit a word. A span's two sides may differ by a few words
-- where words were changed; they are laid on each other from the start.
older_words as (
    select scan_id, record_id, set_id, reference_id, verified,
        (repeat('0', first) || repeat('1', last - first) || repeat('0', bits - last))::bit as mask
    from (
        select matched.scan_id, matched.record_id, matched.set_id, matched.reference_id, matched.verified,
            bit_length(matched.cover) as bits,
            matched.span.start + greatest(older.span.reference_start - matched.span.reference_start, 0) as first,
            least(matched.span.start + older.span.reference_end - matched.span.reference_start, matched.span.end) as last
        from (select *, unnest(spans) as span from known_matches where not predates and label = 'synthetic') as matched
        join older on older.set_id = matched.set_id and older.reference_id = matched.reference_id
    )
    where first < last
)
-- Findings and the words to be taken out of them are put together by grouping, not by a join: the planner would take the
-- join for thousands of times its size, and then put all observations into a hash table.
select
    scan_id, record_id, reference_id, set_id, any_value(tier) as tier, any_value(share) as share,
    any_value(matched_words) as matched_words, verified, any_value(label) as label, any_value(model) as model,
    any_value(model_family) as model_family, any_value(words) as words,
    any_value(cover) & ~ coalesce(bit_or(mask), bitstring('0', any_value(bit_length(cover))::integer)) as cover,
    any_value(label) = 'synthetic' and not bool_or(predates) as admissible
from (
    select scan_id, record_id, reference_id, set_id, tier, share, matched_words, verified, label, model, model_family, words,
        cover, predates, null::bit as mask
    from known_matches
    union all
    select scan_id, record_id, reference_id, set_id, null, null, null, verified, null, null, null, null, null, null, mask
    from older_words
)
group by scan_id, record_id, reference_id, set_id, verified
