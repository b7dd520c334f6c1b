"""What verify finds, and what repair removes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

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
    problems = " ".join(filled.verify().problems)
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
