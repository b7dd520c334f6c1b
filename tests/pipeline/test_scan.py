"""A scan: the same whatever the order, the workers or the interruptions."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import SourceError, StoreError, UsageError
from provenance.pipeline import catalogue, publisher, worker
from provenance.pipeline import scan as _  # noqa: F401 - the package's attribute of that name is the function

scanning = importlib.import_module("provenance.pipeline.scan")


def only(result):
    return {name: value for name, value in vars(result).items() if name not in ("seconds", "parts", "late_matches")}


def test_the_same_from_two_workers_and_from_another_folder(corpus, tmp_path, contents):
    shutil.copytree(corpus / "crawl", tmp_path / "elsewhere" / "crawl")
    one = pv.scan(corpus / "crawl", store=tmp_path / "one", jobs=1)
    two = pv.scan(corpus / "crawl", store=tmp_path / "two", jobs=2)
    moved = pv.scan(tmp_path / "elsewhere/crawl", store=tmp_path / "moved", jobs=1, root=tmp_path / "elsewhere/crawl")
    assert contents(tmp_path / "one") == contents(tmp_path / "two") == contents(tmp_path / "moved")
    assert only(one) == only(two) == only(moved)
    assert [source.uri for source in one.sources] == ["a.jsonl", "c.jsonl", "deep/b.jsonl"]


def test_a_root_above_names_sources_by_their_path_below_it(corpus, tmp_path):
    result = pv.scan(corpus / "crawl" / "a.jsonl", store=tmp_path / "s", jobs=1, root=corpus)
    assert [source.uri for source in result.sources] == ["crawl/a.jsonl"]


def test_nothing_is_lost_and_the_store_is_sound(corpus, tmp_path):
    result = pv.scan(corpus / "crawl", store=tmp_path / "s", jobs=1)
    assert (result.records, result.rejects, result.skipped) == (20, 1, 0)
    assert all(s.records + s.rejects + s.skipped == s.read for s in result.sources)
    assert sum(result.tags.values()) == sum(result.reasons.values()) == 20
    assert pipeline.verify(store=tmp_path / "s").problems == []
    assert not [path for path in (tmp_path / "s" / "staging").iterdir()]


def test_the_same_scan_again_reads_nothing(corpus, tmp_path, monkeypatch):
    first = pv.scan(corpus / "crawl", store=tmp_path / "s", jobs=1, name="web")
    before = pv.Store(tmp_path / "s").current
    monkeypatch.setattr(scanning, "read_sources", None)
    again = pv.scan(corpus / "crawl", store=tmp_path / "s", jobs=1, name="other")
    assert again.already_done
    assert not first.already_done
    assert (again.scan_id, again.name) == (first.scan_id, "web")
    assert (again.tags, again.reasons, again.sources) == (first.tags, first.reasons, first.sources)
    assert pv.Store(tmp_path / "s").current == before


def test_the_same_scan_under_another_policy_is_tagged_anew_and_not_read(corpus, tmp_path, monkeypatch):
    pv.scan(corpus / "crawl" / "a.jsonl", store=tmp_path / "s", jobs=1)
    monkeypatch.setattr(scanning, "read_sources", None)
    assert pv.scan(corpus / "crawl" / "a.jsonl", store=tmp_path / "s", policy="strict").tags.get("human", 0) == 0
    policies = "select distinct policy_id from records"
    ((strict,),) = pv.Store(tmp_path / "s").sql(policies).fetchall()
    assert strict.startswith("strict@")
    pv.scan(corpus / "crawl" / "a.jsonl", store=tmp_path / "s")
    assert pv.Store(tmp_path / "s").sql(policies).fetchall() == [(strict,)]


def test_other_options_or_bytes_make_another_scan(corpus, tmp_path, jsonl):
    path = jsonl(tmp_path / "a.jsonl", [{"text": "one two three", "body": "four five"}])
    ids = [pv.scan(path, store=tmp_path / "s", jobs=1).scan_id]
    ids.append(pv.scan(path, store=tmp_path / "s", jobs=1, text_column="body").scan_id)
    jsonl(path, [{"text": "one two four", "body": "four five"}])
    ids.append(pv.scan(path, store=tmp_path / "s", jobs=1).scan_id)
    assert len(set(ids)) == 3
    names = [row[0] for row in pv.Store(tmp_path / "s").sql("select name from scans order by started_at").fetchall()]
    assert names == ["a.jsonl", "a.jsonl-2", "a.jsonl-3"]


class Pulled(BaseException):
    """The plug."""


@pytest.mark.parametrize("how", [Pulled, KeyboardInterrupt])
def test_an_interrupted_scan_goes_on_where_it_stopped(corpus, tmp_path, contents, monkeypatch, how):
    pv.scan(corpus / "crawl", store=tmp_path / "whole", jobs=1)
    read = []

    def watched(task):
        read.append(task.source.uri)
        yield from worker.scan_shard(task)

    def pulled(task):
        if task.source.uri == "deep/b.jsonl":
            raise how
        yield from watched(task)

    monkeypatch.setattr(publisher, "COMMIT_SHARDS", 1 if how is Pulled else 64)
    monkeypatch.setattr(scanning, "scan_shard", pulled)
    with pytest.raises(how):
        pv.scan(corpus / "crawl", store=tmp_path / "s", jobs=1)
    assert pipeline.status(store=tmp_path / "s")["scans"][0]["state"] == "running"
    assert pipeline.verify(store=tmp_path / "s").sound
    with pytest.raises(UsageError, match="has not ended"):
        pv.filter("crawl", out=tmp_path / "out.jsonl", store=tmp_path / "s")
    monkeypatch.setattr(scanning, "scan_shard", watched)
    read.clear()
    result = pv.scan(corpus / "crawl", store=tmp_path / "s", jobs=1)
    assert read == ["deep/b.jsonl"]
    assert not result.already_done
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")
    assert pipeline.verify(store=tmp_path / "s").problems == []


def test_a_source_that_fails_stops_no_other_and_is_tried_again(tmp_path, jsonl, text, contents):
    jsonl(tmp_path / "in" / "good.jsonl", [{"text": text(1)}])
    bad = tmp_path / "in" / "bad.parquet"
    bad.write_bytes(b"PAR1 and no footer PAR1")
    first = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert [source.uri for source in first.failed_sources] == ["bad.parquet"]
    assert "footer" in first.failed_sources[0].error
    assert first.records == 1
    assert pipeline.status(store=tmp_path / "s")["scans"][0]["state"] == "failed"
    again = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert not again.already_done
    assert again.scan_id == first.scan_id
    assert len(again.sources) == 2
    (shown,) = pipeline.status(store=tmp_path / "s")["scans"]
    assert (shown["sources"], shown["records"]) == (2, 1)
    assert pipeline.verify(store=tmp_path / "s").problems == []
    kept = pv.filter(first.name, keep={"unknown"}, out=tmp_path / "kept.jsonl", store=tmp_path / "s")
    assert kept.unread_sources == ("bad.parquet",)
    assert kept.kept == 1


def test_a_source_that_breaks_the_program_costs_only_itself(tmp_path, jsonl, text, monkeypatch):
    for name in "abc":
        jsonl(tmp_path / "in" / f"{name}.jsonl", [{"text": text(ord(name))}])

    def broken(task):
        if task.source.uri == "b.jsonl":
            raise MemoryError("too little")
        yield from worker.scan_shard(task)

    monkeypatch.setattr(scanning, "scan_shard", broken)
    result = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert [(s.uri, s.error is None) for s in result.sources] == [
        ("a.jsonl", True),
        ("b.jsonl", False),
        ("c.jsonl", True),
    ]
    monkeypatch.undo()
    result = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert result.failed_sources == ()
    assert result.records == 3


def test_when_nothing_can_be_read_no_scan_is_left_behind(tmp_path, jsonl, text):
    path = jsonl(tmp_path / "a.jsonl", [{"words": text(1)}])
    with pytest.raises(SourceError, match=r"--text-column"):
        pv.scan(path, store=tmp_path / "s", jobs=1)
    assert pipeline.status(store=tmp_path / "s")["scans"] == []
    assert pipeline.verify(store=tmp_path / "s").problems == []
    assert pv.scan(path, store=tmp_path / "s", jobs=1, text_column="words").name == "a.jsonl"


def test_an_empty_file_among_others_is_a_source_without_records(tmp_path, jsonl, text):
    jsonl(tmp_path / "in" / "a.jsonl", [{"text": text(1)}])
    (tmp_path / "in" / "empty.jsonl").touch()
    result = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert [(s.uri, s.read, s.error) for s in result.sources] == [("a.jsonl", 1, None), ("empty.jsonl", 0, None)]


def test_a_file_name_that_is_no_utf8(tmp_path, jsonl, text):
    folder = tmp_path / "crawl"
    jsonl(folder / os.fsdecode(b"caf\xe9.jsonl"), [{"text": text(1)}])
    jsonl(folder / "plain.jsonl", [{"text": text(2)}])
    result = pv.scan(folder, store=tmp_path / "s", jobs=1)
    assert (result.records, result.failed_sources) == (2, ())
    assert {source.uri for source in result.sources} == {r"caf\xe9.jsonl", "plain.jsonl"}
    assert pipeline.verify(store=tmp_path / "s").problems == []


def test_nothing_but_empty_files_is_an_error_and_makes_no_store(tmp_path):
    (tmp_path / "empty.warc").touch()
    with pytest.raises(UsageError, match="empty"):
        pv.scan(tmp_path / "empty.warc", store=tmp_path / "s")
    with pytest.raises(UsageError, match="no such file"):
        pv.scan(tmp_path / "gone.warc", store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_no_store_leaves_the_store_untouched_but_asks_its_references(corpus, tmp_path, contents):
    store = tmp_path / "s"
    pv.register(corpus / "two.jsonl", label="synthetic", model="m2", store=store)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path.suffix != ".lock"}
    result = pv.scan(corpus / "crawl" / "c.jsonl", store=store, no_store=True, out=tmp_path / "out", jobs=1)
    assert result.reasons[("synthetic", "match:passage")] == 1
    after = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert before == after
    pv.scan(corpus / "crawl" / "c.jsonl", store=tmp_path / "none", no_store=True, jobs=1)
    assert not (tmp_path / "none").exists()
    written = pq.read_table(tmp_path / "out" / "records-00000.parquet")
    assert written.num_rows == 2
    assert pq.read_table(tmp_path / "out" / "rejects-00000.parquet").num_rows == 1


def test_files_written_beside_hold_what_the_view_shows_and_take_nobody_elses_place(corpus, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "records-of-mine.parquet").write_bytes(b"mine")
    (out / "records-00001.parquet").write_bytes(b"of an earlier run")
    pv.scan(corpus / "crawl", store=tmp_path / "s", out=out, jobs=1)
    assert sorted(path.name for path in out.iterdir()) == [
        "records-00000.parquet",
        "records-of-mine.parquet",
        "rejects-00000.parquet",
    ]
    shown = pv.Store(tmp_path / "s").sql("select * from records").to_arrow_table()
    written = pq.read_table(out / "records-00000.parquet")
    assert written.column_names == shown.column_names
    order = [("record_id", "ascending")]
    assert written.sort_by(order).to_pylist() == shown.sort_by(order).to_pylist()


def test_two_scans_into_one_store_both_finish_and_one_scan_is_not_run_twice(corpus, tmp_path, monkeypatch):
    store = tmp_path / "s"
    pv.Store.create(store)
    inside, release, results = threading.Event(), threading.Event(), {}

    def slow(task):
        inside.set()
        assert release.wait(30)
        yield from worker.scan_shard(task)

    monkeypatch.setattr(scanning, "scan_shard", slow)
    first = threading.Thread(
        target=lambda: results.update(a=pv.scan(corpus / "crawl" / "a.jsonl", store=store, jobs=1))
    )
    first.start()
    assert inside.wait(30)
    with pytest.raises(StoreError, match="Another process is at this very scan"):
        pv.scan(corpus / "crawl" / "a.jsonl", store=store, jobs=1)
    release.set()
    other = pv.scan(corpus / "crawl" / "deep", store=store, jobs=1)
    first.join(60)
    assert results["a"].records == 8
    assert other.records == 10
    assert pipeline.verify(store=store).problems == []
    assert {row["state"] for row in pipeline.status(store=store)["scans"]} == {"finished"}


def test_readers_are_served_while_a_scan_publishes_and_hold_up_nothing(corpus, tmp_path, monkeypatch):
    store = tmp_path / "s"
    opened = pv.Store.create(store)
    monkeypatch.setattr(publisher, "COMMIT_SHARDS", 1)
    seen, done, failures = set(), threading.Event(), []

    def ask():
        while not done.is_set():
            try:
                seen.update(opened.sql("select count(*) from records").fetchall())
            except Exception as error:
                failures.append(error)
                return

    with opened.read() as held:
        reader = threading.Thread(target=ask)
        reader.start()
        pv.scan(corpus / "crawl", store=store, jobs=1)
        done.set()
        reader.join(60)
        assert held.execute("select count(*) from records").fetchall() == [(0,)]
    assert failures == []
    assert seen <= {(0,), (8,), (10,), (20,)}
    assert opened.sql("select count(*) from records").fetchall() == [(20,)]


def test_a_script_without_a_main_guard_can_scan_with_workers(corpus, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, provenance as pv\nprint('begun')\nprint(pv.scan(sys.argv[1], store=sys.argv[2], jobs=2).records)\n"
    )
    path = os.pathsep.join([str(Path(pv.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(script), str(corpus / "crawl"), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["begun", "20"]), done.stderr


def test_the_name_of_the_folder_one_stands_in(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus / "crawl")
    assert pv.scan(".", store=tmp_path / "s", jobs=1).name == "crawl"
    assert catalogue.find_scan(pv.Store(tmp_path / "s"), "crawl")["records"] == 20
