-- Records without copies: of each cluster of near-duplicates the one that is kept, and all that are in none.
--
-- A scan that was not looked through for duplicates has all of its records here; `dedups` says which were.
create or replace view unique_records as
    select record.* from records as record
    where not exists (
        select 1 from duplicates as copy
        where copy.scan_id = record.scan_id and copy.record_id = record.record_id and not copy.kept
    );
