"""``provenance sql``: each format is what other programs expect of it."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from provenance.cli import output

QUERY = """select 1 as n, 'a,"b' as s, [1, 2] as l, true as b, null as z, timestamp '2020-01-02 03:04:05' as t
union all select 2, 'café', [], false, 1, null order by n"""


@pytest.fixture
def made(cli):
    assert cli("init").code == 0
    return cli


def test_json_is_one_array_and_jsonl_one_object_a_line(made):
    rows = json.loads(made("sql", QUERY, "--format", "json").out)
    assert [row["n"] for row in rows] == [1, 2]
    assert rows[0]["s"] == 'a,"b'
    assert rows == json.loads(made("sql", QUERY, "--json").out)
    assert rows == [json.loads(line) for line in made("sql", QUERY, "-f", "jsonl").out.splitlines()]
    assert json.loads(made("sql", "select 1 where false", "-f", "json").out) == []
    assert made("sql", "select 1 where false", "-f", "jsonl").out == ""


def test_what_json_cannot_say_is_null(made):
    done = made("sql", "select 'nan'::double as a, ['inf'::double, 1.0] as b", "--json")
    assert json.loads(done.out, parse_constant=pytest.fail) == [{"a": None, "b": [None, 1.0]}]


def test_csv(made):
    rows = list(csv.reader(io.StringIO(made("sql", QUERY, "-f", "csv").out)))
    assert rows == [
        ["n", "s", "l", "b", "z", "t"],
        ["1", 'a,"b', "[1, 2]", "true", "", "2020-01-02 03:04:05"],
        ["2", "café", "[]", "false", "1", ""],
    ]


def test_parquet_to_stdout(made, tmp_path):
    (tmp_path / "t.parquet").write_bytes(made("sql", QUERY, "-f", "parquet", binary=True).out)
    assert pq.read_table(tmp_path / "t.parquet").column("n").to_pylist() == [1, 2]


def test_two_columns_of_one_name(made):
    assert made("sql", "select 1 as a, 2 as a", "-f", "csv").out.splitlines()[1] == "1,2"
    assert made("sql", "select 1 as a, 2 as a").code == 0
    three = json.loads(made("sql", 'select 1 as a, 2 as a, 3 as a_1, 4 as "b""c", 5 as "b""c"', "--json").out)
    assert sorted(three[0].values()) == [1, 2, 3, 4, 5]
    assert three[0]["a"] == 1
    assert three[0]["a_1"] == 3


def test_terminal_escapes_are_shown_not_sent(made):
    evil = "select chr(27) || '[31mred' || chr(155) || '2J' || chr(8238) || 'x' as \"c[red]\", '[bold]b[/]' as d"
    table = made("sql", evil).out
    assert "\x1b" not in table
    assert "\x9b" not in table
    assert "\u202e" not in table
    assert "\\u001b[31mred" in table
    assert "[bold]b[/]" in table
    text = made("sql", evil, "--json").out
    assert not set(text) & {"\x1b", "\x9b", "\u202e"}
    assert json.loads(text)[0]["c[red]"] == "\x1b[31mred\x9b2J\u202ex"


@pytest.mark.parametrize("value", ["\x1b]0;x\x07", "a\nb", "\u2066", "\ud800", "\u200b", "\x7f"])
def test_safe_shows_controls(value):
    shown = output.safe(value)
    assert shown.isprintable()
    assert "\\u" in shown


@pytest.mark.parametrize("title", ["data/[ab]*.jsonl", "[/]", "[red]"])
def test_titles_are_not_markup(title, capsys):
    output.table(("a",), [(1,)], title=title)
    assert title in capsys.readouterr().out


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("selct 1", "selct"),
        ("select * from recrods", "recrods"),
        ("create table t (a int)", "read-only"),
        ("delete from scan_log", "read-only"),
        ("select cast(x as int) from (values ('1'), ('a')) t(x)", "Could not convert"),
    ],
)
def test_a_query_that_fails_says_why(made, query, said):
    done = made("sql", query)
    assert done.code == 2
    assert said in done.err
    assert "fault of the program" not in done.err


def test_the_prompt_reads_queries_and_outlives_a_wrong_one(made, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1 +\n 1 as two;\nselct;\nselect 3 as three"))
    done = made("sql", "-f", "jsonl")
    assert done.code == 0
    assert done.out == '{"two": 2}\n{"three": 3}\n'
    assert "selct" in done.err


def test_show_tables_names_each_once(made):
    names = [row["name"] for row in json.loads(made("sql", "SHOW  tables;", "--json").out)]
    assert names == sorted(set(names))
    assert {"records", "sources", "datasets", "store_meta"} <= set(names)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("from nothing", "show tables"),
        ("select nothing from records", "describe records"),
        ("selec 1", None),
        ("select error('boom')", None),
        ("select cast('x' as int)", None),
        ("select length(1, 2, 3)", None),
    ],
)
def test_only_a_wrong_name_is_answered_with_where_names_are(made, query, hint):
    done = made("sql", query)
    assert done.code == 2
    assert ("provenance sql" in done.err) == (hint is not None)
    assert hint is None or hint in done.err.splitlines()[-1]
    assert "\\u" not in done.err


def test_rows_too_wide_for_a_table_stand_one_value_a_line(made):
    assert made("sql", "from records").out.startswith("no rows of record_id, content_id, ")
    columns = ", ".join(f"{n} as a_rather_long_name_{n}" for n in range(12))
    lines = made("sql", f"select {columns}, null as z from range(2)").out.splitlines()
    assert lines[0] == "row 1"
    assert [line.split() for line in lines[1:13]] == [[f"a_rather_long_name_{n}", str(n)] for n in range(12)]
    assert lines[13:16] == ["  z", "", "row 2"]
    assert made("sql", "select 1 as n where false").out.split() == ["n", "─"]


def test_a_long_answer_is_cut_and_says_so(made):
    done = made("sql", "select range as n from range(1001)")
    assert done.out.split()[-1] == "999"
    assert "first 1,000 rows" in done.err
