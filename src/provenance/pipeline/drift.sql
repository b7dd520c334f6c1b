-- Scores of date-proven human texts of scans, by bin, cell and bucket of documents. $scans: their ids. Copies count once.
select scan_id, bin, cell, cluster, false as tagged, count(*)::bigint as records
from (
    select distinct record.scan_id, record.content_id, record.calibration_bin as bin,
        (least(greatest(floor((record.style_score - $least) / $width), -1), $cells - 2) + 1)::integer as cell,
        (hash(record.content_id) % 512)::integer as cluster
    from observations as record
    join current_policies as chosen on chosen.scan_id = record.scan_id
    where list_contains($scans, record.scan_id) and record.style_score is not null
        and trusted_date(record.captured_at, record.date_origin, record.recovered, chosen.settings)
            < chosen.settings.dated_before
)
group by all
order by all
