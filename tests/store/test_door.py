"""Queries from outside are answered over the store, reach nothing else, and stop at their limits."""

from __future__ import annotations

import os
import time

import duckdb
import pyarrow as pa
import pytest

from provenance import schema
from provenance.errors import StoreError, UsageError
from provenance.store import Store, answer, door, write_part
from provenance.store.door import Limits, ask, parse_size

SECRET = "what-nobody-may-read"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a store, and things beside it that nobody may reach."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "outside.csv").write_text(f"a\n{SECRET}\n")
    (folder / "outside.json").write_text(f'{{"a": "{SECRET}"}}\n')
    duckdb.sql(f"copy (select '{SECRET}' as a) to '{folder}/outside.parquet'")
    with duckdb.connect(str(folder / "other.duckdb")) as other:
        other.execute(f"create table t as select '{SECRET}' as a")
    return folder


@pytest.fixture(scope="module")
def root(place, module_observations):
    store = Store.create(place / "store")
    rows = module_observations("s1", "r1", "r2")
    part = write_part(store.root, "observations", "s1", "0", rows)
    with store.commit("scan") as commit:
        commit.insert("scans", [{"scan_id": "s1", "name": "one", "state": "finished"}])
        source = {"source_id": "src", "scan_id": "s1", "uri": "a.warc", "location": str(place / "a.warc")}
        commit.insert("sources", [{**source, "records": 2, "rejects": 0, "skipped": 0, "read": 2}])
        commit.add_part(part)
    return store.root


@pytest.fixture(scope="module")
def module_observations():
    def make(scan_id, *record_ids):
        row = {"scan_id": scan_id, "source_id": "src", "position": 0, "language": "en", "text_kind": "prose"}
        more = {"chars": 500, "words": 100, "recovered": False, "evidence": []}
        empty = {field.name: None for field in schema.OBSERVATIONS}
        rows = [{**empty, **row, **more, "record_id": name, "content_id": name} for name in record_ids]
        return pa.Table.from_pylist(rows, schema=schema.OBSERVATIONS)

    return make


@pytest.fixture(scope="module")
def locked(root, place):
    """The connection that the door's process answers on, without the process: sixty of those would take a minute."""
    request = {"root": str(root), "temporary": str(place / "temporary"), "memory": 1 << 30, "temp": 1 << 30}
    with Store.open(root).read() as connection:
        yield connection, answer.lock(connection, root, request), request


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select count(*) from observations", 1),
        ("from scans", 1),
        ("from records", 2),
        ("select record_id, 'from ' || 'read_text(x)' from observations", 2),
        ("show tables", None),
        ("describe records", None),
        ("summarize scans", None),
        ("with a as (select 1) from a", 1),
        ("with recursive a as (select 1 as i union all select i + 1 from a where i < 5) from a", 5),
        ("select * from (values (1), (2)) as t(a) where a in (select unnest([1, 2]))", 2),
        ("select * from (select 1 as a, 2 as b) unpivot (v for k in (a, b))", 2),
        ("select tag, count(*), list(record_id order by record_id) from records group by all", 1),
        ("select row_number() over (order by record_id), now() from observations", 2),
        ("select * from records_as_of(now()::timestamp)", 2),
        ("select * from ancestors('one')", None),
        ("select list_transform([1, 2], lambda x: x + 1), {'a': 1}, map {'b': 2}, array_to_string(['a'], ',')", 1),
        ("select table_name from information_schema.tables where table_name = 'records'", 1),
        ("select uri, location from sources", 1),
        ("", None),
        ("-- nothing", None),
    ],
)
def test_questions_are_answered(locked, query, rows):
    connection, screen, _ = locked
    relation = answer.rows(connection, screen, query)
    found = relation.to_arrow_table() if relation is not None else []
    if rows is not None:
        assert len(found) == rows


ATTACKS = {
    "copy out": "copy (select 1) to '{place}/new.csv'",
    "copy into the store": "copy (select 1) to '{root}/new.csv'",
    "copy in a with": "with x as (copy (select 1) to '{root}/new.csv') from x",
    "copy in a with, deeper": "select * from (with x as (copy (select 1) to '{root}/new.csv') from x)",
    "insert in a with": "with x as (insert into models(model, recorded_at) values ('m', now()) returning *) from x",
    "update in a with": "with x as (update models set model = 'm' returning *) from x",
    "delete in a with": "with x as (delete from scan_log returning *) from x",
    "copy from": "copy models from '{place}/outside.csv'",
    "attach": "attach '{place}/other.duckdb' as other",
    "attach anew": "attach '{root}/new.duckdb' as new",
    "detach": "detach database memory",
    "use": "use temp",
    "export": "export database '{root}/new'",
    "import": "import database '{place}'",
    "install": "install httpfs",
    "load": "load httpfs",
    "load by path": "load '{place}/outside.csv'",
    "set": "set memory_limit = '100GB'",
    "set global": "set global allowed_directories = ['/']",
    "reset": "reset lock_configuration",
    "set variable": "set variable provenance_root = '{place}'",
    "pragma": "pragma enable_profiling",
    "pragma as a table": "select * from pragma_database_list",
    "pragma function": "select * from pragma_storage_info('models')",
    "call": "call pragma_version()",
    "call set": "call duckdb_settings()",
    "create": "create table x as select 1",
    "create temp": "create temp table x as select 1",
    "create macro": "create temp macro lower(x) as (select content from read_text('{place}/outside.csv'))",
    "create secret": "create secret (type s3, key_id 'a', secret 'b')",
    "insert": "insert into models(model, recorded_at) values ('m', now())",
    "update": "update scan_log set name = 'x'",
    "delete": "delete from scan_log",
    "drop": "drop view records",
    "alter": "alter table models add column x int",
    "truncate": "truncate scan_log",
    "vacuum": "vacuum",
    "checkpoint": "checkpoint",
    "prepare": "prepare x as select * from read_text('{place}/outside.csv')",
    "execute": "execute x",
    "begin": "begin transaction",
    "explain": "explain select * from read_text('{place}/outside.csv')",
    "explain analyze": "explain analyze copy (select 1) to '{root}/new.csv'",
    "two": "select 1; copy (select 1) to '{root}/new.csv'",
    "two, hidden": "select 1 /* ; */ ; -- \n copy (select 1) to '{root}/new.csv'",
    "two selects": "select 1; select 2",
    "pivot that makes a type": "pivot scans on state",
    "read_text": "select * from read_text('{place}/outside.csv')",
    "read_text in the store": "select * from read_text('{root}/CURRENT')",
    "read_blob": "select * from read_blob('{place}/outside.csv')",
    "read_csv": "select * from read_csv('{place}/outside.csv')",
    "read_json": "select * from read_json('{place}/outside.json')",
    "read_parquet": "select * from read_parquet('{place}/outside.parquet')",
    "parquet_scan in a subquery": "select (select a from parquet_scan('{place}/outside.parquet'))",
    "parquet_metadata": "select * from parquet_metadata('{root}/parts/observations/s1/*.parquet')",
    "read_duckdb": "select * from read_duckdb('{place}/other.duckdb', table_name = 't')",
    "sniff_csv": "select * from sniff_csv('{place}/outside.csv')",
    "glob": "select * from glob('{place}/*')",
    "file as a table": "select * from '{place}/outside.csv'",
    "file as a table, quoted": 'select * from "{place}/outside.parquet"',
    "file as a with": 'with "{place}/outside.csv" as (select * from "{place}/outside.csv") from "{place}/outside.csv"',
    "relative file": "select * from 'outside.csv'",
    "summarize a file": "summarize '{place}/outside.csv'",
    "describe a file": "describe select * from '{place}/outside.parquet'",
    "http": "select * from 'http://127.0.0.1:9/x.csv'",
    "s3": "select * from read_parquet('s3://bucket/x.parquet')",
    "python's variables": "select * from locked",
    "query": "select * from query('select * from read_text(''{place}/outside.csv'')')",
    "query_table": "select * from query_table('duckdb_settings')",
    "json_execute_serialized_sql": "select * from json_execute_serialized_sql(json_serialize_sql('from scans'))",
    "json_serialize_plan": "select json_serialize_plan('from observations')",
    "getenv": "select getenv('HOME')",
    "getenv as a method": "select 'HOME'.getenv()",
    "current_setting": "select current_setting('allowed_paths')",
    "current_setting, qualified": "select main.current_setting('temp_directory')",
    "current_setting, in the system": "select system.main.current_setting('temp_directory')",
    "current_setting in a filter": "select count(*) filter (current_setting('temp_directory') > '') from scans",
    "current_setting in a window": "select max(current_setting('temp_directory')) over () from scans",
    "current_setting in a lambda": "select list_transform(['allowed_paths'], lambda x: current_setting(x))",
    "current_setting in order by": "select 1 order by current_setting('temp_directory')",
    "current_setting in a macro's argument": "select * from ancestors(current_setting('temp_directory'))",
    "getvariable": "select getvariable('provenance_root')",
    "duckdb_settings": "select * from duckdb_settings()",
    "duckdb_settings in upper case": "SELECT * FROM DUCKDB_SETTINGS()",
    "duckdb_views": "select sql from duckdb_views()",
    "duckdb_views as a view": "select sql from duckdb_views",
    "duckdb_databases": "select path from duckdb_databases()",
    "duckdb_functions": "select macro_definition from duckdb_functions()",
    "duckdb_secrets": "select * from duckdb_secrets()",
    "duckdb_logs": "select * from duckdb_logs",
    "duckdb_variables": "select * from duckdb_variables()",
    "duckdb_temporary_files": "select * from duckdb_temporary_files()",
    "sqlite_master": "select sql from sqlite_master",
    "sqlite_master under its own name": "with sqlite_master as (select * from sqlite_master) from sqlite_master",
    "sqlite_master, qualified": "select sql from main.sqlite_master",
    "pg_views": "select definition from pg_catalog.pg_views",
    "pg_get_viewdef": "select pg_get_viewdef(1)",
    "information_schema.views": "select view_definition from information_schema.views",
    "the other schema": "select * from main.store_meta",
    "the database by name": 'select * from "{catalogue}".main.store_meta',
    "show variables": "show variables",
    "show databases": "show databases",
    "show all": "select * from (show databases)",
    "show from": "show tables from temp",
    "parameter": "select $1",
    "write_log": "select write_log('x')",
    "sequence": "select nextval('x')",
    "python function": "select * from python_map_function()",
    "arrow_scan": "select * from arrow_scan(0, 0, 0)",
    "seq_scan": "select * from seq_scan()",
    "the root in the books": "select * from store_meta where key = 'root'",
    "the sources' places": "select location from sources where location is not null",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_else_is(locked, place, root, name, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    connection, screen, request = locked
    catalogue = connection.execute("select current_database()").fetchall()[0][0]
    before = {path: path.stat().st_mtime_ns for path in sorted(place.rglob("*"))}
    query = ATTACKS[name].format(place=place, root=root, catalogue=catalogue)
    try:
        relation = answer.rows(connection, screen, query)
        got = str(relation.fetchall()) if relation is not None else "[]"
        assert got == "[]"
    except UsageError as error:
        got = error.cause
    except duckdb.Error as error:
        got = answer.without_paths(str(error), request)
    assert SECRET not in got
    assert str(root) not in got
    assert {path: path.stat().st_mtime_ns for path in sorted(place.rglob("*"))} == before


def test_what_passes_the_screen_still_finds_the_doors_of_duckdb_shut(locked, place, root):
    """The second wall: were the screen to overlook something, DuckDB's own locks are set."""
    connection, _, _ = locked
    for query in (
        f"select * from read_text('{place}/outside.csv')",
        f"select * from read_text('{root}/CURRENT')",
        f"copy (select 1) to '{root}/new.csv'",
        f"copy (select 1) to '{place}/new.csv'",
        f"attach '{place}/other.duckdb' as other",
        "install httpfs",
        "set allowed_directories = ['/']",
        "set lock_configuration = false",
        "from locked",
    ):
        with pytest.raises(duckdb.Error):
            connection.sql(query).fetchall()
    assert sorted(path.name for path in root.iterdir() if path.name.startswith("new")) == []


def answered(root, query, limits=None):
    with ask(root, query, limits or Limits(timeout=60.0, memory=1 << 30)) as reader:
        return [row for batch in reader or () for row in batch.to_pylist()]


def test_rows_come_out_of_the_process(root):
    assert answered(root, "select record_id, 1 as a, 2 as a from records order by 1") == [
        {"record_id": "r1", "a": 1, "a_1": 2},
        {"record_id": "r2", "a": 1, "a_1": 2},
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("with recursive r as (select 1 as i union all select i + 1 from r) select count(*) from r", "after 3 s"),
        ("select list(i) from range(10000000000) t(i)", "bytes of memory"),
        ("select i from range(1000000000) t(i) order by hash(i)", "temporary space"),
        ("select length(repeat('x', 4000000000))", "bytes of memory"),
        ("select repeat('x', 70000000)", "One row of the answer"),
    ],
)
def test_a_query_that_runs_away_is_stopped(root, tmp_path, monkeypatch, query, said):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    began = time.monotonic()
    with pytest.raises(UsageError, match=said) as stopped:
        answered(root, query, Limits(3.0 if "after" in said else 60.0, memory=400_000_000, temp=30_000_000))
    assert stopped.value.next_step
    assert time.monotonic() - began < 60
    assert list(tmp_path.iterdir()) == []


def test_rows_without_end_can_be_left(root):
    began = time.monotonic()
    with ask(root, "select range as i from range(1000000000000)", Limits(timeout=60.0)) as reader:
        assert next(iter(reader)).column("i")[5].as_py() == 5
    assert time.monotonic() - began < 30


def test_the_process_knows_nothing_of_the_environment(root, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    seen = {}
    real = door.subprocess.Popen
    monkeypatch.setattr(door.subprocess, "Popen", lambda *a, **k: seen.update(k["env"]) or real(*a, **k))
    assert answered(root, "select 1 as a") == [{"a": 1}]
    assert SECRET not in seen.values()
    assert seen["HOME"] != os.environ.get("HOME")


def test_a_link_among_the_parts_is_not_followed(tmp_path, module_observations):
    store = Store.create(tmp_path / "store")
    with store.commit("scan") as commit:
        commit.add_part(write_part(store.root, "observations", "s1", "0", module_observations("s1", "r1")))
    (part,) = (store.root / "parts" / "observations" / "s1").iterdir()
    part.rename(tmp_path / "elsewhere.parquet")
    part.symlink_to(tmp_path / "elsewhere.parquet")
    with store.read() as connection, pytest.raises(StoreError, match="link"):
        answer.live_files(connection, store.root)


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "parts/a/../../x.parquet", "/etc/passwd", "parts/a/b/x'||'.parquet", "parts/a/b", ""],
)
def test_a_part_that_lies_elsewhere_is_refused(tmp_path, path):
    store = Store.create(tmp_path / "store")
    part = {"kind": "observations", "path": path, "group_id": "g", "rows": 1, "bytes": 1, "checksum": "0"}
    with pytest.raises(StoreError, match="path that is none"), store.commit("theirs") as commit:
        commit.insert("parts", [part])


@pytest.mark.parametrize(("text", "size"), [("2GB", 2 * 10**9), ("512 MiB", 512 << 20), ("100", 100), ("1.5k", 1500)])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 PB x", "nan"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError):
        parse_size(text)
