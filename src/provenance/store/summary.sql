-- What all findings about a record say together: one row for each record that shares text with a reference.
--
-- A synthetic reference counts only if its model was out when the record was captured (by the container's or a
-- capture-time column's date, and not in a stretch found by resynchronising): a page can't copy what did not exist. Words
-- that a human reference or a prompt covers too are not the model's.
select
    scan_id, record_id,
    coalesce(bit_count(synthetic & ~ coalesce(not_synthetic, bitstring('0', bit_length(synthetic)::integer))), 0)::integer
        as synthetic_words,
    synthetic_words / words as match_share,
    coalesce(bit_count(human), 0)::integer as human_words,
    human_words / words as human_share,
    coalesce(bit_count(unverified & ~ coalesce(not_synthetic, bitstring('0', bit_length(unverified)::integer))), 0)::integer
        as unverified_words,
    unverified_words / words as unverified_share,
    is_copy,
    best.set_id as match_set, best.reference_id as match_reference, best.tier as match_tier, best.share as best_share,
    best.model as model, best.model_family as model_family, best.verified as best_verified,
    inadmissible
from (
    select
        scan_id, record_id, any_value(words) as words,
        bit_or(cover) filter (where admissible and verified) as synthetic,
        bit_or(cover) filter (where admissible and not verified) as unverified,
        bit_or(cover) filter (where label = 'human' and verified) as human,
        bit_or(cover) filter (where label <> 'synthetic') as not_synthetic,
        coalesce(bool_or(tier = 'exact') filter (where admissible and verified), false) as is_copy,
        count(*) filter (where label = 'synthetic' and not admissible) as inadmissible,
        -- The longest finding, verified before unverified; ties go to the smaller identifier, not to the first written.
        min_by({'set_id': set_id, 'reference_id': reference_id, 'tier': tier, 'share': share, 'model': model,
                'model_family': model_family, 'verified': verified},
               (not verified, -matched_words, set_id, reference_id)) filter (where admissible) as best
    from (
        select
            finding.scan_id, finding.record_id, finding.reference_id, finding.set_id, finding.tier, finding.share,
            finding.matched_words, finding.verified, known.label, known.model, models.family as model_family,
            record.words,
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
    )
    group by scan_id, record_id
)
