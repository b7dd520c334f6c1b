-- Views over the tables of the catalogue. Those over the parts are made from the list of live parts at each commit.

create or replace view scans as
    select * from scan_log
    qualify row_number() over (partition by scan_id order by recorded_at desc, rowid desc) = 1;

create or replace view dedups as
    select * from dedup_log
    qualify row_number() over (partition by scan_id order by recorded_at desc, rowid desc) = 1;
