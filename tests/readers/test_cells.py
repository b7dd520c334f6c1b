"""Columns of a table whose values are not what their type says."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.readers.cells import as_strings, values_of

BAD = pa.array([b"good", b"b\xff", None])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.large_binary()])
def test_bytes_that_are_no_text_are_escaped(kind):
    assert values_of(BAD.cast(kind, safe=False)) == ["good", "b\\xff", None]


def test_bytes_that_are_no_text_are_escaped_in_a_dictionary():
    named = pa.DictionaryArray.from_arrays(pa.array([1, 0, 2, 1]), BAD.cast(pa.string(), safe=False))
    assert as_strings(named).to_pylist() == ["b\\xff", "good", None, "b\\xff"]


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([[b"a"], [b"\xff"]]).cast(pa.list_(pa.string()), safe=False), ["['a']", None]),
        (pa.array([0, 2**62], pa.timestamp("us")), ["1970-01-01 00:00:00", None]),
        (pa.array([0, 2**31 - 1], pa.date32()), ["1970-01-01", None]),
        (pa.array([0], pa.timestamp("us", "Nowhere/Atall")), [None]),
        (pa.array([7, None]), ["7", None]),
    ],
)
def test_what_python_has_no_object_for_is_nothing(column, shown):
    assert as_strings(column).to_pylist() == shown


@pytest.mark.parametrize("column", ["url", "date", "license", "id"])
def test_a_table_with_bytes_that_are_no_text_is_read(read, tmp_path, column):
    path = tmp_path / "x.parquet"
    text = pa.array(["one", "two", "three"])
    pq.write_table(pa.table({"text": text, column: BAD.cast(pa.string(), safe=False)}), path)
    rows, tally = read(path)
    assert [row["raw"] for row in rows] == ["one", "two", "three"]
    assert tally.rejects == []
    if column == "url":
        assert [row["url"] for row in rows] == ["good", "b\\xff", None]
