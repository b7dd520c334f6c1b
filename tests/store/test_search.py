"""The search finds a text wherever a store may hold it, compressed or not, and nothing else."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import UsageError
from provenance.store.search import Needles, search


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=200),
    st.text(min_size=8, max_size=30),
    st.binary(max_size=200),
    st.lists(st.text(min_size=8, max_size=30), max_size=4),
)
def test_it_finds_what_python_finds(before, needle, after, others):
    others = [text for text in others if len(text.encode()) >= 8]
    buffer = before + needle.encode() + after
    needles = Needles([needle, *others])
    assert needles.found_in(buffer)
    cut = buffer.replace(needle.encode(), b"")
    assert needles.found_in(cut) == any(text.encode() in cut for text in [needle, *others])


def test_it_finds_a_text_that_lies_across_pieces(monkeypatch):
    monkeypatch.setattr("provenance.store.search._AT_ONCE", 64)
    noise = random.Random(1).randbytes(300)
    for place in range(0, 280, 3):
        assert Needles(["a-needle-of-20-bytes"]).found_in(noise[:place] + b"a-needle-of-20-bytes" + noise[place:])
    assert not Needles(["a-needle-of-20-bytes"]).found_in(noise)


def test_short_texts_are_refused():
    with pytest.raises(UsageError, match="short"):
        Needles(["abc"])


def test_every_kind_of_file_is_searched(tmp_path):
    url = "https://forgotten.example/page?" + "x" * 60
    rows = [{"a": "nothing", "b": [{"detail": "nothing"}]}] * 5000
    kinds = {
        "plain.jsonl": lambda path: path.write_text(f"nothing\n{url}\n"),
        "column.parquet": lambda path: pq.write_table(
            pa.Table.from_pylist([*rows, {"a": url, "b": []}]), path, compression="zstd", write_statistics=False
        ),
        "nested.parquet": lambda path: pq.write_table(
            pa.Table.from_pylist([*rows, {"a": "", "b": [{"detail": f"see {url}"}]}]), path, compression="zstd"
        ),
        "dictionary.parquet": lambda path: pq.write_table(
            pa.table({"a": pa.array([url, "x"] * 500).dictionary_encode()}), path
        ),
    }
    for name, write in kinds.items():
        write(tmp_path / name)
    with duckdb.connect(str(tmp_path / "table.duckdb")) as connection:
        connection.execute("create table t as select 'nothing' as a, ['nothing'] as b from range(5000)")
        connection.execute("insert into t values ('nothing', [$1])", [url])
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "clean.parquet")
    (tmp_path / "empty").touch()
    assert search(tmp_path, [url]) == sorted([*kinds, "table.duckdb"])
    assert search(tmp_path, ["https://other.example/" + "y" * 60]) == []
