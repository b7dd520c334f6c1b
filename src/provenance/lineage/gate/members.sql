-- Every observed member of a dataset ($dataset) with its verdict under the policy in `gate_policy`, which need not be the one
-- that any scan has. A record that several scans observed counts once, as the last of them saw it.
--
-- `exact`: words of a record that a match, declaration or marker decided to be synthetic. `bin` and `cell`: where the style
-- score of a record stands that nothing else decided.
select
    record_id, scan_id, source_id, position, words::bigint as words, decided.tag as tag, decided.reason as reason, score,
    if(decided.tag = 'synthetic' and decided.reason <> 'style', words, 0)::bigint as exact,
    case when style_score is not null and policy.gate_estimate and policy.style_decides
              and decided.reason <> 'dated' and not starts_with(decided.reason, 'match:')
              and not starts_with(decided.reason, 'declared:') and not starts_with(decided.reason, 'marker:')
         then calibration_bin end as bin,
    case when bin is not null
         then (least(greatest(floor((style_score - $least) / $width), -1), $cells - 2) + 1)::integer end as cell,
    language,
    case when bin is not null and host is not null then (hash(host) % 512)::integer end as host_bucket,
    case when bin is not null then (hash(content_id) % 512)::integer end as text_bucket,
    coalesce(len(rights.opt_out), 0) > 0 as reserved,
    coalesce(len(list_filter(policy.gate_forbidden_licences, lambda l: lower(rights.licence) glob lower(l))), 0) > 0 as forbidden
from (
    select record.*, found.* exclude (scan_id, record_id), chosen.settings as policy,
        decision(record.captured_at, record.date_origin, record.recovered, record.text_kind, record.words, record.evidence,
                 record.p_human, record.p_synthetic, record.calibration_bin,
                 found.synthetic_words, found.match_share, found.is_copy, found.human_share,
                 found.unverified_words, found.unverified_share, chosen.settings) as decided,
        verdict_score(record.captured_at, record.date_origin, record.recovered, record.evidence, record.style_score,
                      found.match_share, found.human_share, chosen.settings) as score
    from (
        select observations.* from observations
        join (select distinct listed.record_id
              from dataset_members as members
              join dataset_records as listed on listed.dataset_id = members.origin
              where members.dataset_id = $dataset) as wanted on wanted.record_id = observations.record_id
        join (select scan_id, max(started_at) as started_at from scan_log group by scan_id) as scan
            on scan.scan_id = observations.scan_id
        qualify row_number() over (
            partition by observations.record_id order by scan.started_at desc, observations.scan_id desc) = 1
    ) as record
    cross join (select settings from gate_policy) as chosen
    left join match_summary as found on found.scan_id = record.scan_id and found.record_id = record.record_id
)
