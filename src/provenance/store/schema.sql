-- The catalogue: what the store knows besides the rows in its parts.
--
-- Every table is append-only. What changes (the state of a scan, its policy) is a new row, and the latest wins;
-- what is withdrawn keeps its row and gets a time. All times are UTC without a zone.

create table store_meta (key varchar not null, value varchar not null);

create table commits (number integer not null, note varchar not null, recorded_at timestamp not null);

-- One row for each time that a newer program brought the store to its own version.
create table upgrades (
    from_version integer not null,
    to_version integer not null,
    backup varchar not null,           -- the catalogue as it was, relative to the store
    recorded_at timestamp not null
);

-- One row for each change of state of a scan; the view `scans` shows the latest.
create table scan_log (
    scan_id varchar not null,
    name varchar not null,
    state varchar not null check (state in ('running', 'finished', 'failed')),
    configuration json,
    versions json,
    started_at timestamp,
    finished_at timestamp,
    records bigint,
    rejects bigint,
    skipped bigint,
    bytes bigint,
    recorded_at timestamp not null
);

create table policy_log (
    policy_id varchar not null,
    name varchar not null,
    version integer not null,
    document varchar not null,         -- the TOML text as its author wrote it
    settings json not null,            -- validated; the view `policies` has them as the STRUCT that the verdict reads
    recorded_at timestamp not null
);

create table scan_policies (scan_id varchar not null, policy_id varchar not null, recorded_at timestamp not null);

create table sources (
    source_id varchar not null,
    scan_id varchar not null,
    uri varchar not null,              -- canonical: no credentials, no query signature
    location varchar,                  -- where it was read, so that `explain` can read it again
    format varchar,
    bytes bigint,
    digest varchar,
    records bigint not null,
    rejects bigint not null,
    skipped bigint not null,
    skipped_by_kind json,              -- {"image/png": 12, ...}
    read bigint not null,              -- units seen, counted apart from the three above
    error varchar,                     -- why it could not be read at all
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

create table parts (
    kind varchar not null,
    path varchar not null,             -- relative to the store
    group_id varchar not null,         -- the scan, reference set or dataset its rows belong to
    source_id varchar,
    rows bigint not null,
    bytes bigint not null,
    checksum varchar not null,         -- XXH3-128
    recorded_at timestamp not null,
    withdrawn_at timestamp
);

-- One row for each time that a scan was looked through for near-duplicates; the view `dedups` shows the latest.
create table dedup_log (
    scan_id varchar not null,
    method varchar not null,           -- version of how clusters are made
    inputs varchar not null,           -- digest of the parts that they were made of
    threshold double not null,
    verify boolean not null,           -- whether texts were to be read again where fingerprints leave a pair open
    records bigint not null,
    clusters bigint not null,
    clustered bigint not null,         -- records in clusters
    equal bigint not null,             -- records whose whole text another one has
    compared bigint not null,          -- pairs of fingerprints
    read_pairs bigint not null,        -- pairs settled by their texts
    open_pairs bigint not null,        -- pairs left open, where the more probable answer counts
    crowded bigint not null,           -- records whose key was shared by too many to compare each with each
    unasked bigint not null,           -- open pairs let go because one record had too many
    unreadable json,                   -- URIs of sources whose texts could not be read again
    recorded_at timestamp not null
);

create table segments (
    segment_id varchar not null,       -- name of its folder
    path varchar not null,             -- relative to the store
    set_id varchar,                    -- null: it holds several sets
    reference_count bigint,
    bytes bigint,
    checksum varchar,
    recorded_at timestamp not null,
    withdrawn_at timestamp
);

create table models (
    model varchar not null,
    family varchar,
    developer varchar,
    released date,
    predecessor varchar,
    recorded_at timestamp not null
);

create table reference_sets (
    set_id varchar not null,
    name varchar not null,
    label varchar not null check (label in ('human', 'synthetic', 'prompt')),
    model varchar,
    released date,                     -- of the model as registered with this set; else that of `models` holds
    reference_count bigint,
    words bigint,
    recorded_at timestamp not null,
    withdrawn_at timestamp
);

-- Records that got another tag, summed up by the scan, by each dataset that holds them, and by each run and model that was
-- trained on one: one row for each of those and each pair of tags. Entered by the commit that is the cause.
create table changes (
    cause varchar not null check (cause in ('register', 'unregister', 'release', 'rematch', 'retag', 'scan')),
    cause_id varchar,                  -- the set, model or policy that it was about; null for a rematch with all sets
    subject_kind varchar not null check (subject_kind in ('scan', 'dataset', 'run', 'model')),
    subject varchar not null,          -- an id of `lineage_nodes`
    tag_before varchar not null,
    tag_after varchar not null,
    records bigint not null,
    words bigint not null,
    recorded_at timestamp not null
);

create table datasets (
    dataset_id varchar not null,
    name varchar not null,
    version varchar,
    digest varchar,                    -- over the sorted record ids; null if no list of members is known
    records bigint,                    -- null likewise
    words bigint,
    observed bigint,                   -- members that a scan had observed when it was sealed
    sealed_at timestamp,
    location varchar,
    recorded_at timestamp not null
);

create table runs (
    run_id varchar not null,
    kind varchar not null check (kind in ('training', 'generation', 'evaluation')),
    name varchar,
    started_at timestamp,
    recorded_at timestamp not null
);

-- An edge reads subject, relation, object: ('model:m2', 'successor_of', 'model:m1'). Ends are ids of `lineage_nodes`.
create table edges (
    subject varchar not null,
    relation varchar not null,
    object varchar not null,
    recorded_at timestamp not null,
    detail json
);

-- Nodes that came with an imported graph, with all that it said of them; those that have a table of their own are there too.
create table foreign_nodes (
    id varchar not null,
    kind varchar not null,             -- as in `lineage_nodes`
    name varchar not null,
    attributes json not null,
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
