"""Asking for records at known positions gives the very records that reading everything gives."""

from __future__ import annotations

import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from provenance.readers import ReadOptions, Source, Tally, crawl, open_records, parquet

RECORDS = 90


def warc(path, compressed):
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=compressed)
        for number in range(RECORDS):
            body = f"<p>{'word ' * number} page number {number}, with some more words for it to be a page</p>".encode()
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
            url = f"https://a.example/{number}"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=headers)
            )
    return path


def made(folder, kind):
    rows = [{"id": f"r{number}", "text": f"text number {number} " * 5} for number in range(RECORDS)]
    if kind == "warc":
        return warc(folder / "a.warc", False)
    if kind == "warc.gz":
        return warc(folder / "a.warc.gz", True)
    if kind == "one member":
        path = folder / "b.warc.gz"
        path.write_bytes(gzip.compress(warc(folder / "a.warc", False).read_bytes()))
        return path
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet", row_group_size=20)
        return folder / "a.parquet"
    lines = "".join(json.dumps(row) + "\n" for row in rows[:50]) + "{broken\n\n"
    lines += "".join(json.dumps(row) + "\n" for row in rows[50:])
    path = folder / ("a.jsonl.gz" if kind == "jsonl.gz" else "a.jsonl")
    path.write_bytes(gzip.compress(lines.encode()) if kind == "jsonl.gz" else lines.encode())
    return path


def rows_of(path, only=None, tally=None):
    source = Source(str(path), path.name, path.stat().st_size)
    batches = open_records(source, ReadOptions(batch_rows=7), tally or Tally(), only)
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("kind", ["warc", "warc.gz", "one member", "parquet", "jsonl", "jsonl.gz"])
@pytest.mark.parametrize("chosen", [[], [0], [3, 4, 89], [88], list(range(0, 90, 7)), list(range(90))])
def test_the_same_records_are_read(tmp_path, kind, chosen):
    path = made(tmp_path, kind)
    every = rows_of(path)
    assert len(every) == RECORDS
    positions = np.array([every[number]["position"] for number in chosen], dtype=np.int64)
    assert rows_of(path, positions) == [every[number] for number in chosen]


@pytest.mark.parametrize("kind", ["warc", "warc.gz", "one member", "parquet", "jsonl"])
def test_positions_of_nothing_give_nothing(tmp_path, kind):
    path = made(tmp_path, kind)
    assert rows_of(path, np.array([1 << 40], dtype=np.int64)) == []


def test_what_lies_between_is_not_read(tmp_path, monkeypatch):
    path = made(tmp_path, "warc.gz")
    wanted = np.array([rows_of(path)[80]["position"]], dtype=np.int64)
    looked_at = []
    monkeypatch.setattr(crawl, "extract", lambda body, *_: looked_at.append(body) or pytest.fail("too many"))
    with pytest.raises(pytest.fail.Exception):
        rows_of(path, wanted)
    assert len(looked_at) == 1
    assert b"page number 80," in looked_at[0]
    path = made(tmp_path, "parquet")
    groups = []
    plain = parquet.batch_size
    monkeypatch.setattr(parquet, "batch_size", lambda group, options: groups.append(group) or plain(group, options))
    assert len(rows_of(path, np.array([41, 55], dtype=np.int64))) == 2
    assert len(groups) == 1
