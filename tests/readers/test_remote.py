"""Objects behind URLs: read as a stream, named without secrets, and never cut short in silence."""

from __future__ import annotations

import gzip
import http.server
import json
import sys
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import SourceError, UsageError
from provenance.readers import ReadOptions, Source, Tally, find_sources, open_records, remote

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

LINES = b"".join(json.dumps({"text": f"text number {n}"}).encode() + b"\n" for n in range(2000))


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def server():
    """Serves ``content[path]``; ``cut`` ends a transfer after so many bytes, ``ranges`` answers range requests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        content: dict[str, bytes]
        asked: list[str]
        cut: int | None = None
        ranges = True
        sized = True

        def do_HEAD(self):
            self.answer(head=True)

        def do_GET(self):
            self.answer()

        def answer(self, head=False):
            self.asked.append(self.path)
            body = self.content.get(self.path.partition("?")[0])
            if body is None:
                self.send_error(404)
                return
            status, part = 200, body
            asked = self.headers.get("Range")
            if asked and self.ranges:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                stop = int(last) + 1 if last else len(body)
                status, part = 206, body[int(first) : stop]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}")
            if self.sized:
                self.send_header("Content-Length", str(len(part)))
            self.send_header("ETag", f'"{hash(body)}"')
            if self.ranges:
                self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if not head:
                self.wfile.write(part if self.cut is None else part[: self.cut])

        def log_message(self, *_):
            pass

    handler = type("Own", (Handler,), {"content": {}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        handler.url = f"http://127.0.0.1:{running.server_address[1]}"
        yield handler
        running.shutdown()


def texts(source, only=None, tally=None):
    batches = open_records(source, ReadOptions(), tally or Tally(), only)
    return [row["raw"] for batch in batches for row in batch.to_pylist()]


def test_an_object_reads_as_a_file(memory, tmp_path, record):
    warc = b"".join(gzip.compress(record(f"text {n}"), mtime=0) for n in range(20))
    memory.pipe("/bucket/a.warc.gz", warc)
    (source,) = find_sources(["memory://bucket/a.warc.gz"])
    (tmp_path / "a.warc.gz").write_bytes(warc)
    (local,) = find_sources([str(tmp_path / "a.warc.gz")])
    assert source.uri == "memory://bucket/a.warc.gz"
    assert source.bytes == len(warc)
    assert texts(source) == texts(local)
    positions = [row["position"] for batch in open_records(local, ReadOptions(), Tally()) for row in batch.to_pylist()]
    assert texts(source, np.array(positions[7:9])) == texts(local)[7:9]


def test_a_table_is_read_through_its_footer(memory):
    with memory.open("/bucket/x.parquet", "wb") as file:
        pq.write_table(pa.table({"text": ["one", "two"]}), file)
    (source,) = find_sources(["memory://bucket/x.parquet"])
    assert texts(source) == ["one", "two"]


def test_folders_and_patterns(memory):
    for name in ("b/two.jsonl", "b/README.md", "b/_SUCCESS", "a/one.jsonl", "a/deep/three.csv", "c/x.txt"):
        memory.pipe(f"/bucket/{name}", b'{"text": "x"}\n')
    every = [source.uri for source in find_sources(["memory://bucket"])]
    data = ("a/deep/three.csv", "a/one.jsonl", "b/two.jsonl", "c/x.txt")
    assert every == [f"memory://bucket/{name}" for name in data]
    assert [source.uri for source in find_sources(["memory://bucket/*/*.jsonl"])] == [every[1], every[2]]
    with pytest.raises(UsageError):
        find_sources(["memory://bucket/*.warc"])
    with pytest.raises(UsageError, match="no such object"):
        find_sources(["memory://bucket/none.jsonl"])


@pytest.mark.parametrize("ranges", [True, False])
def test_over_http_with_and_without_ranges(server, ranges):
    server.ranges = ranges
    server.content["/d/a.jsonl.gz"] = gzip.compress(LINES)
    (source,) = find_sources([f"{server.url}/d/a.jsonl.gz"])
    assert texts(source) == [f"text number {n}" for n in range(2000)]


def test_secrets_are_used_and_not_shown(server):
    server.content["/d/a.jsonl"] = LINES
    (source,) = find_sources([f"{server.url}/d/a.jsonl?X-Amz-Signature=secret#part"])
    assert source.uri == f"{server.url}/d/a.jsonl"
    assert len(texts(source)) == 2000
    assert all("secret" in path for path in server.asked)
    assert remote.without_secrets("s3://user:pass@bucket/key?token=1") == "s3://bucket/key"
    server.content.clear()
    with pytest.raises((UsageError, SourceError)) as caught:
        find_sources([f"{server.url}/gone.jsonl?token=secret"])
    assert "secret" not in str(caught.value)
    server.cut = 10
    server.content["/d/b.jsonl"] = LINES
    with pytest.raises(SourceError) as failed:
        texts(Source(f"{server.url}/d/b.jsonl?token=secret", "b", len(LINES)))
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("name", ["a.jsonl", "a.warc", "a.csv"])
def test_a_transfer_that_is_cut_is_a_fault(server, record, name, ranges):
    body = {"a.jsonl": LINES, "a.csv": b"id,text\n" + b"1,x\n" * 5000, "a.warc": record("text") * 200}[name]
    server.content[f"/{name}"], server.ranges = body, ranges
    (source,) = find_sources([f"{server.url}/{name}"])
    server.cut = len(body) // 2
    with pytest.raises(SourceError, match="at byte"):
        texts(source)


def test_a_server_that_tells_no_length(server):
    server.content["/a.jsonl"], server.sized = LINES, False
    with pytest.raises(UsageError, match="how long"):
        find_sources([f"{server.url}/a.jsonl"])


def test_identity_changes_with_the_content(server, memory):
    server.content["/a.jsonl"] = LINES
    first = remote.remote_identity(f"{server.url}/a.jsonl?signature=1")
    assert remote.remote_identity(f"{server.url}/a.jsonl?signature=2") == first
    server.content["/a.jsonl"] = LINES[:-3] + b"9}\n"
    assert remote.remote_identity(f"{server.url}/a.jsonl") != first


@pytest.mark.parametrize("ranges", [True, False])
def test_any_place_of_an_object_can_be_read(server, ranges):
    """Where a server answers no ranges, what lies between is read and left, or the object is begun anew."""
    server.content["/a.jsonl"], server.ranges = LINES, ranges
    with remote.open_remote(f"{server.url}/a.jsonl") as file:
        assert file.readable()
        assert file.seekable()
        assert file.read(10) == LINES[:10]
        assert file.seek(20_000) == 20_000
        assert file.read(10) == LINES[20_000:20_010]
        assert file.seek(-19_000, 1) == 1010
        assert file.read(10) == LINES[1010:1020]
        assert file.seek(-5, 2) == len(LINES) - 5
        assert file.read() == LINES[-5:]
        assert file.tell() == len(LINES)
        assert file.read(1) == b""
        assert file.seek(-1) == 0
        space = bytearray(7)
        assert file.readinto(space) == 7
        assert bytes(space) == LINES[:7]


def test_an_object_that_goes_between_two_looks_is_named_without_its_secret(server):
    server.content["/a.jsonl"] = LINES
    (source,) = find_sources([f"{server.url}/a.jsonl?token=secret"])
    server.content.clear()
    with pytest.raises(OSError, match="no such object") as gone:
        remote.remote_identity(source.location)
    assert "secret" not in str(gone.value)
    with pytest.raises(SourceError, match=r"no such object \(.*/a\.jsonl\)") as failed:
        texts(source)
    assert "secret" not in str(failed.value)


def test_without_fsspec_the_next_command_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError) as caught:
        find_sources(["s3://bucket/key.jsonl"])
    assert "provenance[remote]" in caught.value.next_step


def test_protocols_that_need_a_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UsageError) as caught:
        find_sources(["gs://bucket/key.jsonl"])
    assert "gcsfs" in caught.value.next_step
    with pytest.raises(UsageError, match="this kind of address"):
        find_sources(["nothing://bucket/key.jsonl"])


def test_file_urls_are_paths(tmp_path):
    (tmp_path / "a b.jsonl").write_bytes(LINES)
    (source,) = find_sources([(tmp_path / "a b.jsonl").as_uri()])
    assert source.uri == "a b.jsonl"
    assert len(texts(source)) == 2000
