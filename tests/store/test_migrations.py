"""Stores of older versions: what they become, what is kept of them, and when they are refused."""

from __future__ import annotations

import fcntl
import json
import logging
from pathlib import Path

import duckdb
import pytest

from provenance import policy
from provenance.errors import StoreError
from provenance.schema import SCHEMA_VERSION
from provenance.store import Store
from provenance.store.parts import file_checksum

TAGS = [
    ("381ecf9dd578b459637c87a2a363c798", "human", "dated", 0),
    ("7a0d540ea82343d2f733d89f139781e9", "synthetic", "match:copy", 228),
    ("8472b6475c6eb6c6205a375a0a0dcd21", "human", "style", 0),
]
"""What the program of version 1 said of the records in `version-1.sql`."""


def old_store(root: Path) -> Path:
    """Make the store of `version-1.sql`."""
    for folder in ("catalogue", "staging", "index/segments"):
        (root / folder).mkdir(parents=True)
    text = (Path(__file__).parent / "version-1.sql").read_text(encoding="utf-8").replace("{root}", str(root))
    with duckdb.connect(str(root / "catalogue" / "000007.duckdb")) as connection:
        tables, copies = text.split("\n\ncopy ", 1)
        connection.execute(tables)
        for copy in ("copy " + copies).split("\n\n"):
            for path in [line.split("/parts/")[1].split("'")[0] for line in copy.splitlines() if "/parts/" in line]:
                (root / "parts" / path).parent.mkdir(parents=True, exist_ok=True)
            connection.execute(copy)
        for (path,) in connection.execute("select path from parts").fetchall():
            file = root / path
            connection.execute(
                "update parts set bytes = ?, checksum = ? where path = ?",
                [file.stat().st_size, file_checksum(file), path],
            )
    (root / "CURRENT").write_text("000007.duckdb\n")
    return root


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return old_store(tmp_path / "store")


def version(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        ((found,),) = connection.execute("select value from store_meta where key = 'schema_version'").fetchall()
    return str(found)


def test_an_older_store_is_upgraded_by_opening_it_and_says_the_same(
    old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store = Store.open(old)
    assert "upgraded to version" in caplog.text
    assert store.sql("select record_id, tag, reason, synthetic_words from records order by position").fetchall() == TAGS
    # The index of this store is not among the fixtures; nothing else is amiss.
    ((problem),) = store.verify().problems
    assert "that the index does not hold" in problem
    assert store.sql("select count(*) from descendants('model:m2')").fetchall() != []
    assert store.sql("select from_version, to_version, backup from upgrades").fetchall() == [
        (1, SCHEMA_VERSION, "backup/000007-version-1.duckdb")
    ]
    assert not list((old / "staging").iterdir())


def test_what_an_upgrade_leaves_is_what_a_new_store_has(old: Path, store: Store) -> None:
    query = (
        "select table_name, column_name, data_type, is_nullable from duckdb_columns() "
        "where database_name = current_database() order by all"
    )
    assert Store.open(old).sql(query).fetchall() == store.sql(query).fetchall()
    macros = "select function_name, parameters from duckdb_functions() where not internal order by all"
    assert Store.open(old).sql(macros).fetchall() == store.sql(macros).fetchall()


def test_the_catalogue_of_before_is_kept_and_can_be_put_back(old: Path) -> None:
    before = (old / "catalogue" / "000007.duckdb").read_bytes()
    Store.open(old)
    backup = old / "backup" / "000007-version-1.duckdb"
    assert backup.read_bytes() == before
    for _ in range(4):  # it outlives the catalogues that are retired, and so do the parts that it names
        with Store.open(old).commit("more") as commit:
            commit.execute("update parts set withdrawn_at = ? where kind = 'rejects'", [commit.recorded_at])
    assert Store.open(old).verify(repair=True).swept == []
    (old / "catalogue" / "000007.duckdb").write_bytes(backup.read_bytes())
    (old / "CURRENT").write_text("000007.duckdb\n")
    assert version(old / "catalogue" / "000007.duckdb") == "1"
    assert Store.open(old).sql("select count(*) from rejects").fetchall() == [(1,)]


def test_an_upgrade_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("provenance.store.layout.write_pointer", fail)
    with pytest.raises(StoreError, match="disk is full"):
        Store.open(old)
    monkeypatch.undo()
    assert (old / "CURRENT").read_text() == "000007.duckdb\n"
    assert [path.name for path in (old / "catalogue").iterdir()] == ["000007.duckdb"]
    assert Store.open(old).sql("select count(*) from records").fetchall() == [(3,)]


def test_a_store_that_is_being_written_is_not_upgraded_under_the_writer(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provenance.store.upgrade.WAIT", 0.1)
    with (old / "sessions.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with pytest.raises(StoreError, match=r"older version.*another process is writing.*Wait"):
            Store.open(old)
    assert version(Store.open(old).current) == str(SCHEMA_VERSION)


def test_a_store_that_cannot_be_written_says_so(bound_folder: Path) -> None:
    old = old_store(bound_folder / "store")
    (old / "staging").chmod(0o500)
    old.chmod(0o500)
    with pytest.raises(StoreError, match=r"older version.*can't be written"):
        Store.open(old)
    old.chmod(0o700)


def test_settings_that_a_recorded_policy_lacks_have_their_defaults() -> None:
    known = dict(policy.load("strict").settings)
    written = {**known, "no_longer_known": 1}
    del written["matched_mixed_words"]
    with duckdb.connect() as connection:
        ((read,),) = connection.execute(
            f"select {policy.settings_sql('$1')}", [json.dumps(written, default=str)]
        ).fetchall()
        ((strict,),) = connection.execute(
            f"select $1::json::{policy.settings_type_sql()}", [json.dumps(known, default=str)]
        ).fetchall()
    assert read == {**strict, "matched_mixed_words": policy.load("default").settings["matched_mixed_words"]}
