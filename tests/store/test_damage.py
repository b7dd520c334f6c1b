"""Damage of other kinds than a changed byte: what is said of it, and that nothing is swept on its word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import StoreError
from provenance.fingerprint import fingerprint
from provenance.index import ReferenceBatch, build_segment
from provenance.store import Store, verify
from provenance.store.parts import file_checksum
from provenance.text.fold import fold
from provenance.text.tokens import tokenize


@pytest.fixture
def filled(store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]) -> Store:
    fill(store, observations("scan", "r1", "r2"))
    return store


def part(store: Store) -> Path:
    return store.root / store.sql("select path from parts").fetchall()[0][0]


def tell(store: Store, path: Path) -> None:
    """Let the catalogue say of a part what is true of its file now, as one would who forges it."""
    with store.commit("forge") as commit:
        commit.execute("update parts set bytes = ?, checksum = ?", [path.stat().st_size, file_checksum(path)])


def test_a_part_of_other_rows_than_the_catalogue_has_is_found(filled: Store) -> None:
    path = part(filled)
    pq.write_table(pq.read_table(path).slice(0, 1), path)
    tell(filled, path)
    assert any("holds 1 rows instead of 2" in problem for problem in filled.verify().problems)


def test_a_part_that_is_no_table_is_found(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checksum is the file's: the damage was there when it was taken."""
    path = part(filled)
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + bytes(len(content) - 4))
    monkeypatch.setattr(verify, "file_checksum", lambda _: filled.sql("select checksum from parts").fetchall()[0][0])
    (first, *_) = filled.verify().problems
    assert "can't be read" in first
    assert path.name in first


@pytest.fixture
def indexed(store: Store) -> Store:
    tokens = tokenize(fold(pa.array([" ".join(f"word{n}" for n in range(60))], pa.large_string())))
    batch = ReferenceBatch(["r1"], "g", "synthetic", ["00" * 16], [b"\0" * 16], fingerprint(tokens))
    segment = build_segment(store.root / "index" / "segments", batch)
    with store.commit("register") as commit:
        name = segment.id
        commit.insert("segments", [{"segment_id": name, "set_id": "g", "path": f"index/segments/{name}"}])
    return store


def segment_of(store: Store) -> Path:
    (folder,) = (store.root / "index" / "segments").iterdir()
    return folder


def test_a_changed_byte_in_a_segment_is_found(indexed: Store) -> None:
    assert indexed.verify().segments == 1
    largest = max((path for path in segment_of(indexed).rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    problems = indexed.verify().problems
    assert any(segment_of(indexed).name in problem for problem in problems)


def test_a_segment_that_is_gone_is_named(indexed: Store) -> None:
    folder = segment_of(indexed)
    folder.rename(indexed.root / "elsewhere")
    assert any(f"{folder.name} is missing" in problem for problem in indexed.verify().problems)


def test_nothing_is_swept_while_an_older_catalogue_can_not_be_read(
    filled: Store, observations: Callable[..., pa.Table]
) -> None:
    """What only that one names would be taken for an orphan."""
    with filled.commit("later") as commit:
        commit.insert("models", [{"model": "m"}])
    older = sorted((filled.root / "catalogue").iterdir())[0]
    older.write_bytes(b"no database")
    orphan = filled.root / "parts" / "observations" / "scan" / "left.parquet"
    orphan.write_bytes(b"x")
    report = filled.verify(repair=True)
    assert any(older.name in problem and "can't be read" in problem for problem in report.problems)
    assert report.swept == []
    assert orphan.exists()
    older.unlink()
    assert [Path(name).name for name in filled.verify(repair=True).swept] == [orphan.name]


def test_a_store_without_any_sound_catalogue_is_not_made_anew(filled: Store) -> None:
    paths = list((filled.root / "catalogue").glob("*.duckdb"))
    for path in paths:
        path.write_bytes(b"no database")
    with pytest.raises(StoreError, match="None of the store's catalogues can be read"):
        Store.recover(filled.root)


def test_a_query_error_in_a_store_without_parts_is_its_own(store: Store) -> None:
    def ask() -> None:
        with store.read() as connection:
            connection.execute("select error('boom') from range(1)").fetchall()

    with pytest.raises(duckdb.Error, match="boom"):
        ask()
