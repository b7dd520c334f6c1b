"""Standard input as a source: it has the name that it is given, and leaves nothing behind."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from pathlib import Path

import pytest

from provenance.errors import UsageError
from provenance.readers import ReadOptions, Tally, find_sources, open_records
from provenance.readers.stdin import discard, spool


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_is_read_under_its_name(temporary, monkeypatch):
    monkeypatch.setattr("sys.stdin", type("Input", (), {"buffer": io.BytesIO(b"id,text\n1,hello\n"), "isatty": bool})())
    (source,) = find_sources(["-"], None, "crawl.csv")
    assert (source.uri, source.bytes, source.spooled) == ("crawl.csv", 16, True)
    rows = [row for batch in open_records(source, ReadOptions(), Tally()) for row in batch.to_pylist()]
    assert [row["raw"] for row in rows] == ["hello"]
    discard([source])
    assert list(temporary.iterdir()) == []


def test_it_is_bounded(temporary):
    with pytest.raises(UsageError, match="longer than"):
        spool("x", io.BytesIO(b"x" * 3000), limit=2000)
    assert list(temporary.iterdir()) == []


def test_a_terminal_is_not_waited_for(temporary, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", type("Input", (), {"buffer": io.BytesIO(b"never read"), "isatty": lambda _: True})()
    )
    with pytest.raises(UsageError, match=r"terminal.*Pipe the data in"):
        find_sources(["-"], None, "crawl.csv")
    assert list(temporary.iterdir()) == []


def test_where_there_is_no_room_nothing_is_left(temporary):
    class Full(io.BytesIO):
        def read(self, *_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UsageError, match=r"can't be kept for reading: No space left.*TMPDIR"):
        spool("x", Full())
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(("paths", "name", "cause"), [(["-"], None, "no name"), (["a"], "x", "without it")])
def test_the_name_and_the_dash_belong_together(paths, name, cause):
    with pytest.raises(UsageError, match=cause):
        find_sources(paths, None, name)


def test_discarding_touches_nothing_else(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}')
    discard(find_sources([str(tmp_path)]))
    assert Path(tmp_path, "a.jsonl").exists()
