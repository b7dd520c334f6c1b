-- What a catalogue that is attached as `theirs` defines, and what none of ours holds: a definition that stands in for
-- something of DuckDB's (whoever asks for that would be answered by it), a table that is none, another program in it.
with builtin as (
    select lower(function_name) as name from duckdb_functions() where database_name <> 'theirs'
    union
    select lower(view_name) from duckdb_views() where database_name <> 'theirs'
), named as (
    select 'view' as kind, view_name as name, sql as definition, schema_name from duckdb_views()
    where database_name = 'theirs' and not internal
    union all
    select function_type, function_name, macro_definition, schema_name from duckdb_functions()
    where database_name = 'theirs' and not internal
), tables as (
    select table_name as name, schema_name from duckdb_tables() where database_name = 'theirs' and not internal
)
select 'problem' as kind, 'its definition ' || name || ' has the name of one of DuckDB''s' as name, null as definition
from (select name from named union all select name from tables) where lower(name) in (select name from builtin)
union all
select 'problem', 'it has another schema: ' || schema_name, null
from (select schema_name from named union all select schema_name from tables) where schema_name <> 'main'
union all
select 'problem', wanted || ' is no table of it', null
from (select unnest($1::varchar[]) as wanted) where wanted not in (select name from tables)
union all
select 'problem', 'its table ' || table_name || ' computes the column ' || column_name, null from duckdb_columns()
where database_name = 'theirs' and not internal and column_default is not null
union all
select 'problem', 'it has the trigger ' || trigger_name, null from duckdb_triggers() where database_name = 'theirs'
union all
select kind, name, definition from named
