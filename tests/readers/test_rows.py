"""Rows that a filter keeps: those that stand at given positions, as they stand there."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import SourceError
from provenance.readers import ReadOptions, Source, jsonl_lines, parquet_tables
from provenance.readers.rows import taken


def source(path):
    return Source(str(path), path.name, path.stat().st_size)


@pytest.mark.parametrize("packed", [False, True])
def test_objects_of_a_json_array_become_lines(tmp_path, packed):
    rows = [{"text": f"naïve \u2028 {n}", "deep": {"n": [n, None]}} for n in range(5)]
    content = b"\xef\xbb\xbf" + json.dumps(rows, indent=1).encode()
    path = tmp_path / ("x.json.gz" if packed else "x.json")
    path.write_bytes(gzip.compress(content) if packed else content)
    found = list(jsonl_lines(source(path), ReadOptions(), np.array([0, 3])))
    assert [place for place, _ in found] == [0, 3]
    assert [json.loads(line) for _, line in found] == [rows[0], rows[3]]
    assert all(b"\n" not in line for _, line in found)


def test_lines_keep_their_bytes_and_lose_their_ends(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": "a"}\r\n\n{ "text" : "b" }\n{broken\n{"text": "c"}')
    found = dict(jsonl_lines(source(path), ReadOptions(), np.array([0, 2, 4])))
    assert found == {0: b'{"text": "a"}', 2: b'{ "text" : "b" }', 4: b'{"text": "c"}'}


def test_rows_of_a_type_that_arrow_can_not_take_from():
    table = pa.table(
        {"text": pa.array([f"row {n}, which is too long to stand inline" for n in range(9)], pa.string_view())}
    )
    places = np.array([0, 1, 4, 7, 8])
    assert taken(table, places)["text"].to_pylist() == [table["text"][int(n)].as_py() for n in places]
    assert taken(table, np.arange(9)) is table


def test_a_table_that_was_damaged_since_the_scan_is_named(tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table({"text": [f"row {n} " + "x" * 200 for n in range(4000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    at = pq.read_metadata(path).row_group(2).column(0).data_page_offset
    content[at : at + 60] = b"\xff" * 60
    path.write_bytes(content)

    def kept(*places):
        return sum(len(found) for found, _ in parquet_tables(source(path), ReadOptions(), np.array(places))[1])

    assert kept(3, 1500, 3999) == 3
    with pytest.raises(SourceError, match=r"Row group 2 .*x\.parquet.*scan it again"):
        kept(2500)
