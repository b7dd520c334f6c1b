-- The tables that walks read: a number for each node that has edges, and the edges by those numbers.
create table if not exists lineage_places (place integer not null, id varchar not null);
create table if not exists lineage_steps (child integer not null, parent integer not null, relation tinyint not null, recorded_at timestamp);
