-- What a dataset holds under a policy: records and words by tag, and reserved rights. $1: the dataset. `gate_policy`
-- holds the settings of the policy, which need not be the one that any scan has.
select
    count(*) as records,
    coalesce(sum(words), 0)::bigint as words,
    count(*) filter (where tag = 'synthetic') as synthetic_records,
    count(*) filter (where tag = 'unknown') as unknown_records,
    count(*) filter (where tag = 'human') as human_records,
    coalesce(sum(words) filter (where tag = 'synthetic') / nullif(sum(words), 0), 0) as synthetic_share,
    coalesce(sum(words) filter (where tag = 'unknown') / nullif(sum(words), 0), 0) as unknown_share,
    coalesce(sum(words) filter (where tag = 'human') / nullif(sum(words), 0), 0) as human_share,
    coalesce(count(*) filter (where reserved) / nullif(count(*), 0), 0) as opt_out_share
from (
    select record.words, len(record.rights.opt_out) > 0 as reserved,
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 found.synthetic_words, found.match_share, found.is_copy, found.human_share,
                 found.unverified_words, found.unverified_share, chosen.policy).tag as tag
    from (
        select observations.* from observations
        join (select distinct member.record_id
              from dataset_members as members
              join dataset_records as member on member.dataset_id = members.origin
              where members.dataset_id = $1) as member using (record_id)
        -- A record that several scans observed counts once, as the last of them saw it.
        join scans using (scan_id)
        qualify row_number() over (partition by observations.record_id order by scans.started_at desc, scans.scan_id desc) = 1
    ) as record
    cross join (select settings as policy from gate_policy) as chosen
    left join match_summary as found on found.scan_id = record.scan_id and found.record_id = record.record_id
)
