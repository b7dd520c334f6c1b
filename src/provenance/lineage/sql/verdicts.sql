-- The verdict on every record of a scan ($scan) or dataset ($dataset) under the policy in `asked_policy`, or, where that is null, under
-- the one that is current. A member that several scans observed counts as the last of them saw it.
select record_id, words, decided.tag as tag, decided.reason as reason
from (
    select record.record_id, record.words::bigint as words,
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 found.synthetic_words, found.match_share, found.is_copy, found.human_share,
                 found.unverified_words, found.unverified_share, coalesce(asked.settings, chosen.settings)) as decided
    from (
        select observations.* from observations
        join (select scan_id, max(started_at) as started_at from scan_log group by scan_id) as scan
            on scan.scan_id = observations.scan_id
        where case when $scan is not null then observations.scan_id = $scan
                   else observations.record_id in (
                       select listed.record_id
                       from dataset_members as members
                       join dataset_records as listed on listed.dataset_id = members.origin
                       where members.dataset_id = $dataset) end
        qualify row_number() over (
            partition by observations.record_id order by scan.started_at desc, observations.scan_id desc) = 1
    ) as record
    cross join (select settings from asked_policy) as asked
    left join current_policies as chosen on chosen.scan_id = record.scan_id
    left join match_summary as found on found.scan_id = record.scan_id and found.record_id = record.record_id
)
