"""What the pages of a Parquet file say of themselves bounds how much of it is decoded at once, and loses no row."""

from __future__ import annotations

import contextlib
import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provenance.readers import ReadOptions, pages, thrift

PAGE = {1: None, 2: None, 3: None, 5: {1: None, 2: None}, 7: {1: None}, 8: {1: None, 4: None}}


@pytest.fixture
def small(monkeypatch):
    """Bounds so low that little files meet them."""
    monkeypatch.setattr(pages, "_AT_ONCE", 1 << 16)


def texts(seed: int, rows: int = 3_000) -> list[str | None]:
    noise = random.Random(seed)
    return [noise.choice([None, "", "a" * noise.randint(0, 300), f"b{noise.randint(0, 9)}" * 90]) for _ in range(rows)]


def chunk_of(path, group: int = 0) -> pages.Chunk:
    return pages.chunks_of(str(path))[group][0]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("encoding", [None, "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_the_rows_are_the_same_however_few_are_decoded_at_once(read, tmp_path, small, version, codec, encoding):
    path, rows = tmp_path / "x.parquet", texts(len(codec))
    how = {"use_dictionary": False, "column_encoding": {"text": encoding}} if encoding else {}
    table = pa.table({"text": rows, "tags": [["x"] * (number % 4) for number in range(len(rows))]})
    pq.write_table(table, path, compression=codec, data_page_version=version, data_page_size=4096, **how)
    found, tally = read(path)
    assert [row["raw"] for row in found] == [text for text in rows if text is not None]
    assert {reject.reason for reject in tally.rejects} == {"no-text"}


def test_a_chunk_is_described_as_arrow_describes_it(tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table({"text": texts(1), "n": list(range(3_000)), "in": [{"a": 1, "b": ["c"]}] * 3_000})
    pq.write_table(table, path, row_group_size=1_000, compression="zstd")
    metadata = pq.ParquetFile(path).metadata
    for group, chunks in enumerate(pages.chunks_of(str(path))):
        for index, chunk in enumerate(chunks):
            column = metadata.row_group(group).column(index)
            first = column.dictionary_page_offset or column.data_page_offset
            assert chunk.column == column.path_in_schema.partition(".")[0]
            assert (chunk.values, chunk.offset, chunk.size) == (column.num_values, first, column.total_compressed_size)


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_a_long_value_of_a_dictionary_lowers_the_rows(tmp_path, small, codec):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["short", "l" * 5_000] * 2_000}), path, compression=codec)
    rows, most = pages.rows_at_once(str(path), [(chunk_of(path), False)], 4_096, ReadOptions())
    assert rows == (1 << 16) // 5_000
    assert most == ReadOptions().max_ratio * chunk_of(path).size


def test_long_rows_in_a_row_lower_the_rows_though_their_average_is_short(tmp_path, small):
    path = tmp_path / "x.parquet"
    table = pa.table({"text": ["short"] * 60_000 + ["l" * 3_000] * 500})
    pq.write_table(table, path, use_dictionary=False, data_page_size=8_192, write_batch_size=4)
    rows, _ = pages.rows_at_once(str(path), [(chunk_of(path), False)], 4_096, ReadOptions())
    assert 1 < rows * 3_000 <= 1 << 16


def test_a_page_above_the_cap_costs_its_row_group(read, tmp_path):
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), use_dictionary=False) as writer:
        for text in ("before", "l" * 100_000, "behind"):
            writer.write_table(pa.table({"text": [text]}))
    rows, tally = read(path, max_page_bytes=50_000)
    assert [row["raw"] for row in rows] == ["before", "behind"]
    assert [(reject.position, reject.reason) for reject in tally.rejects] == [(1, "too-long")]


@pytest.mark.parametrize("column", ["url", "date"])
def test_a_page_of_a_column_in_a_struct_is_held_to_the_cap(read, tmp_path, column):
    path = tmp_path / "x.parquet"
    values = ["x" * 100_000] if column == "url" else pa.array(range(100_000), pa.int64())
    meta = pa.StructArray.from_arrays([values], [column])
    table = pa.table({"text": ["t"] * len(meta), "meta": meta})
    pq.write_table(table, path, use_dictionary=False, compression="none")
    rows, tally = read(path, max_page_bytes=50_000)
    assert rows == []
    assert {reject.reason for reject in tally.rejects} == {"too-long"}


def test_a_page_that_says_it_reaches_beyond_its_chunk_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": ["t" * 90] * 9}), path, use_dictionary=False, compression="none")
    chunk = chunk_of(path)
    pages.rows_at_once(str(path), [(chunk, False)], 9, ReadOptions())
    for fewer in (150, 400):
        with pytest.raises(thrift.MalformedError):
            pages.rows_at_once(str(path), [(chunk._replace(size=chunk.size - fewer), False)], 9, ReadOptions())


def test_rows_beyond_the_ratio_are_rejects(read, tmp_path, monkeypatch):
    monkeypatch.setattr("provenance.readers.parquet._FREE", 1 << 16)
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), compression="zstd") as writer:
        for texts_ in (["before"], ["l" * 10_000] * 1_000, ["behind"]):
            writer.write_table(pa.table({"text": texts_}))
    rows, tally = read(path, batch_bytes=20_000)
    assert (rows[0]["raw"], rows[-1]["raw"]) == ("before", "behind")
    assert {reject.reason for reject in tally.rejects} == {"ratio"}
    assert len(rows) + len(tally.rejects) == 1_002


def test_a_row_of_too_many_values_costs_its_row_group(read, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MOST_REPEATED", 1_000)
    path = tmp_path / "x.parquet"
    with pq.ParquetWriter(path, pa.schema({"text": pa.string(), "license": pa.list_(pa.int32())})) as writer:
        for size in (1, 2_000, 1):
            writer.write_table(pa.table({"text": ["t"], "license": pa.array([[1] * size], pa.list_(pa.int32()))}))
    rows, tally = read(path)
    assert [row["position"] for row in rows] == [0, 2]
    assert [reject.reason for reject in tally.rejects] == ["too-many-values"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 59), st.integers(0, 255))
def test_broken_metadata_is_refused_and_nothing_else(noise, place, byte):
    header = bytes.fromhex("150015ea9c0115ae0215b2a5c2d60b2c15b80b150015061506000000")
    for data in (noise, header[:place] + bytes([byte]) + header[place + 1 :] + noise):
        try:
            fields, end = thrift.read_struct(data, 0, PAGE)
        except (thrift.MalformedError, IndexError):
            continue
        assert end <= len(data)
        assert set(fields) <= set(PAGE)


def test_metadata_nested_without_end_is_refused():
    with pytest.raises(thrift.MalformedError):
        thrift.read_struct(b"\x1c" * 1_000, 0, {})
    with pytest.raises(thrift.MalformedError):
        thrift.read_struct(b"\x19" + b"\x19" * 1_000, 0, {1: None})
    with pytest.raises(thrift.MalformedError):
        thrift.read_struct(b"\x1b" + b"\x01\xbb" * 1_000, 0, {1: None})


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 26), st.integers(0, 255))
@example(0, 0x1C)  # what says which kind of page it is, as a struct
@example(0, 0x19)  # as a list
def test_a_page_header_with_fields_of_other_types_is_refused_or_read(place, byte):
    header = bytearray.fromhex("150015ea9c0115ae0215b2a5c2d60b2c15b80b150015061506000000")
    header[place] = byte
    with contextlib.suppress(thrift.MalformedError):
        page = pages._page(io.BytesIO(bytes(header) + b"\x00" * 40), 0)
        assert all(isinstance(value, int) for value in page)


@pytest.mark.parametrize("kind", range(1, 14))
def test_a_footer_with_a_field_of_another_type_is_refused_or_read(tmp_path, kind):
    for depth, begin in enumerate(["", "491c", "491c191c", "491c191c3c"]):
        path = tmp_path / f"{depth}.parquet"
        footer = bytes.fromhex(begin) + bytes([(4, 1, 3, 3)[depth] << 4 | kind]) + bytes(40)
        path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        with contextlib.suppress(thrift.MalformedError):
            assert all(isinstance(chunk, pages.Chunk) for group in pages.chunks_of(str(path)) for chunk in group)
