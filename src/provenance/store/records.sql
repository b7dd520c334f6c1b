-- Every record with its verdict under its scan's current policy.
select
    record_id, content_id, scan_id, source_id, position, url, host, captured_at, language, chars, words,
    decided.tag as tag, decided.reason as reason,
    verdict_score(captured_at, date_origin, recovered, observed, style_score, match_share, human_share, policy) as score,
    style_score, p_human, p_synthetic, calibration_bin,
    coalesce(synthetic_words, 0) as synthetic_words, coalesce(match_share, 0) as match_share,
    coalesce(model_family, attributed_family) as model_family,
    case when model_family is not null then 1.0 else attribution_score end as attribution_score,
    rights, recovered,
    list_concat(
        list_transform(observed, lambda e: {
            'kind': e.kind, 'detail': e.detail, 'weight': e.weight, 'measured': e.measured,
            'name': e.name, 'decides': e.decides}),
        dated_evidence(captured_at, date_origin, recovered, policy),
        matched_evidence(words, synthetic_words, match_share, unverified_words, human_words, human_share, is_copy,
                         coalesce(model, match_set, 'a synthetic reference'), decided.reason, policy),
        style_evidence(style_score, p_human, p_synthetic, calibration_bin, decided.reason, policy)
    ) as evidence,
    date_origin, text_kind, model, match_set, match_reference, match_tier, coalesce(is_copy, false) as is_copy,
    human_share, unverified_words, unverified_share, policy_id
from (
    select
        record.*, record.evidence as observed, chosen.policy_id, chosen.settings as policy,
        found.* exclude (scan_id, record_id),
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 found.synthetic_words, found.match_share, found.is_copy, found.human_share,
                 found.unverified_words, found.unverified_share, chosen.settings) as decided
    from observations as record
    left join current_policies as chosen using (scan_id)
    left join match_summary as found on found.scan_id = record.scan_id and found.record_id = record.record_id
)
