-- The tag of every affected record, over the tables of `shadows.sql`.
select record.scan_id, record.record_id, record.words,
    decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
             record.p_human, record.p_synthetic, record.calibration_bin,
             summary.synthetic_words, summary.match_share, summary.is_copy, summary.human_share,
             summary.unverified_words, summary.unverified_share, chosen.settings).tag as tag
from observations as record
join affected on affected.scan_id = record.scan_id and affected.record_id = record.record_id
join current_policies as chosen on chosen.scan_id = record.scan_id
left join match_summary as summary on summary.scan_id = record.scan_id and summary.record_id = record.record_id
