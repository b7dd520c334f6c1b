-- What a catalogue knows, by kind: its own tables, views and macros, and DuckDB's. `plain`: functions that DuckDB calls
-- consistent, which give the same for the same arguments; those that look at the process or its settings are not.
select 'table', lower(table_name) from duckdb_tables() where not internal and schema_name = 'main'
union all
select 'table', lower(view_name) from duckdb_views() where not internal and schema_name = 'main'
union all
select 'hidden', lower(view_name) from duckdb_views() where internal
union all
select if(function_type = 'table_macro', 'table macro', 'macro'), lower(function_name) from duckdb_functions()
where not internal and schema_name = 'main'
union all
select 'plain', lower(function_name) from duckdb_functions()
where internal
    and (function_type = 'macro'
         or (function_type in ('scalar', 'aggregate', 'window') and stability = 'CONSISTENT'))
union all
select 'builtin', lower(function_name) from duckdb_functions() where internal
