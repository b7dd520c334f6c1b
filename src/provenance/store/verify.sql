-- Sums that must agree, and references that must have an end: one sentence for each that does not.
select 'source ' || uri || ' of scan ' || scan_id || ': ' || records || ' records + ' || rejects || ' rejects + ' || skipped
    || ' skipped is not the ' || read || ' read' as problem
from sources where error is null and records + rejects + skipped <> read
union all
select 'source ' || uri || ' of scan ' || scan_id || ' counted ' || sources.records || ' records; the store holds '
    || coalesce(held.records, 0)
from sources
left join (select scan_id, source_id, count(*) as records from observations group by all) as held using (scan_id, source_id)
where error is null and sources.records <> coalesce(held.records, 0)
union all
select 'source ' || uri || ' of scan ' || scan_id || ' counted ' || sources.rejects || ' rejects; the store holds '
    || coalesce(held.rejects, 0)
from sources
left join (select scan_id, source_id, count(*) as rejects from rejects group by all) as held using (scan_id, source_id)
where error is null and sources.rejects <> coalesce(held.rejects, 0)
union all
select 'the edge ' || subject || ' ' || relation || ' ' || object || ' has no end: ' || missing || ' is unknown'
from (
    select subject, relation, object, unnest([subject, object]) as missing from edges
) where missing not in (select id from lineage_nodes)
union all
select 'matches of scan ' || scan_id || ' name the reference set ' || set_id || ', which is unknown'
from (select distinct scan_id, set_id from matches) where set_id not in (select set_id from reference_sets)
