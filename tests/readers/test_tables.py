"""JSONL and Parquet: columns found by name, rows numbered, bad ones rejected alone."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import SourceError, UsageError
from provenance.readers import ReadOptions, Source, crawl_rows, jsonl_lines, parquet_tables

SHAPES = {
    "dolma": (
        {
            "id": "http://a.example/1", "text": "x", "source": "common-crawl",
            "added": "2023-04-07T15:24:38.743534+00:00", "created": "2020-03-29T09:04:10Z",
        },
        ("http://a.example/1", "http://a.example/1", datetime(2023, 4, 7, 15, 24, 38, 743534, UTC), "column"),
    ),
    "dolma with capture time": (
        {"id": "7", "text": "x", "added": "2023-04-07T15:24:38Z",
         "metadata": {"url": "http://m.example", "date_download": "2020-03-29T09:04:10Z"}},
        ("7", "http://m.example", datetime(2020, 3, 29, 9, 4, 10, tzinfo=UTC), "column"),
    ),
    "fineweb": (
        {"text": "x", "id": "<urn:uuid:1>", "dump": "CC-MAIN-2013-20", "language": "en",
         "url": "http://f.example", "date": "2013-05-18T07:24:14Z"},
        ("<urn:uuid:1>", "http://f.example", datetime(2013, 5, 18, 7, 24, 14, tzinfo=UTC), "column"),
    ),
    "c4": (
        {"text": "x", "timestamp": "2019-04-25 12:57:54", "url": "http://c.example"},
        (None, "http://c.example", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC), "column"),
    ),
    "redpajama": (
        {"text": "x", "meta": {"url": "http://r.example", "timestamp": 1512465451000, "source": "arxiv"}},
        (None, "http://r.example", datetime(2017, 12, 5, 9, 17, 31, tzinfo=UTC), "column"),
    ),
    "redpajama v2": (
        {"raw_content": "x", "url": "http://v.example", "date_download": "2023-02-01T10:00:00Z", "digest": "sha1:A"},
        (None, "http://v.example", datetime(2023, 2, 1, 10, tzinfo=UTC), "column"),
    ),
    "author's date only": (
        {"content": "x", "published_at": "2017-01-02"},
        (None, None, datetime(2017, 1, 2, tzinfo=UTC), "page"),
    ),
    "no date": ({"document": "x", "doc_id": 12}, ("12", None, None, None)),
    "epoch zero": ({"text": "x", "timestamp": 0}, (None, None, datetime(1970, 1, 1, tzinfo=UTC), "implausible")),
    "the far future": (
        {"text": "x", "date": "9999-12-31T00:00:00Z"},
        (None, None, datetime(9999, 12, 31, tzinfo=UTC), "implausible"),
    ),
}  # fmt: skip


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_known_shapes(read, tmp_path, shape, form):
    row, expected = SHAPES[shape]
    if form == "jsonl":
        content = lines(row, row)
    else:
        pq.write_table(pa.Table.from_pylist([row, row]), tmp_path / "x.parquet")
        content = (tmp_path / "x.parquet").read_bytes()
    rows, _ = read(content)
    found = rows[1]
    assert found["raw"] == "x"
    assert found["position"] == 1
    assert (found["own_id"], found["url"], found["captured_at"], found["date_origin"]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20190425125754", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        ("20190425", datetime(2019, 4, 25, tzinfo=UTC)),
        ("Thu, 25 Apr 2019 12:57:54 GMT", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        ("2019-04-25T14:57:54+02:00", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        ("2019", datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2018-12", datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (1556197074, datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        (1556197074.5, datetime(2019, 4, 25, 12, 57, 54, 500000, tzinfo=UTC)),
        ("1556197074000", datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)),
        (True, None),
        ("soon", None),
        ([2019], None),
        (1e300, None),
        ("2019-13-45", None),
    ],
)
def test_date_formats(read, value, expected):
    assert read(lines({"text": "x", "date": value}))[0][0]["captured_at"] == expected


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: pa.compress(content, "zstd", asbytes=True)])
def test_jsonl_traps(read, pack):
    content = (
        b"\xef\xbb\xbf" + b'{"text": "first"}\r\n' + b"\r\n" + b'{"text": "cut\r\n' + b"[1]\n" + b'{"text": 5}\n'
        + b"\n" + b'{"text": "bad \xff utf"}\n' + b'{"other": 1}\n' + b'{"text": "\\ud800 lone"}\n'
        + b'{"text": "last"}'
    )  # fmt: skip
    rows, tally = read(pack(content))
    assert [(row["position"], row["raw"]) for row in rows] == [(0, "first"), (8, "\ufffd lone"), (9, "last")]
    assert sorted((reject.position, reject.reason) for reject in tally.rejects) == [
        (2, "bad-json"), (3, "bad-json"), (4, "no-text"), (6, "bad-json"), (7, "no-text"),
    ]  # fmt: skip
    assert "byte 24" in tally.rejects[0].detail


def test_deeply_nested_line_is_a_reject(read):
    rows, tally = read(lines({"text": "a"}) + b'{"text": "b", "x": ' + b"[" * 200_000 + b"\n" + lines({"text": "c"}))
    assert [row["raw"] for row in rows] == ["a", "c"]
    assert [reject.reason for reject in tally.rejects] == ["bad-json"]


def test_long_lines_and_texts_are_rejects(read):
    content = lines({"text": "a"}, {"text": "b" * 3_000_000}, {"text": "c" * 400}, {"text": "d"})
    rows, tally = read(content, max_line_bytes=1000, max_record_bytes=300)
    assert [row["raw"] for row in rows] == ["a", "d"]
    assert [(reject.position, reject.reason) for reject in tally.rejects] == [(1, "line-too-long"), (2, "too-long")]


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: pa.compress(content, "zstd", asbytes=True)])
def test_truncated_compressed_jsonl_reports_the_line_that_is_cut(read, pack):
    words = [f"{(i * 7919) % 100003:x}" * 9 for i in range(40_000)]
    whole = pack(lines(*({"text": word} for word in words)))
    rows, tally = read(whole[: len(whole) * 3 // 4])
    assert [row["raw"] for row in rows] == words[: len(rows)]
    assert len(tally.rejects) == 1
    assert tally.rejects[0].position == len(rows)


def test_json_array(read):
    rows, tally = read(json.dumps([{"text": "a"}, 3, {"text": "b"}]).encode())
    assert [(row["position"], row["raw"]) for row in rows] == [(0, "a"), (2, "b")]
    assert len(tally.rejects) == 1


def test_too_many_rejects_end_the_source(read):
    with pytest.raises(SourceError, match="More than 10 units"):
        read(b"{\n" * 50, max_rejects=10)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_named_columns(read, tmp_path, form):
    row = {"text": "no", "Prose": "yes", "when": "2018-01-01", "extra": {"key": "k9", "at": "http://x.example"}}
    if form == "jsonl":
        content = lines(row)
    else:
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "x.parquet")
        content = (tmp_path / "x.parquet").read_bytes()
    found = read(content, text_column="Prose", date_column="when", id_column="extra.key", url_column="extra.at")[0][0]
    assert (found["raw"], found["own_id"], found["url"], found["date_origin"]) == (
        "yes",
        "k9",
        "http://x.example",
        "column",
    )
    with pytest.raises(UsageError, match=r"'nothing'.*Prose"):
        read(content, text_column="nothing")
    with pytest.raises(UsageError, match="No column of text"):
        read(lines({"label": "x", "n": 1}))


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ({"model": "gpt-4o-mini"}, True),
        ({"model": "Toyota Corolla"}, False),
        ({"generator": "anything"}, True),
        ({"source": "synthetic"}, True),
        ({"source": "photosynthetic bacteria"}, False),
        ({"source": "common-crawl"}, False),
        ({"is_synthetic": True}, True),
        ({"is_synthetic": False}, False),
        ({"metadata": {"model": "Llama-3-70b"}}, True),
        ({"licence": "CC-BY-4.0"}, True),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_fields_that_declare(read, tmp_path, field, kept, form):
    row = {"text": "x", **field}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "x.parquet")
    content = lines(row) if form == "jsonl" else (tmp_path / "x.parquet").read_bytes()
    declared = read(content)[0][0]["declarations"]
    assert bool(declared) == kept
    assert {item["where"] for item in declared} <= {"field"}


def test_dataset_card(read, tmp_path):
    (tmp_path / "README.md").write_text(
        "---\nlicense: cc-by-4.0\nlanguage_creators:\n- machine-generated\n- found\n"
        "tags: [nlp, 'synthetic']\nother:\n- x\n---\n# Card\nlicense: no\n"
    )
    declared = read(lines({"text": "x"}))[0][0]["declarations"]
    assert [tuple(item.values()) for item in declared] == [
        ("card", "license", "cc-by-4.0"),
        ("card", "language_creators", "machine-generated"),
        ("card", "language_creators", "found"),
        ("card", "tags", "synthetic"),
    ]


def test_parquet_text_types_nulls_and_row_groups(read, tmp_path):
    texts = ["a", None, "ü", "b" * 50, "c"]
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())):
        values = pa.array(texts, pa.string()).cast(kind)
        pq.write_table(pa.table({"n": range(5), "text": values}), tmp_path / "x.parquet", row_group_size=2)
        rows, tally = read(tmp_path / "x.parquet", max_record_bytes=40)
        assert [(row["position"], row["raw"]) for row in rows] == [(0, "a"), (2, "ü"), (4, "c")]
        assert [(reject.position, reject.reason) for reject in tally.rejects] == [(1, "no-text"), (3, "too-long")]


def test_parquet_bytes_that_are_no_text(read, tmp_path):
    pq.write_table(pa.table({"text": pa.array([b"a", b"\xff\xfe", b"b"], pa.binary())}), tmp_path / "x.parquet")
    rows, tally = read(tmp_path / "x.parquet")
    assert [row["raw"] for row in rows] == ["a", "b"]
    assert [(reject.position, reject.reason) for reject in tally.rejects] == [(1, "bad-utf8")]


def test_parquet_columns_of_one_name(read, tmp_path):
    table = pa.table([pa.array(["x"]), pa.array(["y"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(SourceError, match="Two columns are named 'text'"):
        read(tmp_path / "twice.parquet")


def test_parquet_batches_are_bounded(tmp_path, read):
    from provenance.readers import Tally, open_records

    pq.write_table(pa.table({"text": ["w" * 1000] * 100}), tmp_path / "x.parquet")
    source = Source(str(tmp_path / "x.parquet"), "x", 1)
    sizes = [batch.num_rows for batch in open_records(source, ReadOptions(batch_bytes=10_000), Tally())]
    assert sum(sizes) == 100
    assert max(sizes) <= 11


def test_damaged_page_costs_its_row_group(read, tmp_path):
    noise = np.random.default_rng(1)
    texts = ["".join(map(chr, noise.integers(97, 123, 2000))) for _ in range(40)]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"text": texts}), path, row_group_size=10, use_dictionary=False, write_page_checksum=True)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    stored = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    stored[middle : middle + 64] = b"\xff" * 64
    rows, tally = read(bytes(stored), "y.parquet")
    assert [row["position"] for row in rows] == [*range(10), *range(20, 40)]
    assert [reject.position for reject in tally.rejects] == list(range(10, 20))


@pytest.mark.parametrize("cut", [1, 8, 200])
def test_broken_footer_is_one_clear_error(read, tmp_path, cut):
    pq.write_table(pa.table({"text": ["a"] * 100}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="footer can't be read"):
        read((tmp_path / "x.parquet").read_bytes()[:-cut])


def test_kept_parquet_rows_are_the_originals(tmp_path):
    table = pl.DataFrame(
        {"z": range(100), "text": [f"t{i}" for i in range(100)], "d": [[i, i] for i in range(100)]}
    ).to_arrow()
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=30)
    source = Source(str(tmp_path / "x.parquet"), "x.parquet", 1)
    keep = np.array([0, 1, 29, 30, 95, 99], dtype=np.int64)
    schema, tables = parquet_tables(source, ReadOptions(batch_rows=8), keep)
    kept = list(tables)
    stored = pq.read_table(tmp_path / "x.parquet")
    assert schema.equals(stored.schema)
    assert pa.concat_tables(table for _, table in kept).equals(stored.take(pa.array(keep)))
    assert np.concatenate([positions for positions, _ in kept]).tolist() == keep.tolist()


def test_kept_lines_and_records_are_the_originals(tmp_path, record, members):
    raw = [b'{"b": 1.50,  "text": "x"}', b"", b"broken", '{"text":"ü"}'.encode()]
    (tmp_path / "x.jsonl").write_bytes(b"\r\n".join(raw))
    source = Source(str(tmp_path / "x.jsonl"), "x.jsonl", 1)
    assert list(jsonl_lines(source, ReadOptions(), np.array([0, 3]))) == [(0, raw[0]), (3, raw[3])]
    parts = [members(record(word)) for word in ("one", "two", "three")]
    (tmp_path / "x.warc.gz").write_bytes(b"".join(parts))
    crawl = Source(str(tmp_path / "x.warc.gz"), "x.warc.gz", 1)
    kept = [row for batch in crawl_rows(crawl, ReadOptions(), [len(parts[0])]) for row in batch.to_pylist()]
    assert [row["raw"] for row in kept] == ["two"]
