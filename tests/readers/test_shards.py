"""Parts of a source, put together, are the source: whatever the cut, whatever is broken, whatever is forged."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.readers import ReadOptions, Source, Tally, open_records, shards
from provenance.readers.marks import START, Misled, Span
from provenance.readers.shards import foresee, open_shard, plan

OPTIONS = ReadOptions(max_record_bytes=1 << 16, max_header_bytes=1 << 12)
RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def source_of(path):
    return Source(str(path), path.name, path.stat().st_size)


def gathered(batches, tally):
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert tally.records == len(rows)
    return rows, sorted(tally.rejects), tally.skipped


def whole(path):
    tally = Tally()
    return gathered(open_records(source_of(path), OPTIONS, tally), tally)


def in_parts(path, shard_bytes):
    """What the parts give, taken in order, as `pipeline.assembly` takes them; and how many guesses were upheld."""
    source = source_of(path)
    planned = plan(source, shard_bytes)
    rows, rejects, skipped, mark, upheld = [], [], Counter(), START, 0
    for span in planned.spans:
        if span.stop is not None and mark.offset >= span.stop:
            continue
        if planned.chained:
            span.begin = mark
            foresee(source, span)
        tally = Tally()
        try:
            part = gathered(open_shard(source, span, OPTIONS, tally), tally)
            fits = mark.meets(span.begin)
        except Misled:
            fits = False
        if fits:
            upheld += span.guessed
        else:
            span, tally = Span(mark, stop=span.stop), Tally()
            part = gathered(open_shard(source, span, OPTIONS, tally), tally)
        rows += part[0]
        rejects += part[1]
        skipped += part[2]
        if span.end is None:
            break
        mark = span.end._replace(stream=mark.stream + span.end.stream - span.begin.stream)
    return (rows, sorted(rejects), skipped), upheld


def record(chosen, words):
    kind = chosen.choice(["conversion", "conversion", "conversion", "request", "response"])
    body = " ".join(chosen.choice(["ebb", "flow", "tide", "\r\n", "WARC/1.0"]) for _ in range(words)).encode()
    if kind == "response":
        body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>" + body
    head = f"WARC-Type: {kind}\r\nWARC-Target-URI: http://a.example/{words}\r\nWARC-Date: 2019-01-01T00:00:00Z\r\n"
    return f"WARC/1.0\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"\r\n\r\n"


def stored(content):
    """A gzip member that holds its content as it is, so that whatever stands in it stands in the file."""
    deflater = zlib.compressobj(0, zlib.DEFLATED, 31)
    return deflater.compress(content) + deflater.flush()


@st.composite
def crawls(draw):
    """Crawl files, some of them with forged records and members, joined members, or bytes changed or lost."""
    chosen = random.Random(draw(st.integers(0, 1 << 30)))
    records = [record(chosen, chosen.randrange(1, 400)) for _ in range(draw(st.integers(1, 40)))]
    for _ in range(draw(st.integers(0, 3))):
        forged = record(chosen, 20)
        inner = forged if draw(st.booleans()) else gzip.compress(forged, mtime=0)
        head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(inner) + 8}\r\n\r\n".encode()
        records.insert(chosen.randrange(len(records) + 1), head + b"text\r\n\r\n" + inner + b"\r\n\r\n")
    layout = draw(st.sampled_from(["plain", "members", "members", "stored", "joined", "one"]))
    if layout == "plain":
        content = b"".join(records)
    elif layout == "one":
        content = gzip.compress(b"".join(records), mtime=0)
    else:
        step = 2 if layout == "joined" else 1
        together = [b"".join(records[place : place + step]) for place in range(0, len(records), step)]
        if layout == "joined" and draw(st.booleans()):
            together = [*records[:5], *together]
        content = b"".join((stored if layout == "stored" else gzip.compress)(part) for part in together)
    changed = bytearray(content)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        place = chosen.randrange(len(changed))
        if draw(st.booleans()):
            changed[place] ^= 1 << chosen.randrange(8)
        else:
            del changed[place : place + chosen.randrange(1, 200)]
        changed = changed or bytearray(b"x")
    return bytes(changed)


@RELAXED
@given(content=crawls(), shard_bytes=st.integers(60, 20_000))
def test_a_crawl_file_reads_the_same_in_parts(tmp_path, content, shard_bytes):
    path = tmp_path / ("x.warc.gz" if content[:1] == b"\x1f" else "x.warc")
    path.write_bytes(content)
    assert in_parts(path, shard_bytes)[0] == whole(path)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_on_a_sound_file_every_guess_is_upheld(tmp_path, compress):
    chosen = random.Random(1)
    path = tmp_path / "x"
    path.write_bytes(b"".join(compress(record(chosen, 300)) for _ in range(200)))
    parts, upheld = in_parts(path, path.stat().st_size // 10)
    assert parts == whole(path)
    assert upheld == 9


@pytest.mark.parametrize("inside", [gzip.compress, bytes])
def test_a_part_that_begins_in_a_forged_record_does_not_count(tmp_path, inside):
    chosen = random.Random(2)
    forged = inside(record(chosen, 10)) * 40
    payload = b"text\r\n\r\n" + forged
    host = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload + b"\r\n\r\n"
    )
    records = [record(chosen, 50), record(chosen, 50), host, record(chosen, 50)]
    path = tmp_path / "x"
    path.write_bytes(b"".join((stored if inside is gzip.compress else bytes)(item) for item in records))
    source = source_of(path)
    middle = Span(None, path.stat().st_size // 2, None)
    list(open_shard(source, middle, OPTIONS, Tally()))
    assert middle.guessed
    assert len(records[0]) + len(records[1]) < middle.begin.offset < path.stat().st_size - len(records[3])
    parts, _ = in_parts(path, path.stat().st_size // 4)
    assert parts == whole(path)
    assert len(parts[0]) + parts[2].total() + len(parts[1]) == 4


LINES = st.one_of(
    st.builds(lambda words: json.dumps({"text": "word " * words, "id": words}), st.integers(0, 200)),
    st.sampled_from(
        ["", " ", "{broken", "[1]", "{}", '{"text": 1}', "\r", '{"id": 1, "text": "x", "url": "http://b.c"}']
    ),
)


@RELAXED
@given(
    lines=st.lists(LINES, max_size=60),
    bom=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", ""]),
    shard_bytes=st.integers(1, 5_000),
)
def test_lines_read_the_same_in_parts(tmp_path, lines, bom, end, shard_bytes):
    path = tmp_path / "x.jsonl"
    content = (b"\xef\xbb\xbf" if bom else b"") + b'{"text": "first"}\n' + "\n".join(lines).encode() + end.encode()
    path.write_bytes(content)
    assert in_parts(path, shard_bytes)[0] == whole(path)


@pytest.mark.parametrize("block", [1, 3, 64])
@pytest.mark.parametrize("shard_bytes", [1, 17, 40, 90, 1000])
def test_lines_longer_than_what_is_looked_at_at_once(tmp_path, monkeypatch, block, shard_bytes):
    monkeypatch.setattr(shards, "_BLOCK", block)
    path = tmp_path / "x.jsonl"
    rows = [json.dumps({"text": "word " * (number * 7 % 40)}) for number in range(60)]
    path.write_text("\n".join(rows) + "\n" * (block == 3))
    parts, _ = in_parts(path, shard_bytes)
    assert parts == whole(path)


def test_a_file_whose_first_member_is_long_is_one_part(tmp_path, monkeypatch):
    chosen = random.Random(4)
    head = (
        record(chosen, 1)
        + f"WARC/1.0\r\nContent-Length: 200000\r\n\r\n{chosen.randbytes(100_000).hex()}\r\n\r\n".encode()
    )
    path = tmp_path / "x.warc.gz"
    path.write_bytes(gzip.compress(head) + b"".join(gzip.compress(record(chosen, 300)) for _ in range(60)))
    assert len(plan(source_of(path), 20_000).spans) > 2
    monkeypatch.setattr(shards, "_LONGEST_FIRST_MEMBER", 1 << 16)
    assert len(plan(source_of(path), 20_000).spans) == 1


def test_columns_are_those_of_the_source_in_every_part(tmp_path):
    path = tmp_path / "x.jsonl"
    first = [{"body": "of the first sixty-four"}] * 64
    path.write_text("".join(json.dumps(row) + "\n" for row in [*first, *[{"text": "other", "body": "right"}] * 200]))
    parts, _ = in_parts(path, 500)
    assert parts == whole(path)
    assert {row["raw"] for row in parts[0]} == {"of the first sixty-four", "right"}


@pytest.mark.parametrize(("shard_bytes", "count"), [(1, 8), (20_000, 4), (1 << 30, 1)])
def test_row_groups_read_the_same_in_parts(tmp_path, shard_bytes, count):
    chosen = random.Random(3)
    texts = [None if n % 17 == 0 else str(chosen.random()) * chosen.randrange(1, 90) for n in range(1000)]
    path = tmp_path / "x.parquet"
    table = pa.table({"text": texts, "id": list(range(1000))})
    pq.write_table(table, path, row_group_size=130, write_page_checksum=True)
    if shard_bytes == 1:  # in the midst of the third group
        content = bytearray(path.read_bytes())
        content[pq.ParquetFile(path).metadata.row_group(2).column(0).data_page_offset + 100] ^= 255
        path.write_bytes(bytes(content))
    parts, _ = in_parts(path, shard_bytes)
    assert parts == whole(path)
    assert len(parts[0]) + len(parts[1]) == 1000
    assert len(plan(source_of(path), shard_bytes).spans) == count


def test_what_can_not_be_cut_is_one_part(tmp_path):
    chosen = random.Random(4)
    single = tmp_path / "one.warc.gz"
    single.write_bytes(gzip.compress(b"".join(record(chosen, 100) for _ in range(50))))
    lines = tmp_path / "x.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"text": "a"}\n' * 5000))
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"PAR1" + bytes(5000) + b"PAR1")
    for path in (single, lines, broken):
        assert plan(source_of(path), 100).spans == (Span(),)


def test_malformed_files_read_the_same_in_parts(shared: Path):
    for path in sorted((shared / "data/crawl/malformed").iterdir()):
        size = path.stat().st_size
        if path.suffix in (".arc", ".wacz") or size == 0:
            continue
        try:
            expected = whole(path)
        except Exception as error:
            with pytest.raises(type(error)):
                in_parts(path, size // 5 + 1)
        else:
            assert in_parts(path, size // 5 + 1)[0] == expected, path.name
