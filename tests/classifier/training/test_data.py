"""What the model that ships is trained on: texts of the project itself, and third-party rows but for some."""

from __future__ import annotations

import runpy
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from provenance.classifier.training.labelled import licence_kind, read_labelled

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "data" / "training"


@pytest.fixture(scope="module")
def table():
    return read_labelled([FOLDER])


def test_synthetic_texts_name_the_family_and_the_request() -> None:
    synthetic = pq.read_table(FOLDER / "synthetic.parquet")
    assert synthetic["label"].unique().to_pylist() == ["synthetic"]
    assert synthetic["model"].unique().to_pylist() == ["claude"]
    assert pc.min(pc.utf8_length(synthetic["prompt"])).as_py() > 10


def test_every_licence_is_open(table) -> None:
    assert {licence_kind(text) for text in table["licence"].unique().to_pylist()} == {"open"}


def test_no_text_stands_twice(table) -> None:
    assert len(set(table["text"].to_pylist())) == table.num_rows


def test_every_set_is_described(table) -> None:
    described = (FOLDER / "README.md").read_text(encoding="utf-8")
    for dataset in table["dataset"].unique().to_pylist():
        assert f"| {dataset} |" in described


def test_rows_that_are_not_what_their_label_says_are_left_out(shared: Path) -> None:
    chosen = runpy.run_path(str(ROOT / "scripts" / "train"), run_name="settings")["texts"](shared / "data" / "labelled")
    assert "own_paired" not in chosen["dataset"].unique().to_pylist()
    raidar = chosen.filter(pc.equal(chosen["dataset"], "raidar"))
    assert "llama-2-7b-chat" not in raidar["model"].unique().to_pylist()
    human = raidar.filter(pc.equal(raidar["label"], "human"))
    assert human.num_rows == 3941 - 342
    assert not any("John Doe, CEO" in text for text in human["text"].to_pylist())
