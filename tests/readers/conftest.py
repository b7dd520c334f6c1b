"""Small crawl files made by hand, and a way to read them."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from provenance.readers import ReadOptions, Source, Tally, open_records

Read = Callable[..., tuple[list[dict], Tally]]


@pytest.fixture
def record() -> Callable[..., bytes]:
    """Builds one WARC record; ``length`` lies about its Content-Length."""

    def build(block: bytes | str, kind: str = "conversion", length: int | None = None, **fields: str) -> bytes:
        body = block.encode() if isinstance(block, str) else block
        headers = {
            "WARC-Type": kind,
            "WARC-Date": "2018-05-06T07:08:09Z",
            "WARC-Record-ID": f"<urn:x:{len(body)}>",
            "WARC-Target-URI": "http://a.example/b",
            "Content-Type": "application/http; msgtype=response" if kind == "response" else "text/plain",
        }
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        headers["Content-Length"] = str(len(body) if length is None else length)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"WARC/1.0\r\n{head}\r\n".encode() + body + b"\r\n\r\n"

    return build


@pytest.fixture
def members() -> Callable[..., bytes]:
    """Gzip, each record a member of its own."""
    return lambda *records: b"".join(gzip.compress(record, mtime=0) for record in records)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes bytes to a file and reads it: rows and the tally."""

    def run(content: bytes | Path, name: str = "x", **options: object) -> tuple[list[dict], Tally]:
        path = content if isinstance(content, Path) else tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        tally = Tally()
        source = Source(str(path), path.name, path.stat().st_size)
        batches = list(open_records(source, ReadOptions(**options), tally))
        for batch in batches:
            batch.validate(full=True)
        rows = pa.Table.from_batches(batches).to_pylist() if batches else []
        assert tally.records == len(rows)
        assert tally.read == len(rows) + len(tally.rejects) + tally.skipped.total()
        return rows, tally

    return run
