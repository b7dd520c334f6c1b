-- The records of a dataset ($1) with their verdicts, each once, as the last scan that observed it saw it.
create temp table described as
select record.record_id, record.words, record.tag, record.reason, record.language, record.rights, record.policy_id,
    record.model, record.synthetic_words
from records as record
join scans using (scan_id)
where record.record_id in (
    select member.record_id
    from dataset_members as members
    join dataset_records as member on member.dataset_id = members.origin
    where members.dataset_id = $1
)
qualify row_number() over (partition by record.record_id order by scans.started_at desc, scans.scan_id desc) = 1
