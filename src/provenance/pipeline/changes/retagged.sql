-- The records of a scan ($1) that have another tag under a policy ($2) than under another one ($3).
select scan_id, record_id, words, tag_before, tag_after
from (
    select record.scan_id, record.record_id, record.words,
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 summary.synthetic_words, summary.match_share, summary.is_copy, summary.human_share,
                 summary.unverified_words, summary.unverified_share, earlier.settings).tag as tag_before,
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 summary.synthetic_words, summary.match_share, summary.is_copy, summary.human_share,
                 summary.unverified_words, summary.unverified_share, later.settings).tag as tag_after
    from observations as record
    cross join (select any_value(settings) as settings from policies where policy_id = $3) as earlier
    cross join (select any_value(settings) as settings from policies where policy_id = $2) as later
    left join match_summary as summary on summary.scan_id = record.scan_id and summary.record_id = record.record_id
    where record.scan_id = $1
)
where tag_after <> tag_before
