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
        case when trusted_date(captured_at, date_origin, recovered, policy) < policy.dated_before then [{
            'kind': 'dated',
            'detail': format('captured on {} by the {} date, before {}', strftime(captured_at, '%Y-%m-%d'), date_origin,
                             strftime(policy.dated_before, '%Y-%m-%d')),
            'weight': policy.weights_dated, 'measured': false, 'name': 'before', 'decides': true}] else [] end,
        case when synthetic_words > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in verified passages of {}', synthetic_words, words,
                             coalesce(model, match_set, 'a synthetic reference')),
            'weight': policy.weights_matched * match_share, 'measured': false,
            'name': if(is_copy, 'copy', 'passage'), 'decides': decided.reason in ('match:copy', 'match:passage')}] else [] end,
        case when unverified_words > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in passages that are not yet verified', unverified_words, words),
            'weight': 0.0::double, 'measured': false,
            'name': 'unverified', 'decides': false}] else [] end,
        case when human_share > 0 then [{
            'kind': 'matched',
            'detail': format('{} of {} words stand in verified passages of known human text', human_words, words),
            'weight': -policy.weights_matched * human_share, 'measured': false,
            'name': 'human-reference', 'decides': decided.reason = 'match:human-reference'}] else [] end,
        case when style_score is not null then [{
            'kind': 'style',
            'detail': format('p_human {:.4f}, p_synthetic {:.4f} in {}', p_human, p_synthetic, calibration_bin),
            'weight': greatest(least(style_score, policy.weights_style_cap), -policy.weights_style_cap),
            'measured': true, 'name': coalesce(calibration_bin, ''), 'decides': decided.reason = 'style'}] else [] end
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
