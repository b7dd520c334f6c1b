"""Queries from outside are answered over the store, and reach nothing else."""

from __future__ import annotations

import duckdb
import pytest

from provenance.errors import UsageError
from provenance.store import Store
from provenance.store.door import ask


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store")


@pytest.mark.parametrize(
    "query",
    ["select count(*) from records", "from scans", "show tables", "with a as (select 1) from a", "explain select 1"],
)
def test_questions_are_answered(store, query):
    with store.read() as connection:
        relation = ask(connection, store.root, query)
        assert relation is not None
        relation.fetchall()


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{outside}'",
        "copy (select 1) to '{root}/x.csv'",
        "attach '{outside}' as other",
        "export database '{root}/x'",
        "install httpfs",
        "load httpfs",
        "set memory_limit = '1GB'",
        "pragma enable_profiling",
        "create temp table x as select 1",
        "insert into models values ('m')",
        "call pragma_version()",
        "select 1; copy (select 1) to '{outside}'",
        "select * from read_text('{outside}')",
        "select * from read_csv('{outside}')",
        "select * from '{outside}'",
        "select * from glob('/*')",
        "select * from store",
    ],
)
def test_nothing_else_is(store, tmp_path, query):
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    before = sorted(tmp_path.rglob("*"))
    with store.read() as connection:
        assert reached(connection, store.root, query.format(outside=outside, root=store.root)) == []
    assert sorted(tmp_path.rglob("*")) == before
    assert outside.read_text() == "a\n1\n"


def reached(connection, root, query):
    """What a query from outside got to see."""
    try:
        relation = ask(connection, root, query)
        return relation.fetchall()
    except (UsageError, duckdb.Error):
        return []
