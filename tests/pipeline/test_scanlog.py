"""A scan's log tells how far it is and what it met, and holds neither texts nor secrets."""

from __future__ import annotations

import json
import logging
import time

import pytest

import provenance as pv
from provenance import pipeline
from provenance.pipeline import scanlog


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def store(tmp_path):
    return pv.Store.create(tmp_path / "store")


def test_a_scan_leaves_a_log(tmp_path, text, jsonl):
    written = text(1)
    source = jsonl(tmp_path / "a.jsonl", [{"text": written, "url": "https://a.example/x"}, {"text": text(2)}])
    with source.open("a") as file:
        file.write("{broken\n")
    done = pv.scan([source], store=tmp_path / "store", jobs=1)
    (path,) = (tmp_path / "store" / "logs").iterdir()
    assert path.stem == done.scan_id
    told = lines(path)
    assert [row["event"] for row in told if row["event"] != "progress"] == ["begin", "source", "commit", "end"]
    end = told[-1]
    assert (end["records"], end["read"], sum(end["rejects_by_reason"].values())) == (2, 3, 1)
    source_row = next(row for row in told if row["event"] == "source")
    assert (source_row["records"], source_row["rejects"], source_row["error"]) == (2, 1, None)
    assert written[:40] not in path.read_text()
    assert "a.example" not in path.read_text()


def test_a_scan_that_fails_says_so(store):
    with pytest.raises(ValueError, match="no good"), scanlog.ScanLog(store, "s"):
        raise ValueError("no good")
    assert lines(store.root / "logs" / "s.jsonl")[-1]["event"] == "failed"
    assert not any(isinstance(handler, scanlog.ScanLog) for handler in logging.getLogger("provenance").handlers)


def test_what_the_package_logs_stands_in_it(store):
    with scanlog.ScanLog(store, "s"):
        logging.getLogger("provenance.engine").warning("a worker was replaced")
        logging.getLogger("provenance.engine").info("retry", extra={"counters": {"task": 3}})
        logging.getLogger("another").warning("not ours")
    assert [row["event"] for row in lines(store.root / "logs" / "s.jsonl")] == ["warning", "retry"]


@pytest.mark.parametrize(
    "message",
    [
        "https://user:hunter2@host.example/a",
        "https://host.example/a?X-Amz-Signature=hunter2",
        "no access: token=hunter2",
    ],
)
def test_secrets_are_left_out(store, message):
    with scanlog.ScanLog(store, "s") as log:
        log.event("source", uri=message, error="x" * 10_000)
    told = (store.root / "logs" / "s.jsonl").read_text()
    assert "hunter2" not in told
    assert len(told) < 2000


def test_a_log_is_of_bounded_size(store, monkeypatch):
    monkeypatch.setattr(scanlog, "LARGEST", 2000)
    monkeypatch.setattr(scanlog, "KEPT", 3)
    for scan in range(5):
        with scanlog.ScanLog(store, f"s{scan}") as log:
            for number in range(100):
                log.event("source", number=number)
    files = list((store.root / "logs").iterdir())
    assert all(path.stat().st_size <= 2000 for path in files)
    assert len(files) <= 3 + 2
    assert lines(store.root / "logs" / "s4.jsonl")[-1]["number"] == 99


def test_a_disk_that_refuses_the_log_stops_no_scan(store):
    (store.root / "logs").write_text("a file stands where the folder should be")
    with scanlog.ScanLog(store, "s") as log:
        log.event("begin")


def test_status_shows_how_far_a_running_scan_is(store, monkeypatch):
    with store.commit("begin") as commit:
        commit.insert("scans", [{"scan_id": "s", "name": "long", "state": "running"}])
    monkeypatch.setattr(scanlog, "PULSE", 0.0)
    seen = []
    with scanlog.ScanLog(store, "s") as log:
        report = log.watching(lambda *told: seen.append(told))
        log.event("begin", scan="long")
        report(0, 1000, 0)
        time.sleep(0.02)
        report(400, 1000, 20)
    assert seen == [(0, 1000, 0), (400, 1000, 20)]
    (scan,) = pipeline.status(store=store.root)["scans"]
    told = scan["progress"]
    assert (told["bytes"], told["bytes_total"], told["records"]) == (400, 1000, 20)
    assert told["bytes_per_second"] > 0
    assert told["seconds_left"] == round(600 / told["bytes_per_second"])
    assert told["silent_seconds"] < 60


def test_progress_is_written_only_now_and_then(store):
    with scanlog.ScanLog(store, "s") as log:
        report = log.watching(None)
        for done in range(1000):
            report(done, 1001, done)
    assert len(lines(store.root / "logs" / "s.jsonl")) == 1


def test_a_damaged_log_tells_nothing(store):
    (store.root / "logs").mkdir()
    for content in ("", "{broken\n", '[1]\n"x"\n', '{"time": 3, "event": "progress"}\n'):
        (store.root / "logs" / "s.jsonl").write_text(content)
        assert scanlog.last_progress(store, "s") == {}
    assert scanlog.last_progress(store, "unknown") == {}
