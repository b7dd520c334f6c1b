"""Arrow IPC: files, streams and Feather, read as Arrow reads them; batches that lie cost themselves."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import SourceError, UsageError
from provenance.readers import ReadOptions, Source, own_tables
from provenance.readers.messages import MessageRefused, Messages, shape_of

TABLE = pa.table(
    {
        "id": [f"r{n}" for n in range(900)],
        "text": [f"text number {n} " * 3 for n in range(900)],
        "n": pa.array(range(900), pa.int16()),
        "tags": [["a", str(n)] for n in range(900)],
        "kind": pa.array(["x", "y", "z"] * 300).dictionary_encode(),
    }
)


def ipc(table=TABLE, stream=False, compression=None, rows=100):
    file = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(file, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=rows)
    return file.getvalue()


def feather():
    file = io.BytesIO()
    pyarrow.feather.write_feather(TABLE, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (ipc(), "arrow"),
        (ipc(compression="zstd"), "arrow"),
        (ipc(compression="lz4"), "arrow"),
        (ipc(stream=True), "arrows"),
        (gzip.compress(ipc(), mtime=0), "arrow.gz"),
        (gzip.compress(ipc(stream=True), mtime=0), "arrows.gz"),
        (feather(), "arrow"),
    ],
)
def test_every_form_reads_the_same(read, content, form):
    rows, tally = read(content)
    assert tally.format == form
    assert [row["raw"] for row in rows] == TABLE["text"].to_pylist()
    assert [row["own_id"] for row in rows] == TABLE["id"].to_pylist()
    assert [row["position"] for row in rows] == list(range(900))
    assert not tally.rejects


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chosen", [[], [0], [99, 100, 899], [5, 450]])
def test_kept_rows_keep_columns_order_and_types(tmp_path, stream, chosen):
    path = tmp_path / "x.arrow"
    path.write_bytes(ipc(stream=stream, compression="zstd"))
    only = np.array(chosen, np.int64)
    source = Source(str(path), path.name, path.stat().st_size)
    schema, tables = own_tables(source, ReadOptions(batch_rows=64), only)
    found = list(tables)
    assert schema == TABLE.schema
    assert [int(place) for positions, _ in found for place in positions] == chosen
    expected = TABLE.take(pa.array(chosen, pa.int64())).to_pylist()
    assert [row for _, table in found for row in table.to_pylist()] == expected
    assert all(table.schema == TABLE.schema for _, table in found)


def test_texts_in_a_dictionary(read):
    table = TABLE.set_column(1, "text", TABLE["text"].dictionary_encode())
    assert [row["raw"] for row in read(ipc(table))[0]] == TABLE["text"].to_pylist()


def test_a_dictionary_that_blows_up_is_stopped(read, monkeypatch):
    monkeypatch.setattr("provenance.readers.ipc._FREE", 8 << 20)
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["z" * 1_000])
    with pytest.raises(SourceError, match="more than 20 times its size"):
        read(ipc(pa.table({"text": column}), rows=100_000), max_ratio=20, batch_bytes=1 << 20)


def test_a_damaged_batch_costs_its_rows(read):
    content = bytearray(ipc())
    at = content.index(b"text number 250 ")
    offsets = content.rindex(struct.pack("<3i", 0, 48, 96), 0, at) if struct.pack("<3i", 0, 48, 96) in content else at
    content[offsets + 40 : offsets + 60] = b"\xff" * 20
    rows, tally = read(bytes(content))
    lost = {reject.position for reject in tally.rejects}
    assert lost == set(range(200, 300))
    assert {reject.reason for reject in tally.rejects} == {"damaged-batch"}
    assert [row["position"] for row in rows] == [n for n in range(900) if n not in lost]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut", [9, 3000])
def test_a_cut_file_says_so(read, stream, cut):
    content = ipc(stream=stream)
    rows, tally = read(content[: len(content) // 2 - cut])
    assert 300 <= len(rows) <= 500
    assert [(reject.reason, reject.position) for reject in tally.rejects] == [("truncated", len(rows))]


def test_an_ending_between_batches_is_only_a_stream_s(read):
    content = ipc()
    end = content.index(b"\xff\xff\xff\xff\x00\x00\x00\x00", 8)
    assert [reject.reason for reject in read(content[:end])[1].rejects] == ["truncated"]
    stream = ipc(stream=True)
    assert stream.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    assert read(stream[:-8])[1].rejects == []


def test_lengths_beyond_the_caps(read):
    rows, tally = read(ipc(rows=900), max_message_rows=800)
    assert rows == []
    assert {reject.reason for reject in tally.rejects} == {"damaged-batch"}
    with pytest.raises(SourceError, match="no message"):
        read(b"ARROW1\0\0" + struct.pack("<Ii", 0xFFFFFFFF, 1 << 30))
    rows, tally = read(ipc(), max_message_bytes=1000)
    assert rows == []
    assert "more than 1000" in tally.rejects[0].detail


def test_compressed_buffers_that_claim_much(read):
    content = bytearray(ipc(pa.table({"text": ["a" * 5000] * 50}), compression="zstd"))
    at = content.rindex(struct.pack("<q", 250_000))
    struct.pack_into("<q", content, at, 1 << 50)
    rows, tally = read(bytes(content))
    assert rows == []
    assert "decompresses to" in tally.rejects[0].detail


def test_a_table_without_text_names_its_columns(read):
    with pytest.raises(UsageError, match="No column of text"):
        read(ipc(pa.table({"n": [1]})))
    with pytest.raises(SourceError, match="Two columns"):
        read(ipc(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_changed_byte_crashes_or_loses_count(read, changes):
    content = bytearray(ipc(TABLE.slice(0, 60).select(["id", "text"]), rows=20))
    for at, value in changes:
        content[at % len(content)] = value
    try:
        _, tally = read(bytes(content), "x.arrow")
    except (SourceError, UsageError):
        return
    assert tally.read >= tally.records


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_metadata_of_any_bytes_is_read_or_refused(metadata):
    with contextlib.suppress(MessageRefused):
        shape_of(metadata)
    raw = Messages(io.BytesIO(struct.pack("<Ii", 0xFFFFFFFF, len(metadata)) + metadata), ReadOptions())
    with contextlib.suppress(MessageRefused):
        while raw.read(64):
            pass
