-- Version 2: the store keeps a book of its own upgrades.

create table upgrades (
    from_version integer not null,
    to_version integer not null,
    backup varchar not null,           -- the catalogue as it was, relative to the store
    recorded_at timestamp not null
);

-- Parts of sources that a scan has read of those it has not ended: one that was stopped goes on behind the last. They are
-- removed when the source is entered in `sources`.
create table shards (
    source_id varchar not null,
    scan_id varchar not null,
    ends json not null,                -- where the next one begins: offset or row group, row, offset in the stream, state
    format varchar,
    records bigint not null,
    rejects bigint not null,
    skipped bigint not null,
    skipped_by_kind json,
    read bigint not null,
    recorded_at timestamp not null
);

-- The index snapshot that each attempt at a scan matched against, so that one which was stopped and gone on with misses no
-- reference that came in between.
create table scan_snapshots (
    scan_id varchar not null,
    segments json not null,            -- ids
    withdrawn json not null,           -- sets in them that did not count
    recorded_at timestamp not null
);

-- What files looked like when their digests were taken, so that one that looks the same need not be read again for it.
create table digests (
    location varchar not null,
    device ubigint not null,
    inode ubigint not null,
    bytes bigint not null,
    modified_ns bigint not null,
    changed_ns bigint not null,
    digest varchar not null,
    recorded_at timestamp not null
);

-- What was erased, by whom its rows had been counted: that something was removed, when and why, not what.
create table tombstones (
    reason varchar not null,           -- as given; never names what was erased
    kind varchar not null,             -- what the rows were: a kind of part, or `references`
    scan_id varchar,                   -- the scan that had counted them
    source_id varchar,                 -- the source that had held them
    dataset_id varchar,                -- the dataset that had them as members
    rows bigint not null,
    recorded_at timestamp not null
);
