"""Sources that could not be read: how they are told, how the scan stands without them, what is there later."""

from __future__ import annotations

import json

import pytest

from provenance.cli import output


@pytest.fixture
def folder(cli, tmp_path):
    """A folder of one good file and seven that can't be read, for two reasons."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [{"text": f"some words of page {n} " * 20} for n in range(3)]
    (folder / "good.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for n in range(5):
        (folder / f"bad{n}.parquet").write_bytes(b"PAR1....PAR1")
    for n in range(2):
        (folder / f"no{n}.jsonl").write_text('{"n": 1}\n')
    return folder


def test_many_sources_are_left_out_by_reason(cli, folder):
    done = cli("scan", "in", "--name", "s", "--jobs", 1)
    assert done.code == 2
    told = [line for line in done.err.splitlines() if line.startswith("not read: ")]
    assert [line.partition(", such as ")[0] for line in told] == ["not read: 5 sources", "not read: 2 sources"]
    assert "bad0.parquet, bad1.parquet: " in told[0]
    assert "bad2" not in done.err
    assert json.loads(cli("sql", done.err.splitlines()[-1].split('"')[1], "--json").out)[0].keys() == {"uri", "error"}

    (row,) = [line.split("  ") for line in cli("status").out.splitlines() if line.startswith(" s ")]
    assert "done, 7 sources left out" in (cell.strip() for cell in row)
    (scan,) = json.loads(cli("status", "--json").out)["scans"]
    assert (scan["left_out"], scan["records"], scan["sources"]) == (7, 3, 8)

    done = cli("filter", "s", "--keep", "unknown", "--out", "o.jsonl")
    assert done.code == 0
    told = [line for line in done.err.splitlines() if line.startswith("left out, because")]
    assert len(told) == 2
    found = json.loads(cli("filter", "s", "--keep", "unknown", "--out", "o.jsonl", "--json").out)
    assert len(found["unread_sources"]) == len(found["unread_reasons"]) == 7


def test_few_sources_are_named(capsys):
    output.left_out("not read", [("b\x1b", "broken (b\x1b)"), ("a", "gone (a)")], "select 1")
    assert capsys.readouterr().err.splitlines() == ["not read: b\\u001b: broken", "not read: a: gone"]
    output.left_out("not read", [], "select 1")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_a_finished_scan_whose_rows_are_gone_is_not_said_to_be_done(cli, folder, tmp_path, harm):
    assert cli("scan", folder / "good.jsonl", "--jobs", 1).code == 0
    assert "nothing was read" in cli("scan", folder / "good.jsonl").err
    part = next((tmp_path / "provenance-store" / "parts" / "observations").rglob("*.parquet"))
    content = part.read_bytes()
    part.unlink()
    if harm == "short":
        part.write_bytes(content[:-1])
    done = cli("scan", folder / "good.jsonl")
    assert done.code == 2
    assert part.name in done.err
    assert ("is missing" in done.err) == (harm == "missing")
    assert "provenance verify" in done.err
    assert "nothing was read" not in done.err


@pytest.mark.parametrize("name", ["in/good.jsonl", "./x", "good.jsonl", "s/zz", "ab", "https://a.example/"])
def test_a_path_is_no_record(cli, folder, name):
    assert cli("init").code == 0
    done = cli("explain", name)
    assert done.code == 2
    assert "at least 4 of the hexadecimal digits" in done.err
    query = done.err.split('"')[1]
    assert cli("sql", query).code == 0
