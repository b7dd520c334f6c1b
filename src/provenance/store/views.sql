-- Views over the tables of the catalogue. Those over the parts are made from the list of live parts at each commit.

create or replace view scans as
    select * from scan_log
    qualify row_number() over (partition by scan_id order by recorded_at desc, rowid desc) = 1;

create or replace view dedups as
    select * from dedup_log
    qualify row_number() over (partition by scan_id order by recorded_at desc, rowid desc) = 1;

-- What a record shares with a reference, as it counts now: a finding that was verified since takes the place of what
-- fingerprints had said, and sets that were withdrawn are left out. `matches` keeps all.
create or replace view current_matches as
    select * from matches as found
    where set_id in (select set_id from reference_sets where withdrawn_at is null)
        and (found.verified or not exists (
            select 1 from matches as later
            where later.verified and later.scan_id = found.scan_id and later.record_id = found.record_id
                and later.set_id = found.set_id and later.reference_id = found.reference_id));
