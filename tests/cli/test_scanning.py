"""What ``scan``, ``register``, ``filter``, ``dedup`` and ``retag`` say to a person."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from provenance import pipeline
from provenance.cli.scanning import _print_dedup, _print_rematch
from provenance.pipeline.results import DedupResult, RematchResult, UniqueCount


def passage(name, words=80):
    return " ".join(f"{name}word{n}" for n in range(words))


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" if isinstance(row, dict) else row for row in rows))
    return path


@pytest.fixture
def web(cli, tmp_path):
    """A scan of three texts; `cli` runs in its folder."""
    write(tmp_path / "web.jsonl", [{"text": passage(name)} for name in "abc"])
    assert cli("scan", "web.jsonl", "--name", "web", "--jobs", 1).code == 0
    return cli


def test_register_tells_of_prompts_short_texts_and_what_could_not_be_read(web, tmp_path):
    rows = [
        {"text": passage("a") + " " + passage("d"), "prompt": passage("q")},
        {"text": "too short", "prompt": ""},
        "{broken\n",
    ]
    write(tmp_path / "made.jsonl", rows)
    made = ("register", "made.jsonl", "--synthetic", "--model", "m1", "--prompt-column", "prompt", "--jobs", 1)
    said = web(*made).out.splitlines()
    assert said[0].startswith("m1-made: 1 synthetic references of m1, 1 prompts excluded, 1 texts too short")
    assert "1 units that could not be read" in said[0]
    assert said[1] == "matched against 1 earlier scans: 1 candidates, 1 newly verified, 0 new and not verified"
    again = web(*made)
    assert "registered already as m1-made" in again.err
    assert "in all, 1 of its matches stand verified, 0 not verified" in again.out


def test_human_references_have_no_model(web, tmp_path):
    write(tmp_path / "known.jsonl", [{"text": passage("z")}])
    done = web("register", "known.jsonl", "--human", "--released", "2020-01-31", "--jobs", 1)
    assert done.out.startswith("known: 1 human references\n")


def test_rematch_says_what_it_could_not_read(web, tmp_path):
    write(tmp_path / "made.jsonl", [{"text": passage("a") + " " + passage("d")}])
    assert web("register", "made.jsonl", "--synthetic", "--model", "m1", "--no-verify", "--jobs", 1).code == 0
    (tmp_path / "web.jsonl").unlink()
    done = web("rematch", "--jobs", 1)
    assert done.code == 0
    assert "1 new and not verified" in done.out or "1 candidates, 0 newly verified" in done.out
    assert "could not be read again, matches stay unverified: " in done.err
    assert "web.jsonl" in done.err


def test_candidates_left_unread_are_counted(capsys):
    _print_rematch(RematchResult(0, 0, 0, unread=1234))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("1,234 candidates were not read again")
    assert "`provenance rematch` reads them all" in told.err


def test_filter_says_what_went_and_where_it_is_listed(web, tmp_path):
    done = web("filter", "web", "--keep", "unknown, ", "--out", "o.jsonl", "--dataset", "d", "--with-tags", "--dedup")
    assert done.code == 0
    assert "3 records kept in o.jsonl, 0 dropped (listed in " in done.out
    assert done.out.splitlines()[-1].startswith("dataset dataset:d")
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [passage(name) for name in "abc"]
    assert all(len(row) > 2 for row in rows)
    done = web("filter", "web", "--out", "o.jsonl", "--json")
    (dropped,) = json.loads(done.out)["dropped_by_reason"]
    assert (dropped["tag"], dropped["records"]) == ("unknown", 3)
    assert web("filter", "web", "--keep", "robot", "--out", "o.jsonl").code == 2


def test_retag_counts_by_tag(web):
    said = " ".join(web("retag", "web", "--policy", "lenient").out.split())
    assert said.startswith("web under lenient tag records")
    assert said.endswith("unknown 3")
    assert web("retag", "web", "--policy", "no-such").code == 2


def test_a_scan_of_no_trace_matches_and_leaves_none(web, tmp_path):
    before = pipeline.status()["catalogue"]
    done = web("scan", "web.jsonl", "--no-store", "--out", "found", "--jobs", 1)
    assert done.code == 0, done.err
    assert "3 records" in done.out
    assert pq.read_table(tmp_path / "found" / "records-00000.parquet").num_rows == 3
    assert pipeline.status()["catalogue"] == before


def test_a_source_of_rejects_alone_is_named(cli, tmp_path):
    write(tmp_path / "a.jsonl", ["{broken\n"] * 3)
    done = cli("scan", "a.jsonl", "--jobs", 1)
    assert "nothing readable: a.jsonl: everything in it was rejected; table `rejects` says why" in done.err


def test_dedup_tells_what_it_left_open(capsys):
    tags = {"human": UniqueCount(5, 50, 3, 30)}
    _print_dedup(DedupResult("s", "web\x1b", 0.7, False, 5, 1, 3, 1, 9, 0, 7, 8, 9, tags, ("gone\x1b",)))
    told = capsys.readouterr()
    assert "scan web\\u001b without copies" in told.out
    assert "7 pairs near the threshold were decided by fingerprints alone" in told.err
    assert "8 times a record shared a key with too many others, and 9 pairs" in told.err
    assert "could not be read again: gone\\u001b" in told.err
