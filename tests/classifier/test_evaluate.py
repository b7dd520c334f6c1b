from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from provenance.classifier import StyleModel
from provenance.classifier.evaluate import calibration_error, evaluate, matched_ranking, ranking
from provenance.classifier.training.labelled import read_labelled

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def test_ranking_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    values = np.round(np.sin(np.arange(300.0)), 1)
    labels = np.arange(300) % 3 == 0
    assert ranking(values[labels], values[~labels]) == pytest.approx(metrics.roc_auc_score(labels, values))


def test_matched_ranking_ignores_what_length_alone_tells() -> None:
    words = np.repeat([120, 500], 200)
    score = words / 100.0
    positive = np.concatenate([np.zeros(100), np.ones(100)]) > 0
    here, there = np.tile(positive, 2), ~np.tile(positive, 2)
    assert matched_ranking(score[here], words[here], score[there], words[there]) == 0.5


def test_calibration_error_of_honest_and_of_boastful_scores() -> None:
    chance = np.repeat([0.1, 0.9], 1000)
    synthetic = np.concatenate([np.arange(1000) % 10 == 0, np.arange(1000) % 10 != 0])
    score = np.log(chance / (1 - chance))
    assert calibration_error(score, synthetic) < 0.001
    assert calibration_error(5 * score, synthetic) > 0.09


@pytest.fixture(scope="module")
def development(shared: Path):
    return read_labelled([shared / "data" / "labelled" / "dev"])


def test_promises_on_sets_that_it_has_never_seen(development) -> None:
    result = evaluate(StyleModel.load(), development)
    human, tuned = result.overall[0], result.overall[1]
    assert (human.name, tuned.name) == ("human", "instruction-tuned")
    calibrated = [g for g in result.by_set if g.label == "human" and g.unknown < 1 and g.texts >= 50]
    errors = sum(g.synthetic * g.texts for g in calibrated) / sum(g.texts for g in calibrated)
    assert errors <= 0.01
    assert tuned.human <= 0.10
    assert tuned.synthetic >= 0.25
    areas = [g.auc for g in result.by_set if g.label == "instruction-tuned" and not np.isnan(g.auc)]
    assert len(areas) >= 7
    assert np.mean(areas) >= 0.92


def test_formatting_alone_has_no_purchase(development) -> None:
    sys.path.insert(0, str(CHECKOUT / "benchmarks"))
    try:
        from style import formatting_only
    finally:
        sys.path.pop(0)
    areas = formatting_only(development)
    for name, area in areas.items():
        if name.startswith("the model, ") and "whole" not in name:
            assert 0.40 <= area <= 0.60, name
    assert areas["the model, whole texts"] > 0.8
