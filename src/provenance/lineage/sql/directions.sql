-- Walks in the two directions, now and as of a moment.
create or replace macro ancestors(which) as table from lineage_walk(which, true);
create or replace macro descendants(which) as table from lineage_walk(which, false);
create or replace macro ancestors_as_of(which, moment) as table from lineage_walk_as_of(which, true, moment);
create or replace macro descendants_as_of(which, moment) as table from lineage_walk_as_of(which, false, moment);
