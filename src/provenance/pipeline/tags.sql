-- The verdict on every record of a scan under any policy, without making that policy the scan's current one.
-- $1: the scan. `asked_policy` has one row, `settings`: the STRUCT that the verdict reads.
select
    record.record_id, record.source_id, record.position, record.url, record.captured_at, record.language, record.words,
    record.decided.tag as tag, record.decided.reason as reason,
    verdict_score(record.captured_at, record.date_origin, record.recovered, record.evidence, record.style_score,
                  record.match_share, record.human_share, record.settings) as score
from (
    select o.*, m.match_share, m.human_share, asked.settings,
        decision(o.captured_at, o.date_origin, o.recovered, o.text_kind, o.words, o.evidence, o.p_human, o.p_synthetic,
                 o.calibration_bin, m.synthetic_words, m.match_share, m.is_copy, m.human_share, m.unverified_words,
                 m.unverified_share, asked.settings) as decided
    from observations as o
    cross join asked_policy as asked
    left join match_summary as m on m.scan_id = o.scan_id and m.record_id = o.record_id
    where o.scan_id = $1
) as record
