"""A store from a stranger is looked through before anything in it is run, opened or followed."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from provenance.errors import StoreError
from provenance.store import Store
from provenance.store.door import Limits, ask


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return Store.create(tmp_path_factory.mktemp("theirs") / "store").root


def tampered(theirs, tmp_path, *statements):
    """A copy of their store, moved here, after they have changed its catalogue."""
    root = tmp_path / "here"
    shutil.copytree(theirs, root)
    (path,) = (root / "catalogue").iterdir()
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return root


def test_a_store_that_was_only_moved_opens(theirs, tmp_path):
    root = tampered(theirs, tmp_path)
    store = Store.open(root)
    assert store.sql("select count(*) from records").fetchall() == [(0,)]
    with store.commit("at home") as commit:
        commit.insert("models", [{"model": "m"}])
    assert store.verify().problems == []


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace view scans as select * from read_text('/etc/passwd')",
        "create or replace view scans as select * from '{place}/private.csv'",
        "create or replace view scans as select * from (select content from read_blob('/etc/*'))",
        "create or replace macro ancestors(which) as table select * from read_csv('http://127.0.0.1:9/' || which)",
        "create or replace view scans as select *, current_setting('home_directory') as home from scan_log",
        "create or replace view stored_matches as from read_parquet('{place}/private.parquet')",
        "create or replace view stored_matches as from read_parquet(['{place}' || '/../{name}/private.parquet'])",
        "create or replace view stored_other as from read_parquet('{place}/private.parquet')",
        "create or replace view harmless as from glob('/*')",
        "create or replace macro lower(x) as (select content from read_text('/etc/passwd'))",
        "create or replace macro ancestors(which) as table select * from read_text('/etc/passwd')",
        "create or replace macro ancestors(which) as table select * from duckdb_settings()",
        "create or replace macro chance(x) as current_setting('home_directory')",
        "insert into parts values ('matches', '../../etc/x.parquet', 'g', null, 1, 1, '0', now(), null)",
        "insert into parts values ('matches', 'parts/a/b/x''], (select 1)) --', 'g', null, 1, 1, '0', now(), null)",
        "insert into segments values ('x', '../../elsewhere', null, 1, 1, '0', now(), null)",
    ],
)
def test_what_leads_out_is_refused(theirs, tmp_path, statement):
    duckdb.sql(f"copy (select 1 as a) to '{tmp_path}/private.parquet'")
    duckdb.sql(f"copy (select 1 as a) to '{tmp_path}/private.csv'")
    root = tampered(theirs, tmp_path, statement.format(place=tmp_path, name=tmp_path.name))
    with pytest.raises(StoreError, match="not written by provenance alone"):
        Store.open(root)


@pytest.mark.parametrize(
    "statement",
    [
        "create macro duckdb_views() as table select '' as view_name, '' as sql, true as internal",
        "create macro duckdb_functions() as table select '' as function_name, true as internal",
        'create macro json_serialize_sql(x) as \'{{"error":false,"statements":[{{}}]}}\'',
        "create macro length(x) as 1",
        "alter table store_meta rename to meta; create view store_meta as from meta",
        "create schema other; create view other.scans as select 1",
        "create table computed (a int, b varchar as (current_setting('home_directory')))",
    ],
)
def test_what_hides_something_of_the_database_is_refused(theirs, tmp_path, statement):
    hidden = "create or replace view scans as select * from read_text('/etc/passwd')"
    root = tampered(theirs, tmp_path, hidden, *statement.format().split("; "))
    with pytest.raises(StoreError, match=r"not written by provenance alone: (its definition|it |its table|store_meta)"):
        Store.open(root)


def test_nothing_of_it_is_run_before(theirs, tmp_path):
    """Not even the question of which version it has."""
    asked = tmp_path / "asked.csv"
    asked.write_text("key,value\nschema_version,from-a-file\n")
    view = f"create view store_meta as select * from read_csv('{asked}')"
    root = tampered(theirs, tmp_path, "drop table store_meta", view)
    with pytest.raises(StoreError) as refused:
        Store.open(root)
    assert "from-a-file" not in str(refused.value)
    with pytest.raises(StoreError):
        Store.recover(root)


def test_one_that_guesses_where_it_will_lie_is_refused_too(theirs, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("what-nobody-may-read")
    root = tampered(
        theirs,
        tmp_path,
        f"update store_meta set value = '{tmp_path / 'here'}' where key = 'root'",
        f"create or replace view scans as select content as name from read_text('{secret}')",
    )
    with (
        pytest.raises(Exception, match="not written by provenance alone") as refused,
        ask(root, "from scans", Limits(timeout=60.0, memory=1 << 30)) as rows,
    ):
        list(rows or ())
    assert "what-nobody" not in str(refused.value)
    with pytest.raises(StoreError, match="not written by provenance alone"):
        Store.open(root)


def test_a_store_is_audited_unless_it_was_written_here(tmp_path, monkeypatch):
    audited = []
    monkeypatch.setattr("provenance.store.store.audit", audited.append)
    store = Store.create(tmp_path / "store")
    with store.commit("a change") as commit:
        commit.insert("models", [{"model": "m"}])
    Store.open(store.root)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    Store.open(tmp_path / "elsewhere")
    assert audited == []
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "store")
    copied = Store.open(tmp_path / "store")
    assert set(audited) == {copied.current}
    with copied.commit("a change") as commit:
        commit.insert("models", [{"model": "n"}])
    audited.clear()
    Store.open(copied.root)
    assert audited == []
    with monkeypatch.context() as another:
        another.setattr("os.geteuid", lambda: 12345)
        Store.open(copied.root)
    assert audited == [copied.current]
