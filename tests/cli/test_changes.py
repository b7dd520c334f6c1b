"""What a command says of the tags that it changed."""

from __future__ import annotations

import json
import random

import pytest

from provenance.cli.changes import print_changes
from provenance.pipeline.changes import Change

WORDS = [f"{a}{b}" for a in ("ba", "ke", "li", "mo") for b in range(400)]


def text(seed, words=120):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.fixture
def web(cli, tmp_path):
    """A scan of which a dataset is made, on which a model is trained."""
    (tmp_path / "web.jsonl").write_text("".join(json.dumps({"text": text(seed)}) + "\n" for seed in range(4)))
    (tmp_path / "known.jsonl").write_text("".join(json.dumps({"text": text(seed)}) + "\n" for seed in (1, 2, 9)))
    assert cli("scan", "web.jsonl", "--name", "web").code == 0
    assert cli("lineage", "add", "dataset", "news", "--scan", "web").code == 0
    assert cli("lineage", "add", "run", "--trains", "m2", "--on", "news", "--name", "r").code == 0


def test_register_and_unregister_say_what_changed(cli, web):
    said = cli("register", "known.jsonl", "--synthetic", "--model", "m1").out.splitlines()
    assert said[2:] == [
        "scan web: 2 records unknown -> synthetic",
        "dataset news: 2 records unknown -> synthetic",
        "run r: it was trained on 2 records unknown -> synthetic",
        "model m2: it was trained on 2 records unknown -> synthetic",
    ]
    assert cli("register", "known.jsonl", "--synthetic", "--model", "m1").out.count("->") == 0
    done = json.loads(cli("unregister", "m1-known", "--json").out)
    assert done["name"] == "m1-known"
    assert [(row["subject_kind"], row["tag_after"], row["records"]) for row in done["changes"]] == [
        (kind, "unknown", 2) for kind in ("scan", "dataset", "run", "model")
    ]


def test_json_of_register_and_rematch(cli, web):
    done = json.loads(cli("register", "known.jsonl", "--synthetic", "--model", "m1", "--no-verify", "--json").out)
    assert [row["subject"] for row in done["changes"][1:]] == ["dataset:news", "run:r", "model:m2"]
    assert done["rematch"]["changes"] == done["changes"]
    assert {row["cause_id"] for row in done["changes"]} == {done["set_id"]}
    assert json.loads(cli("rematch", "--scan", "web", "--json").out)["changes"] == []
    query = "select subject_kind, sum(records)::int as records from changes group by all order by all"
    rows = json.loads(cli("sql", query, "--format", "json").out)
    assert {row["subject_kind"]: row["records"] for row in rows} == {"dataset": 2, "model": 2, "run": 2, "scan": 2}


def test_names_can_not_drive_the_terminal(capsys):
    print_changes([Change("retag", "p", "scan", "s", "web\x1b[31m", "human", "synthetic", 1, 5)])
    assert capsys.readouterr().out == "scan web\\u001b[31m: 1 record human -> synthetic\n"
