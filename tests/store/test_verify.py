"""What verify finds, and what repair removes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from provenance import schema
from provenance.errors import StoreError
from provenance.store import Store, write_part


@pytest.fixture
def filled(store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]) -> Store:
    fill(store, observations("scan", "r1", "r2"))
    return store


def _part(store: Store) -> Path:
    return store.root / store.sql("select path from parts").fetchall()[0][0]


def test_a_sound_store(filled: Store) -> None:
    report = filled.verify()
    assert report.as_dict() == {
        "sound": True,
        "parts": 1,
        "segments": 0,
        "records": 2,
        "problems": [],
        "orphans": [],
        "swept": [],
        "mended": [],
    }


def test_one_changed_byte_in_a_part_is_found(filled: Store) -> None:
    path = _part(filled)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "is damaged" in filled.verify().problems[0]


def test_a_cut_part_and_a_missing_part_are_found(filled: Store) -> None:
    path = _part(filled)
    path.write_bytes(path.read_bytes()[:-1])
    assert "bytes instead of" in filled.verify().problems[0]
    path.unlink()
    assert "is missing" in filled.verify().problems[0]


def test_a_miscount_is_found(filled: Store) -> None:
    with filled.commit("miscount") as commit:
        source = {
            "source_id": "x",
            "scan_id": "scan",
            "uri": "b.warc",
            "read": 9,
            "records": 3,
            "rejects": 2,
            "skipped": 1,
        }
        commit.insert("sources", [source])
        shard = {"source_id": "y", "scan_id": "scan", "ends": "[]", "records": 4, "rejects": 0, "skipped": 0, "read": 4}
        commit.insert("shards", [shard])
    problems = " ".join(filled.verify().problems)
    assert "has given 4 records so far; the store holds 0" in problems
    assert "3 records + 2 rejects + 1 skipped is not the 9 read" in problems
    assert "counted 3 records; the store holds 0" in problems
    assert "counted 2 rejects; the store holds 0" in problems


def test_an_edge_without_an_end_is_found(filled: Store) -> None:
    with filled.commit("edge") as commit:
        commit.add_edges([("scan", "used", "source:src"), ("scan", "used", "source:gone")])
    assert filled.verify().problems == ["the edge scan used source:gone has no end: source:gone is unknown"]


def test_orphans_are_named_then_swept(filled: Store, observations: Callable[..., pa.Table]) -> None:
    orphan = write_part(filled.root, "observations", "scan", "1", observations("scan", "r3"))
    (filled.root / "staging" / "half.tmp").write_bytes(b"half")
    segment = filled.root / "index" / "segments" / "dead"
    segment.mkdir()
    (segment / "arrays.bin").write_bytes(b"x")
    names = sorted([orphan.path, "staging/half.tmp", "index/segments/dead"])
    report = filled.verify()
    assert report.sound
    assert report.orphans == names
    assert report.swept == []
    assert filled.verify(repair=True).swept == names
    assert filled.verify().orphans == []
    assert filled.sql("select count(*) from records").fetchall() == [(2,)]


def test_nothing_is_swept_while_somebody_writes(filled: Store, observations: Callable[..., pa.Table]) -> None:
    with filled.session():
        part = write_part(filled.root, "observations", "scan", "1", observations("scan", "r3"))
        report = filled.verify(repair=True)
        assert report.swept == []
        assert "nothing was swept" in report.problems[0]
        with filled.commit("late") as commit:
            commit.add_part(part)
    assert filled.verify(repair=True).orphans == []
    assert filled.sql("select count(*) from records").fetchall() == [(3,)]


def test_a_withdrawn_part_goes_when_no_catalogue_names_it(filled: Store) -> None:
    path = _part(filled)
    with filled.commit("withdraw") as commit:
        commit.withdraw_part(path.relative_to(filled.root).as_posix())
        commit.execute("delete from sources")
    assert filled.sql("select count(*) from records").fetchall() == [(0,)]
    filled.verify(repair=True)
    assert path.exists()  # an older catalogue is still there and names it
    for _ in range(3):
        with filled.commit("nothing"):
            pass
    filled.verify(repair=True)
    assert not path.exists()


def damage(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_damaged_catalogue_gives_way_to_the_one_before_it(filled: Store) -> None:
    with filled.commit("lost") as commit:
        commit.insert("models", [{"model": "m"}])
    current = filled.current
    current.write_bytes(current.read_bytes()[:5000])
    with pytest.raises(StoreError, match=f"{current.name}.*verify --repair"):
        filled.verify()
    mended = Store.recover(filled.root)
    report = mended.verify(repair=True)
    assert [current.name in line for line in report.mended] == [True, True, False]
    assert report.sound
    assert mended.sql("select count(*) from records").fetchall() == [(2,)]
    assert mended.sql("from models").fetchall() == []
    assert current.with_suffix(".damaged").exists()
    assert Store.recover(filled.root).verify(repair=True).mended == []


def test_damage_inside_the_catalogue_is_found_where_no_query_meets_it(filled: Store) -> None:
    """DuckDB checks a block when it reads it, so every block has to be read. Free ones hold nothing."""
    draw = random.Random(5)
    with filled.commit("fill") as commit:
        commit.insert("models", [{"model": f"m{k}", "family": draw.randbytes(150).hex()} for k in range(2000)])
    whole, models = filled.current.read_bytes(), filled.sql("from models order by model").fetchall()
    found = 0
    for place in range(len(whole) // 4, len(whole), len(whole) // 10):
        damage(filled.current, place)
        try:
            with filled.read() as connection:
                assert connection.execute("select count(*) from scans").fetchall() == [(1,)]
                connection.execute("select max(family) from models").fetchall()
            problems = filled.verify().problems
        except StoreError as error:  # it can't be opened any more
            problems = [str(error)]
        if problems:
            assert filled.current.name in problems[0]
            found += 1
        else:
            assert filled.sql("from models order by model").fetchall() == models
        filled.current.write_bytes(whole)
    assert found >= 3


@pytest.mark.parametrize("left", [0, 10, -20])
def test_a_query_that_meets_a_damaged_part_names_it(filled: Store, left: int) -> None:
    path = _part(filled)
    path.write_bytes(path.read_bytes()[:left])

    def count() -> None:
        with filled.read() as connection:
            connection.execute("select sum(words) from observations").fetchall()

    with pytest.raises(StoreError, match=rf"bytes instead of.*{path.name}.*provenance verify"):
        count()


def test_an_error_of_the_query_itself_is_not_blamed_on_a_part(filled: Store) -> None:
    _part(filled).write_bytes(b"")

    def ask() -> None:
        with filled.read() as connection:
            connection.execute("select nothing from models")

    with pytest.raises(duckdb.BinderException):
        ask()


def test_a_store_that_lost_its_pointer_is_not_taken_for_a_new_one(filled: Store) -> None:
    (filled.root / "CURRENT").unlink()
    with pytest.raises(StoreError, match="lost its CURRENT"):
        Store.create(filled.root)
    assert Store.recover(filled.root).sql("select count(*) from records").fetchall() == [(2,)]


def test_a_store_whose_making_was_cut_off_is_made(tmp_path: Path) -> None:
    made = Store.create(tmp_path / "store")
    (made.root / "CURRENT").unlink()
    with pytest.raises(StoreError, match=r"cut off.*Run the command again"):
        Store.open(made.root)
    assert Store.create(made.root).sql("from models").fetchall() == []
    assert Store(made.root).verify().orphans == []


def test_a_catalogue_that_the_pointer_never_came_to_is_swept(filled: Store) -> None:
    later = filled.root / "catalogue" / "000099.duckdb"
    later.write_bytes(filled.current.read_bytes())
    assert filled.verify().orphans == ["catalogue/000099.duckdb"]
    filled.verify(repair=True)
    assert not later.exists()


def test_things_that_point_to_nothing_are_found(filled: Store, match: Callable[..., dict[str, Any]]) -> None:
    matches = pa.Table.from_pylist(
        [match("scan", "r1", "known", (0, 40)), match("scan", "gone", "known", (0, 40))], schema=schema.MATCHES
    )
    duplicates = {"scan_id": "scan", "record_id": "gone", "cluster_id": "gone", "place": 1, "kept": True}
    duplicates |= {"similarity": 1.0, "verified": True, "threshold": 0.7}
    members = pa.table({"dataset_id": ["dataset:d"] * 2, "record_id": ["r1", "r2"]})
    with filled.commit("inconsistent") as commit:
        commit.add_part(write_part(filled.root, "matches", "scan", "1", matches))
        rows = pa.Table.from_pylist([duplicates], schema=schema.DUPLICATES)
        commit.add_part(write_part(filled.root, "duplicates", "scan", "1", rows))
        commit.add_part(write_part(filled.root, "dataset_records", "d", "1", members))
        commit.insert("reference_sets", [{"set_id": "known", "name": "known", "label": "human"}])
        commit.insert("datasets", [{"dataset_id": "dataset:d", "name": "d", "digest": "0" * 32, "records": 2}])
        commit.insert("scans", [{"scan_id": "scan", "name": "scan", "state": "finished", "records": 7}])
    assert sorted(filled.verify().problems) == [
        "1 duplicates of scan scan point to no record",
        "1 matches of scan scan point to no record",
        "matches name 1 references of the set known that the index does not hold, such as 'known-ref'",
        "scan scan ended with 7 records; its sources have 2",
        "the dataset dataset:d holds other records than it was sealed with",
    ]
    with filled.commit("twice") as commit:
        commit.add_part(
            write_part(
                filled.root, "observations", "scan", "9", filled.sql("from observations limit 1").to_arrow_table()
            )
        )
    assert "scan scan holds 1 records twice" in filled.verify().problems
