-- The catalogue: what the store knows besides the rows in its parts.
--
-- Every table is append-only. What changes (the state of a scan, its policy) is a new row, and the latest wins;
-- what is withdrawn keeps its row and gets a time. All times are UTC without a zone.

create table store_meta (key varchar not null, value varchar not null);

create table commits (number integer not null, note varchar not null, recorded_at timestamp not null);

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

create table datasets (
    dataset_id varchar not null,
    name varchar not null,
    version varchar,
    digest varchar,                    -- over the sorted record ids; null if no list of members is known
    records bigint,                    -- null likewise
    words bigint,
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
