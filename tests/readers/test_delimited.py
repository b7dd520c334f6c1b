"""CSV and TSV: what the csv module writes is read back, and a bad row costs itself."""

from __future__ import annotations

import csv
import gzip
import io
import time
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from provenance.errors import SourceError, UsageError
from provenance.readers import ReadOptions, Source, own_tables

ROWS = [
    {"id": "1", "text": 'he said "hi", and\nwent on', "url": "http://a.example/1", "date": "2019-03-04"},
    {"id": "2", "text": "plain", "url": "http://a.example/2", "date": ""},
    {"id": "3", "text": "漢字 — ünï", "url": "", "date": "2020-01-01T00:00:00Z"},
]


def written(rows=ROWS, **dialect):
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), **dialect)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_dialects_and_encodings_read_the_same(read, delimiter, encoding):
    text = written(delimiter=delimiter)
    content = ("\ufeff" + text).encode(encoding[:-4]) if encoding.endswith("bom") else text.encode(encoding)
    rows, tally = read(content, "x.tsv" if delimiter == "\t" else "x.csv")
    assert [row["raw"] for row in rows] == [row["text"] for row in ROWS]
    assert [row["own_id"] for row in rows] == ["1", "2", "3"]
    assert [row["url"] for row in rows] == ["http://a.example/1", "http://a.example/2", None]
    assert [row["position"] for row in rows] == [0, 1, 2]
    assert rows[0]["captured_at"] == datetime(2019, 3, 4, 23, 59, 59, tzinfo=UTC) or rows[0]["captured_at"].year == 2019
    assert rows[1]["captured_at"] is None
    assert not tally.rejects
    assert tally.format == ("tsv" if delimiter == "\t" else "csv")


def test_other_encodings_are_told_by_their_bytes(read):
    text = "id,text\n" + "".join(f"{n},déjà vu à l'été très naïf façade\n" for n in range(30))
    rows, _ = read(text.encode("windows-1252"), "x.csv")
    assert rows[0]["raw"] == "déjà vu à l'été très naïf façade"


def test_one_bad_byte_does_not_make_it_another_encoding(read):
    content = "id,text\n1,ünï\n2,Ärger\n3,bad \xff\n4,ok\n".encode("latin-1").replace(b"\xfcn\xef", "ünï".encode())
    rows, tally = read(content.replace(b"\xc4rger", "Ärger über Öl".encode()), "x.csv")
    assert [row["raw"] for row in rows] == ["ünï", "Ärger über Öl", "ok"]
    assert [(reject.position, reject.reason) for reject in tally.rejects] == [(2, "bad-utf8")]


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_written_is_read_back(read, rows, delimiter, quoting, end):
    """Where the dialect can be told: enough rows of the plain kind stand before the odd ones."""
    plain = [{"text": f"a row {number}", "note": "plain"} for number in range(60)]
    # The csv module of some Pythons writes a bare CR without quotes where lines end in LF alone.
    assume(end == "\r\n" or quoting != csv.QUOTE_MINIMAL or not any("\r" in cell for row in rows for cell in row))
    odd = [{"text": text, "note": note} for text, note in rows]
    file = written(plain + odd, delimiter=delimiter, quoting=quoting, lineterminator=end)
    found, tally = read(file.encode(), "x.csv")
    assert not tally.rejects
    assert [row["raw"] for row in found] == [row["text"] for row in plain + odd]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('a,"\n\r\t\\;é\ufeff '), max_size=200))
def test_any_text_is_read_to_its_end_and_the_same_each_time(read, text):
    def once():
        try:
            rows, tally = read(("text,note\n" + text + "\nlast,one\n").encode(), "x.csv", max_line_bytes=64)
        except (UsageError, SourceError) as error:
            return str(error)
        return [(row["position"], row["raw"]) for row in rows], tally.rejects

    assert once() == once()


def test_bad_rows_are_rejects_and_the_rest_is_read(read):
    content = (
        b'id,text\n0,good\n1,"never closed\n2,good\n3,a,b,c\n4\n5,"x"y\n\n6,"several\nlines"\n7,\xff\xfe\n8,good,\n'
    )
    rows, tally = read(content, "x.csv")
    assert [(row["position"], row["own_id"]) for row in rows] == [(0, "0"), (2, "2"), (6, "6"), (8, "8")]
    assert [(reject.position, reject.reason) for reject in tally.rejects] == [
        (1, "bad-row"), (3, "bad-row"), (4, "bad-row"), (5, "bad-row"), (7, "bad-utf8")
    ]  # fmt: skip
    assert tally.rejects[1].detail == "line 5: 4 fields where the header has 2"


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(read):
    content = b'id,text\n1,good\n2,"open\n' + b"".join(b"%d,good\n" % n for n in range(3, 1000))
    rows, tally = read(content, "x.csv")
    assert len(rows) == 998
    assert len(tally.rejects) == 1


def test_many_open_quotes_take_no_square_time(read):
    # Each line opens a quote that the next one closes in the middle of a field.
    content = b"id,text\n" + b'1,"open\n' * 5_000
    began = time.monotonic()
    _, tally = read(content, "x.csv")
    assert time.monotonic() - began < 5
    assert len(tally.rejects) + tally.records >= 2_500
    content = b"id,text\n1,x\n" + b'"' * 3 + b"x\n" * 60_000
    began = time.monotonic()
    rows, tally = read(content, "y.csv", max_rejects=400_000)
    assert time.monotonic() - began < 15
    assert rows[0]["own_id"] == "1"


def test_rows_and_fields_have_caps(read):
    content = b"id,text\n1,good\n2," + b"x" * 5000 + b'\n3,"' + b"y\n" * 4000 + b'"\n4,good\n'
    rows, tally = read(content, "x.csv", max_line_bytes=3000, max_rejects=10_000)
    assert [row["own_id"] for row in rows] == ["1", "4"]
    assert tally.rejects[0].reason == tally.rejects[1].reason == "line-too-long"
    rows, tally = read(b"id,text\n1,good\n2," + b"x" * 5000 + b"\n3,good\n", "x.csv", max_record_bytes=3000)
    assert [row["own_id"] for row in rows] == ["1", "3"]
    assert [reject.reason for reject in tally.rejects] == ["too-long"]
    with pytest.raises(SourceError, match="columns, more than 50"):
        read(b"text," + b"c," * 60 + b"d\n", "x.csv", max_columns=50)


def test_damage_to_the_compression(read):
    content = gzip.compress(
        "".join(f"{n},text number {n}\n" for n in range(-1, 9000)).replace("-1,", "id,", 1).encode()
    )
    assert b"id" not in content[:8]
    rows, tally = read(content[:-2000], "x.csv.gz", text_column="text number -1")
    assert len(rows) > 6000
    assert rows[-1]["raw"] == f"text number {len(rows) - 1}"
    assert [(reject.reason, reject.position) for reject in tally.rejects] == [("truncated", len(rows))]


def test_a_file_without_text_names_its_columns(read):
    with pytest.raises(UsageError, match="No column of text") as caught:
        read(b"a,b\n1,2\n", "x.csv")
    assert "Columns: a, b" in caught.value.next_step
    assert read(b"a,b\n1,2\n", "x.csv", text_column="b")[0][0]["raw"] == "2"


@pytest.mark.parametrize("content", [b"text\n", b"text,id\n", b"\n\n"])
def test_nothing_behind_a_header(read, content):
    assert read(content, "x.csv")[0] == []


def test_a_single_column_may_hold_commas(read):
    rows, tally = read(b"text\n" + b"".join(b"first, second, and number %d\n" % n for n in range(9)), "x.csv")
    assert [row["raw"] for row in rows] == [f"first, second, and number {n}" for n in range(9)]
    assert not tally.rejects


def test_tabs_without_quoting(read):
    rows, _ = read(b'id\ttext\n1\t"Hello" she said\n2\ta 5" disk, and "more\n', "x.tsv")
    assert [row["raw"] for row in rows] == ['"Hello" she said', 'a 5" disk, and "more']


def test_quotes_escaped_with_a_backslash(read):
    rows, _ = read(b'id,text\n1,"he said \\"hi\\", so"\n2,"and \\"no\\""\n', "x.csv")
    assert [row["raw"] for row in rows] == ['he said "hi", so', 'and "no"']


def test_what_looks_like_json_but_is_named_csv(read):
    rows, tally = read(b"{text},id\nhello,1\n", "x.csv", text_column="{text}")
    assert tally.format == "csv"
    assert rows[0]["raw"] == "hello"


@pytest.mark.parametrize("chosen", [[], [0], [1, 3], [0, 2, 3]])
def test_kept_rows_with_their_own_columns(tmp_path, chosen):
    path = tmp_path / "x.csv"
    path.write_bytes(b'b,text,b,\n"1,5",one,x,\n2,two,,\nbad\n3,"th\nree",z,\n')
    kept = [place for place in chosen if place != 2]
    schema, tables = own_tables(
        Source(str(path), "x.csv", path.stat().st_size), ReadOptions(batch_rows=2), np.array(kept, np.int64)
    )
    assert schema.names == ["b", "text", "b_2", ""]
    found = list(tables)
    assert [int(position) for positions, _ in found for position in positions] == kept
    rows = [row for _, table in found for row in table.to_pylist()]
    expected = {0: ("1,5", "one", "x"), 1: ("2", "two", ""), 3: ("3", "th\nree", "z")}
    assert [(row["b"], row["text"], row["b_2"]) for row in rows] == [expected[place] for place in kept]


def test_large_files_read_as_arrow_reads_them(read):
    rows = [{"id": str(n), "text": f'text "{n}",\nof two lines', "url": f"http://a.example/{n}"} for n in range(9000)]
    content = written(rows).encode()
    found, _ = read(content, "x.csv", batch_rows=512)
    options = pa.csv.ParseOptions(newlines_in_values=True)
    table = pa.csv.read_csv(io.BytesIO(content), parse_options=options)
    assert [row["raw"] for row in found] == table.column("text").to_pylist()
    assert [row["url"] for row in found] == table.column("url").to_pylist()
