-- Matches that count, each with what is known of its reference.
--
-- A synthetic reference is admissible only if its model was out when the record was captured (by the container's or a
-- capture-time column's date, and not in a stretch found by resynchronising): a page can't copy what did not exist.
select
    finding.scan_id, finding.record_id, finding.reference_id, finding.set_id, finding.tier, finding.share,
    finding.matched_words, finding.verified, known.label, known.model, models.family as model_family, record.words,
    -- A cover of another length than the record's is damaged; bit_or would refuse it.
    case when octet_length(finding.cover) = (record.words + 7) // 8 then finding.cover::bit end as cover,
    known.label = 'synthetic' and not coalesce(
        not record.recovered and record.date_origin in ('container', 'column')
        and record.captured_at < coalesce(known.released, models.released), false) as admissible
from matches as finding
join reference_sets as known on known.set_id = finding.set_id and known.withdrawn_at is null
left join (
    select model, arg_max(family, recorded_at) as family, arg_max(released, recorded_at) as released
    from models group by model
) as models on models.model = known.model
join observations as record on record.scan_id = finding.scan_id and record.record_id = finding.record_id
where record.words > 0
