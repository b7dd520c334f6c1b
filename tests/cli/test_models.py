"""Commands about style models and shares, as a user types them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

PLAIN = ["i", "we", "got", "really", "stuff", "guess", "nope", "kind", "thing", "dad", "bus", "ate", "damn", "funny"]
POLISHED = ["delve", "tapestry", "furthermore", "robust", "landscape", "moreover", "crucial", "pivotal", "realm"]
COMMON = ["the", "a", "and", "in", "of", "to", "with", "for", "that", "it", "is", "was", "on", "people", "house", "day"]


def line(seed: int, label: str) -> dict[str, str]:
    chosen = random.Random(seed)
    words = PLAIN if label == "human" else POLISHED
    sentences = [
        " ".join(chosen.choice(words if chosen.random() < 0.25 else COMMON) for _ in range(12)).capitalize() + "."
        for _ in range(11)
    ]
    return {"text": " ".join(sentences), "label": label}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rows = [line(seed, "human") for seed in range(120)] + [line(10**6 + seed, "synthetic") for seed in range(120)]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_evaluate_writes_figures_and_plots(cli: Callable[..., Any], labelled: Path, tmp_path: Path) -> None:
    done = cli("evaluate", labelled, "--out", tmp_path / "report", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["texts"] == 240
    assert sum(found["confusion"]["human"].values()) == 120
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text()) == found
    for name in ("roc.svg", "reliability.svg"):
        ElementTree.parse(tmp_path / "report" / name)


def test_evaluate_prints_the_worst_group(cli: Callable[..., Any], labelled: Path) -> None:
    done = cli("evaluate", labelled)
    assert done.code == 0
    assert "worst for human text:" in done.out
    assert "left open:" in done.out


def test_a_file_without_labels_is_refused(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n')
    done = cli("evaluate", tmp_path / "x.jsonl")
    assert done.code == 2
    assert "'label'" in done.err


def test_a_calibrated_model_scans(cli: Callable[..., Any], labelled: Path, tmp_path: Path) -> None:
    done = cli("calibrate", labelled, "--out", "own.model", "--name", "letters", "--json")
    assert done.code == 0, done.err
    version = json.loads(done.out)["version"]
    shipped = json.loads(cli("scan", labelled, "--json").out)
    own = json.loads(cli("scan", labelled, "--style-model", "own.model", "--json").out)
    assert own["scan_id"] != shipped["scan_id"]
    rows = json.loads(cli("sql", "select scan_id, versions ->> '$.style' as style from scans", "--json").out)
    assert {row["scan_id"]: row["style"] for row in rows}[own["scan_id"]] == version
    done = cli("estimate", own["scan_id"])
    assert done.code == 2
    assert "--style-model" in done.err


def test_calibrate_says_where_thresholds_are_out_of_reach(cli: Callable[..., Any], labelled: Path) -> None:
    done = cli("calibrate", labelled, "--out", "own.model")
    assert done.code == 0
    assert "style will tag nothing synthetic there" in " ".join(done.err.split())


def test_calibrate_says_what_is_missing(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(line(seed, "human")) + "\n" for seed in range(5)))
    done = cli("calibrate", tmp_path / "few.jsonl")
    assert done.code == 2
    assert "documents" in done.err
    assert not (tmp_path / "style.model").exists()


def test_a_style_model_that_is_none_is_refused_before_anything_is_read(
    cli: Callable[..., Any], labelled: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.model").write_bytes(b"nothing")
    done = cli("scan", labelled, "--style-model", "bad.model")
    assert done.code == 2
    assert "style model" in done.err


def test_estimate_needs_a_scan(cli: Callable[..., Any]) -> None:
    cli("init")
    done = cli("estimate", "nothing")
    assert done.code == 2
    assert "nothing" in done.err


@pytest.mark.parametrize("verb", ["train", "calibrate"])
def test_a_place_where_no_model_can_stand_is_refused_before_anything_is_read(
    cli: Callable[..., Any], tmp_path: Path, verb: str
) -> None:
    (tmp_path / "folder").mkdir()
    for out, cause in (("folder", "over a folder"), ("none/own.model", "folder is not there")):
        done = cli(verb, "there-is-no-such-file.jsonl", "--out", out)
        assert done.code == 2
        assert cause in done.err
