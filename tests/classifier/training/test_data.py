"""The texts that the project itself brings to train on."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from provenance.classifier.training.labelled import licence_kind, read_labelled

FOLDER = Path(__file__).resolve().parents[3] / "data" / "training"


@pytest.fixture(scope="module")
def table():
    return read_labelled([FOLDER])


def test_human_texts_are_older_than_fluent_models_and_name_where_they_come_from() -> None:
    human = pq.read_table(FOLDER / "human.parquet")
    assert human["label"].unique().to_pylist() == ["human"]
    assert pc.max(human["year"]).as_py() <= 2019
    for column in ("source", "path", "document_id", "licence"):
        assert human[column].null_count == 0
        assert "" not in human[column].unique().to_pylist()


def test_synthetic_texts_name_the_family_and_the_request() -> None:
    synthetic = pq.read_table(FOLDER / "synthetic.parquet")
    assert synthetic["label"].unique().to_pylist() == ["synthetic"]
    assert synthetic["model"].unique().to_pylist() == ["claude"]
    assert pc.min(pc.utf8_length(synthetic["prompt"])).as_py() > 10


def test_every_licence_is_open(table) -> None:
    assert {licence_kind(text) for text in table["licence"].unique().to_pylist()} == {"open"}


def test_pairs_have_both_labels(table) -> None:
    labels: dict[str, set[str]] = {}
    for pair, label in zip(table["pair_id"].to_pylist(), table["label"].to_pylist(), strict=True):
        if pair is not None:
            labels.setdefault(pair, set()).add(label)
    assert len(labels) > 500
    assert set(map(frozenset, labels.values())) == {frozenset({"human", "synthetic"})}


def test_no_text_stands_twice(table) -> None:
    assert len(set(table["text"].to_pylist())) == table.num_rows


def test_every_set_is_described() -> None:
    described = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in ("human", "synthetic"):
        for dataset in pq.read_table(FOLDER / f"{name}.parquet")["dataset"].unique().to_pylist():
            assert f"| {dataset} |" in described
