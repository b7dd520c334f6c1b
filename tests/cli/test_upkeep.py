"""``status``, ``verify`` and ``compact``, as a person reads them."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from provenance import pipeline

NOW = dt.datetime.now(dt.UTC).replace(tzinfo=None)


@pytest.fixture
def running(cli, tmp_path, store, monkeypatch):
    """A store in which a scan runs; call with the events of its log, each so many seconds old."""
    with store.commit("begin") as commit:
        commit.insert("scans", [{"scan_id": "s", "name": "web", "state": "running", "started_at": NOW}])

    def status(*events):
        folder = store.root / "logs"
        folder.mkdir(exist_ok=True)
        rows = [
            {"time": (dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(seconds=age)).isoformat(), **event}
            for age, event in events
        ]
        (folder / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = cli("status", "--store", store.root)
        assert done.code == 0
        (line,) = [line for line in done.out.splitlines() if line.startswith("scan web: ")]
        return line

    return status


HALF = {"event": "progress", "bytes": 5_000_000, "bytes_total": 10_000_000, "records": 1200, "seconds": 9,
        "bytes_per_second": 50_000, "records_per_second": 12.0}  # fmt: skip


def test_a_running_scan_tells_how_far_it_is(running):
    assert running((1, HALF)) == "scan web: 50.0% of 10.0 MB, 1,200 records, 12 records/s, 50.0 KB/s, 1 min left"


def test_a_scan_that_went_silent_may_have_been_interrupted(running):
    said = running((300, HALF))
    assert "silent for 5 min" in said
    assert "run the same scan again" in said
    assert "left" not in said


def test_a_scan_that_has_only_begun(running):
    assert running((1, {"event": "begin"})) == "scan web: it has not said how far it is"
    assert running((2, HALF), (1, {"event": "begin"})) == "scan web: it has not said how far it is"
    said = running((1, HALF | {"bytes": 0, "bytes_total": 0, "bytes_per_second": 0}))
    assert said.startswith("scan web: 100.0% of 0 B")
    assert "left" not in said


@pytest.fixture
def known(cli, tmp_path):
    """A store of two reference sets, and a scan."""
    for name in ("one", "two"):
        texts = [" ".join(f"{name}{n}x{k}" for k in range(60)) for n in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        assert cli("register", f"{name}.jsonl", "--synthetic", "--model", "m", "--set", name, "--jobs", 1).code == 0
    assert cli("scan", "one.jsonl", "--jobs", 1).code == 0
    return cli


def test_compact_merges_segments_and_drops_what_is_withdrawn(known, tmp_path):
    assert "6 references in 2 segments" in known("status").out
    assert known("unregister", "two").code == 0
    said = known("compact").out
    assert said.startswith("2 segments are one of ")
    assert "3 references, 3 dropped" in said
    found = json.loads(known("status", "--json").out)["index"]
    assert (found["segments"], found["references"]) == (1, 3)
    assert known("compact").out == "nothing to compact\n"
    assert "swept" not in known("verify", "--repair").out  # the catalogues before this one name the old segments
    for name in ("a", "b", "c"):
        assert known("lineage", "add", "model", name).code == 0
    swept = [line for line in known("verify", "--repair").out.splitlines() if line.startswith("swept: ")]
    assert any("index/segments" in line for line in swept)
    assert known("verify").out.startswith("sound: ")


def test_nothing_to_compact_is_said(cli):
    assert cli("init").code == 0
    assert cli("compact").out == "nothing to compact\n"
    assert json.loads(cli("compact", "--json").out)["segments"] == 0


def test_a_damaged_store_is_not_called_sound(known, tmp_path):
    part = next((tmp_path / "provenance-store" / "parts" / "observations").rglob("*.parquet"))
    part.unlink()
    done = known("verify")
    assert done.code == 1
    assert part.name in done.out
    assert "NOT SOUND" in done.out
    assert "from a backup" in done.out
    assert json.loads(known("verify", "--json").out)["sound"] is False


def test_a_damaged_index_does_not_hide_the_rest_of_the_status(known, tmp_path):
    for path in (tmp_path / "provenance-store" / "index" / "segments").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    done = known("status")
    assert done.code == 0
    assert "index: " in done.out
    assert "3 records" in done.out
    assert json.loads(known("status", "--json").out)["index"]["problem"]


def test_what_is_searched_for_is_named_by_its_file(known):
    record = pipeline.status()["scans"][0]["scan_id"]
    done = known("verify", "--absent", record)
    assert done.code == 1
    assert done.out.startswith("found in ")
    assert json.loads(known("verify", "--absent", record, "--json").out)["found_in"]
    assert known("verify", "--absent", "no such text anywhere").out.startswith("searched every byte")
