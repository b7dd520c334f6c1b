"""A scan in parts: the same whatever the parts, the workers, the kills in between, and the records that break them."""

from __future__ import annotations

import ctypes
import errno
import gzip
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import provenance as pv
from provenance import pipeline
from provenance.engine import Watch
from provenance.errors import StoreError
from provenance.pipeline import identity, observe, publisher, reading, worker
from provenance.pipeline import scan as scan_verb  # noqa: F401 - so that the module below is loaded
from provenance.readers import crawl
from provenance.store import parts

scanning = importlib.import_module("provenance.pipeline.scan")


def page(body, number):
    html = f"<html><body><p>{body}</p></body></html>"
    payload = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{html}".encode()
    head = f"WARC-Type: response\r\nWARC-Target-URI: http://h{number}.example/\r\nWARC-Date: 2019-01-01T00:00:00Z\r\n"
    return f"WARC/1.0\r\n{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload + b"\r\n\r\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, text, jsonl):
    """A WARC file with a damaged member, a plain one, JSON lines with a broken one, and a Parquet file."""
    folder = tmp_path_factory.mktemp("inputs")
    members = [gzip.compress(page(text(n), n), mtime=0) for n in range(30)]
    members[11] = members[11][:60] + b"\xff\xff\xff" + members[11][63:]
    (folder / "a.warc.gz").write_bytes(b"".join(members))
    (folder / "b.warc").write_bytes(b"".join(page(text(n), n) for n in range(40, 50)))
    jsonl(folder / "c.jsonl", [{"text": text(n)} for n in range(60, 90)])
    with (folder / "c.jsonl").open("a") as file:
        file.write('{"text": broken\n')
    pq.write_table(pa.table({"text": [text(n) for n in range(100, 130)]}), folder / "d.parquet", row_group_size=7)
    return folder


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory, contents):
    store = tmp_path_factory.mktemp("whole") / "s"
    pv.scan(inputs, store=store, jobs=1)
    return contents(store)


@pytest.mark.parametrize(("jobs", "shard_bytes"), [(2, 2_000), (1, 700)])
def test_the_same_whatever_the_parts(inputs, whole, tmp_path, contents, jobs, shard_bytes):
    result = pv.scan(inputs, store=tmp_path / "s", jobs=jobs, shard_bytes=shard_bytes)
    assert contents(tmp_path / "s") == whole
    assert all(source.records + source.rejects + source.skipped == source.read for source in result.sources)
    assert pipeline.verify(store=tmp_path / "s").problems == []
    assert leftovers(tmp_path / "s") == set()
    assert pv.Store(tmp_path / "s").sql("select count(*) from shards").fetchall() == [(0,)]


def leftovers(store):
    """Parts that no catalogue names."""
    live = {row[0] for row in pv.Store(store).sql("select path from parts where withdrawn_at is null").fetchall()}
    return {path.relative_to(store).as_posix() for path in (store / "parts").rglob("*.parquet")} - live


class Pulled(BaseException):
    """The plug."""


def stopped_after(parts, read):
    def scan_shard(task):
        if isinstance(task, worker.ShardTask):
            if len(read) >= parts:
                raise Pulled
            read.append(task.span.begin)
        yield from worker.scan_shard(task)

    return scan_shard


@pytest.fixture
def lines(tmp_path, text, jsonl):
    return jsonl(tmp_path / "in" / "long.jsonl", [{"text": text(n)} for n in range(200)])


def test_a_scan_goes_on_behind_the_last_part_that_was_published(lines, tmp_path, contents, monkeypatch):
    pv.scan(lines, store=tmp_path / "whole", jobs=1)
    size = lines.stat().st_size // 10
    read = []
    with monkeypatch.context() as patch:
        patch.setattr(publisher, "COMMIT_SHARDS", 2)
        patch.setattr(scanning, "scan_shard", stopped_after(6, read))
        with pytest.raises(Pulled):
            pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=size)
    (shown,) = pv.Store(tmp_path / "s").sql("select count(*) from records").fetchall()[0]
    assert 100 < shown < 140
    assert pipeline.verify(store=tmp_path / "s").problems == []
    again = []
    monkeypatch.setattr(scanning, "scan_shard", stopped_after(99, again))
    # Other parts than before: where it stopped is a place in the source.
    result = pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=size * 2)
    assert again[0].row == shown
    assert len(again) == 2
    assert (result.records, result.sources[0].read) == (200, 200)
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")
    assert pipeline.verify(store=tmp_path / "s").problems == []
    assert pv.scan(lines, store=tmp_path / "s", jobs=1).already_done


def test_what_was_read_of_other_bytes_is_not_gone_on_with(lines, tmp_path, contents, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(publisher, "COMMIT_SHARDS", 2)
        patch.setattr(scanning, "scan_shard", stopped_after(3, []))
        with pytest.raises(Pulled):
            pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=lines.stat().st_size // 10)
    (before,) = pv.Store(tmp_path / "s").sql("select distinct scan_id from records").fetchall()[0]
    stamp = lines.stat()
    content = bytearray(lines.read_bytes())
    content[-20:-19] = b"z"
    lines.write_bytes(bytes(content))
    os.utime(lines, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # of the same size, and dated back
    result = pv.scan(lines, store=tmp_path / "s", jobs=1)
    pv.scan(lines, store=tmp_path / "fresh", jobs=1)
    assert result.scan_id != before
    count = f"select count(*) from records where scan_id = '{result.scan_id}'"
    assert pv.Store(tmp_path / "s").sql(count).fetchall() == [(200,)]
    fresh = contents(tmp_path / "fresh")["records"]
    assert [row for row in contents(tmp_path / "s")["records"] if result.scan_id in row] == fresh


def test_references_that_came_between_the_kill_and_the_rest_are_found_in_all_parts(
    lines, tmp_path, contents, monkeypatch, text, jsonl
):
    known = jsonl(tmp_path / "known.jsonl", [{"text": text(5)}, {"text": text(195)}])
    pv.register(known, label="synthetic", model="m", store=tmp_path / "whole")
    pv.scan(lines, store=tmp_path / "whole", jobs=1)
    with monkeypatch.context() as patch:
        patch.setattr(publisher, "COMMIT_SHARDS", 2)
        patch.setattr(scanning, "scan_shard", stopped_after(5, []))
        with pytest.raises(Pulled):
            pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=lines.stat().st_size // 10)
    pv.register(known, label="synthetic", model="m", store=tmp_path / "s")
    pv.scan(lines, store=tmp_path / "s", jobs=1)
    assert contents(tmp_path / "s") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "s")["matches"]) == 2


def test_killed_at_any_moment_and_run_again_it_ends_like_any_other(inputs, whole, tmp_path, contents):
    script = (
        "import sys, provenance as pv\n"
        "from provenance.pipeline import publisher\n"
        "publisher.COMMIT_SHARDS = 4\n"
        "print('begun', flush=True)\n"
        "pv.scan(sys.argv[1], store=sys.argv[2], jobs=2, shard_bytes=1500)\n"
    )
    path = os.pathsep.join([str(Path(pv.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", script, str(inputs), str(tmp_path / "s")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path})
    process.stdout.readline()
    time.sleep(random.Random().uniform(1.0, 4.0))  # wherever that falls
    process.kill()
    process.wait()
    process.stdout.close()
    pv.scan(inputs, store=tmp_path / "s", jobs=1)
    assert contents(tmp_path / "s") == whole
    assert pipeline.verify(store=tmp_path / "s", repair=True).problems == []


def test_a_source_that_changes_while_it_is_read_is_given_up(lines, tmp_path, monkeypatch):
    def scan_shard(task):
        yield from worker.scan_shard(task)
        if isinstance(task, worker.ShardTask) and task.span.begin.row == 0:
            with lines.open("ab") as file:
                file.write(b'{"text": "more"}\n')

    monkeypatch.setattr(scanning, "scan_shard", scan_shard)
    result = pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=lines.stat().st_size // 3)
    assert "changed while it was scanned" in result.sources[0].error
    monkeypatch.undo()
    again = pv.scan(lines, store=tmp_path / "s", jobs=1)
    assert again.scan_id != result.scan_id
    assert (again.records, again.failed_sources) == (201, ())


def test_an_untouched_file_is_not_read_again_for_its_digest(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "_SETTLED_NS", 0)
    first = pv.scan(lines, store=tmp_path / "s", jobs=1)
    taken = []
    digest_of = identity.digest_of
    monkeypatch.setattr(identity, "digest_of", lambda location: taken.append(location) or digest_of(location))
    assert pv.scan(lines, store=tmp_path / "s", jobs=1).already_done
    assert taken == []
    lines.touch()
    assert pv.scan(lines, store=tmp_path / "s", jobs=1).already_done
    assert len(taken) == 1
    copy = tmp_path / "copy" / lines.name
    copy.parent.mkdir()
    shutil.copy(lines, copy)
    assert pv.scan(copy, store=tmp_path / "s", jobs=1).scan_id == first.scan_id
    assert len(taken) == 2


def test_a_stamp_just_taken_vouches_for_nothing(lines, tmp_path, monkeypatch):
    pv.scan(lines, store=tmp_path / "s", jobs=1)
    assert pv.Store(tmp_path / "s").sql("select count(*) from digests").fetchall() == [(0,)]


# What a hostile page would do to a parser is done here to pages that hold a certain word.


def extract_or_break(payload, *arguments):
    if b"hangs-the-parser" in payload:
        while True:
            pass
    if b"crashes-the-parser" in payload:
        ctypes.string_at(0)
    if b"swells-the-parser" in payload:
        held = bytearray(3 << 30)
        held[:: 1 << 12] = bytes(len(held) >> 12) or held
        time.sleep(60)
    if b"puzzles-the-parser" in payload:
        raise ZeroDivisionError("of all things")
    return EXTRACT(payload, *arguments)


def observe_or_break(batch, *arguments):
    if any("crashes-the-judge" in raw for raw in batch.column("raw").to_pylist()):
        os.kill(os.getpid(), signal.SIGSEGV)
    return OBSERVE(batch, *arguments)


EXTRACT, OBSERVE = crawl.extract, observe.observe


def scan_with_broken_parts(task):
    crawl.extract, observe.observe = extract_or_break, observe_or_break
    try:
        yield from worker.scan_shard(task)
    finally:
        crawl.extract, observe.observe = EXTRACT, OBSERVE


def test_records_that_break_a_worker_are_found_and_rejected_and_their_neighbours_read(
    tmp_path, text, contents, monkeypatch
):
    path = tmp_path / "x.warc.gz"
    broken = {
        9: ("hangs-the-parser", "timeout"),
        13: ("crashes-the-parser", "crash"),
        14: ("puzzles-the-parser", "error"),
        31: ("crashes-the-judge", "crash"),
    }
    pages = [page(text(n) + (" " + broken[n][0] if n in broken else ""), n) for n in range(40)]
    members = [gzip.compress(content, mtime=0) for content in pages]
    path.write_bytes(b"".join(members))
    positions = {n: sum(map(len, members[:n])) for n in range(40)}
    monkeypatch.setattr(reading, "WATCH", Watch(unit_seconds=1.5, other_seconds=60.0))
    monkeypatch.setattr(scanning, "scan_shard", scan_with_broken_parts)
    store = tmp_path / "s"
    result = pv.scan(path, store=store, jobs=2, shard_bytes=path.stat().st_size // 3)
    assert (result.records, result.rejects, result.failed_sources) == (36, 4, ())
    found = pv.Store(store).sql("select position, reason from rejects order by position").fetchall()
    assert found == [(positions[n], broken[n][1]) for n in sorted(broken)]
    assert pipeline.verify(store=store).problems == []
    assert leftovers(store) == set()
    # The neighbours are what they would be had nothing happened.
    monkeypatch.setattr(scanning, "scan_shard", worker.scan_shard)
    pv.scan(path, store=tmp_path / "whole", jobs=1)
    records = contents(store)["records"]
    assert sum(row not in records for row in contents(tmp_path / "whole")["records"]) == len(broken)


def scan_on_a_full_disk(task):
    def full(path, *arguments):
        if task.number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return WRITE(path, *arguments)

    parts._write = full
    try:
        yield from worker.scan_shard(task)
    finally:
        parts._write = WRITE


WRITE = parts._write


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_disk_that_is_full_in_a_worker_ends_the_scan_and_rejects_nothing(tmp_path, text, contents, jobs, monkeypatch):
    path, store = tmp_path / "x.warc.gz", tmp_path / "s"
    path.write_bytes(b"".join(gzip.compress(page(text(n), n), mtime=0) for n in range(40)))
    monkeypatch.setattr(scanning, "scan_shard", scan_on_a_full_disk)
    with pytest.raises(StoreError, match="The disk is full"):
        pv.scan(path, store=store, jobs=jobs, shard_bytes=path.stat().st_size // 3)
    assert pipeline.verify(store=store).problems == []
    monkeypatch.setattr(scanning, "scan_shard", worker.scan_shard)
    result = pv.scan(path, store=store, jobs=jobs)
    assert (result.records, result.rejects, result.failed_sources) == (40, 0, ())
    pv.scan(path, store=tmp_path / "whole", jobs=1)
    assert contents(store)["records"] == contents(tmp_path / "whole")["records"]
    assert leftovers(store) == set()


def test_a_source_that_breaks_every_worker_is_given_up_and_the_others_are_read(tmp_path, text, jsonl, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.warc.gz").write_bytes(
        b"".join(gzip.compress(page("puzzles-the-parser", n)) for n in range(90))
    )
    jsonl(tmp_path / "in" / "good.jsonl", [{"text": text(1)}])
    monkeypatch.setattr(scanning, "scan_shard", scan_with_broken_parts)
    result = pv.scan(tmp_path / "in", store=tmp_path / "s", jobs=1)
    assert [source.uri for source in result.failed_sources] == ["bad.warc.gz"]
    assert "ZeroDivisionError" in result.failed_sources[0].error
    assert result.records == 1


def test_jobs_are_as_many_as_processors_unless_said(lines, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(scanning, "default_jobs", lambda: 5)
    monkeypatch.setattr(scanning, "read_sources", lambda *arguments, **_: seen.append(arguments[4]) or 0)
    monkeypatch.setattr(scanning, "_refuse_if_nothing_was_read", lambda *_: None)
    pv.scan(lines, store=tmp_path / "s")
    assert seen == [5]


def test_progress_counts_each_byte_once(lines, tmp_path):
    told = []
    size = lines.stat().st_size // 6
    result = pv.scan(lines, store=tmp_path / "s", jobs=1, shard_bytes=size, progress=lambda *now: told.append(now))
    assert told[-1] == (lines.stat().st_size, lines.stat().st_size, result.records)
    assert all(0 <= done <= total for done, total, _ in told)
