"""Small bombs under small caps: each is a reject with its reason, and its neighbours are read."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from provenance.readers import ReadOptions, Source, Tally, open_records

CAPS = {
    "max_decoded_bytes": 1 << 20,
    "max_line_bytes": 1 << 20,
    "max_header_bytes": 1 << 17,
    "max_record_bytes": 9 << 20,
}
SLOW = ("10^7 attributes", "chunks", "60 MB of", "header of many")


def test_bombs(part, tmp_path, monkeypatch):
    monkeypatch.setattr("provenance.readers.pieces._FREE", 1 << 20)
    monkeypatch.setattr("provenance.readers.parquet._FREE", 1 << 20)
    bombs = part("bombs")
    for bomb in bombs.BOMBS:
        if bomb.name.startswith(SLOW) or bomb.reason in ("", bombs.REFUSED):
            continue
        path = tmp_path / bomb.name.replace(" ", "-")
        with path.open("wb") as stream:
            bomb.write(stream, 1 if bomb.reason == "html" else 50)
        caps = CAPS | ({"max_decoded_bytes": 8 << 20} if bomb.reason == "html" else {})
        caps |= {"max_record_bytes": 1 << 20, "max_page_bytes": 10 << 20} if bomb.name.endswith("parquet") else {}
        tally = Tally()
        began = time.monotonic()
        source = Source(str(path), path.name, path.stat().st_size)
        batches = list(open_records(source, ReadOptions(**caps), tally))
        rows = [row["raw"] for row in pa.Table.from_batches(batches).to_pylist()] if batches else []
        assert sum(row.startswith("Neighbour") for row in rows) == 2, bomb.name
        reasons = {reject.reason for reject in tally.rejects}
        assert reasons & set(bomb.reason.split("|")), (bomb.name, tally.rejects[:3])
        assert time.monotonic() - began < 10, bomb.name


def test_chunks_beyond_their_cap(monkeypatch):
    from provenance.readers import http

    monkeypatch.setattr(http, "_MAX_CHUNKS", 10)
    assert http.dechunk(b"1\r\na\r\n" * 10 + b"0\r\n\r\n") == b"a" * 10
    with pytest.raises(http.BodyRefused, match="chunks"):
        http.dechunk(b"1\r\na\r\n" * 11)


def test_fields_of_many_lines_take_no_time():
    from provenance.readers.grammar import parse_headers
    from provenance.readers.http import parse

    folded = b"A: b\r\n" + b" c\r\n" * 250_000 + b"D: e\r\n\r\n"
    began = time.monotonic()
    assert parse_headers(b"WARC/1.0\r\n" + folded)["d"] == "e"
    assert parse(b"HTTP/1.1 200 OK\r\n" + folded + b"body", 2 << 20).get("d") == "e"
    assert time.monotonic() - began < 5
