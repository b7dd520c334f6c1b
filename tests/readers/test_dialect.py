"""The dialect of a delimited file, by what the csv module then makes of it."""

from __future__ import annotations

import csv
import io

import pytest

from provenance.readers import dialect
from provenance.readers.dialect import dialect_of

ROWS = [["id", "text"], *([str(number), f'words, and "more"; of {number}|x'] for number in range(8))]


def written(rows, **how):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", **how).writerows(rows)
    return file.getvalue()


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize(
    "how", [{}, {"doublequote": False, "escapechar": "\\", "quoting": csv.QUOTE_ALL}, {"quoting": csv.QUOTE_ALL}]
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_was_written_is_read(delimiter, how, mark):
    content = mark + written(ROWS, delimiter=delimiter, **how)
    found = dialect_of(content, "x.csv", ["text"], whole=True)
    assert found.delimiter == delimiter
    assert list(csv.reader(io.StringIO(content.removeprefix("\ufeff")), found)) == ROWS


def test_without_quotes_a_quote_is_a_character():
    content = 'id\ttext\n1\t"unfinished\n2\tsaid "so"\n3\tplain\n'
    found = dialect_of(content, "x.tsv", ["text"], whole=True)
    assert [len(row) for row in csv.reader(io.StringIO(content), found)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("name", "delimiter"), [("x.TSV", "\t"), ("x.tab.gz", "\t"), ("x.csv", ","), ("x.tabular", ",")]
)
def test_where_two_ways_fit_the_name_decides(name, delimiter):
    content = "".join(f"a{number}\tb,c{number}\td\n" for number in range(5)).replace("\td", "")
    assert dialect_of(content, name, [], whole=True).delimiter == delimiter


def test_a_header_that_names_a_likely_column_decides_before_all_else():
    content = "Text;a,b,c\n" + "words;1,2,3\n" * 5
    assert dialect_of(content, "x.csv", ["text"], whole=True).delimiter == ";"
    assert dialect_of(content, "x.csv", ["body"], whole=True).delimiter == ","


def test_a_row_that_the_sample_cuts_is_no_misfit():
    rows = [["id", "text"], *([str(number), f"line\nline, {number}"] for number in range(20))]
    content = written(rows)
    for size in (40, 55, 90, 200):
        assert dialect_of(content[:size], "x", [], whole=False).delimiter == ","


def test_only_the_first_rows_count(monkeypatch):
    monkeypatch.setattr(dialect, "_ROWS", 10)
    content = "a,b\n" + "1,2\n" * 9 + "x;y;z\n" * 500
    assert dialect_of(content, "x", [], whole=True).delimiter == ","
    assert dialect._fit(content.splitlines(True), dialect._Quoted, True) == (2, 1.0)


@pytest.mark.parametrize(
    ("content", "fit"), [("", (0, 0.0)), ("a,b\n\n1,2\n3\n4,5\n", (2, 0.75)), ("\n\na\n", (1, 1.0))]
)
def test_the_share_of_rows_that_are_as_wide_as_the_header(content, fit):
    assert dialect._fit(content.splitlines(True), dialect._Quoted, True) == fit


def test_a_row_that_can_not_be_read_counts_as_a_misfit_and_the_next_are_read():
    content = 'a,b\n1,"x"y\n2,3\n4,5\n'
    assert dialect._fit(content.splitlines(True), dialect._Quoted, True) == (2, 0.75)


def test_one_misfit_after_another():
    content = 'a,b\n1,"x"y\n2,"x"y\n3,4\n'
    assert dialect._fit(content.splitlines(True), dialect._Quoted, True) == (2, 0.5)
