"""How much of a source has been read is known while it is read, and is all of it in the end."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random

import pyarrow as pa
import pytest

from provenance.readers import ReadOptions, Source, Tally, open_records

CHOSEN = random.Random(5)
TEXTS = [
    " ".join(CHOSEN.choice(["ebb", "flow", "tide", "sea"]) + str(CHOSEN.randrange(9**9)) for _ in range(40))
    for _ in range(900)
]
LINES = [json.dumps({"text": text}).encode() + b"\n" for text in TEXTS]
WARC = [
    f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n\r\n".encode() for text in TEXTS
]


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def lz4(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


PACKS = {"": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd, "lz4": lz4}
ARROW = io.BytesIO()
with pa.ipc.new_stream(ARROW, pa.schema([("text", pa.string())])) as writer:
    writer.write_table(pa.table({"text": TEXTS}), max_chunksize=50)
FORMS = {
    **{f"jsonl.{name}": pack(b"".join(LINES)) for name, pack in PACKS.items()},
    **{f"warc.{name}": pack(b"".join(WARC)) for name, pack in PACKS.items()},
    "members.warc.gz": b"".join(map(gzip.compress, WARC)),
    "members.jsonl.gz": b"".join(map(gzip.compress, LINES)),
    "frames.jsonl.zst": b"".join(map(zstd, LINES)),
    "x.csv": b"text\n" + b"".join(text.encode() + b"\n" for text in TEXTS),
    "x.arrows": ARROW.getvalue(),
}


@pytest.mark.parametrize("form", FORMS)
def test_progress_never_falls_and_ends_with_the_size(tmp_path, form):
    path = tmp_path / form
    path.write_bytes(FORMS[form])
    tally, seen = Tally(), [0]
    for _ in open_records(Source(str(path), form, len(FORMS[form])), ReadOptions(batch_rows=20), tally):
        seen.append(tally.bytes_read)
    assert tally.records == len(TEXTS)
    assert seen == sorted(seen)
    assert tally.bytes_read == len(FORMS[form])
    if form in {"members.warc.gz", "frames.jsonl.zst"}:
        assert len(set(seen)) > 2  # not only in the end
