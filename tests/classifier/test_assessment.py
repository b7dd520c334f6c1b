"""Figures of a model on labelled texts, against scikit-learn and against counts made by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from provenance import schema
from provenance.classifier.assessment import Assessment, assess, reliability, roc
from provenance.classifier.plots import reliability_plot, roc_plot
from provenance.classifier.training.labelled import COLUMNS

SVG = "{http://www.w3.org/2000/svg}"


def stub(scores: list[float | None]) -> Any:
    """A model that gives each text its score and p-values that follow from it."""

    def judge(texts: Any, languages: Any, words: Any, kinds: Any) -> pa.RecordBatch:
        held = [score is not None for score in scores]
        p_human = [
            0.001 if score is not None and score > 2 else 0.5 if here else None
            for score, here in zip(scores, held, strict=True)
        ]
        p_synthetic = [
            0.01 if score is not None and score < -2 else 0.5 if here else None
            for score, here in zip(scores, held, strict=True)
        ]
        names = ["en:100+" if here else None for here in held]
        columns = [
            pa.array(values, kind)
            for values, kind in (
                (scores, pa.float64()),
                (p_human, pa.float64()),
                (p_synthetic, pa.float64()),
                (names, pa.string()),
            )
        ]
        columns += [pa.nulls(len(scores), pa.string()), pa.nulls(len(scores), pa.float64())]
        return pa.RecordBatch.from_arrays(columns, schema=schema.STYLE)

    return SimpleNamespace(version="style-stub", judge=judge)


def labelled(rows: list[dict[str, Any]]) -> pa.Table:
    filled = [{"lang": "en", "dataset": "d", **row} for row in rows]
    return pa.Table.from_pylist([{**dict.fromkeys(COLUMNS.names), **row} for row in filled], schema=COLUMNS)


TEXT = "Plain words stand here in a row. " * 20


@pytest.fixture
def found() -> Assessment:
    """Forty human texts of two sets, one of which is often wrong, and forty synthetic ones."""
    rows = [{"text": TEXT, "label": "human", "dataset": "good"} for _ in range(40)]
    rows += [{"text": TEXT, "label": "human", "dataset": "bad", "domain": "law"} for _ in range(40)]
    rows += [{"text": TEXT, "label": "synthetic", "dataset": "bad", "model": "m1"} for _ in range(40)]
    rows += [{"text": "too short", "label": "human"}]
    scores: list[float | None] = [-3.0] * 30 + [0.0] * 10
    scores += [3.0] * 8 + [None] * 12 + [-3.0] * 20
    scores += [3.0] * 25 + [-3.0] * 5 + [1.0] * 10 + [9.0]
    return assess(stub(scores), labelled(rows), least_words=50)


def test_the_confusion_is_counted(found: Assessment) -> None:
    assert found.texts == 120
    assert found.confusion == {
        "human": {"human": 50, "synthetic": 8, "unknown": 22},
        "synthetic": {"human": 5, "synthetic": 25, "unknown": 10},
    }
    assert found.unknown == pytest.approx(32 / 120)


def test_the_worst_group_is_named(found: Assessment) -> None:
    worst = found.worst["human"]
    assert (worst.name, worst.wrong) in {("bad", 0.2), ("law", 0.2)}
    assert worst.wrong_low < 0.2 < worst.wrong_high
    assert found.worst["synthetic"].wrong == pytest.approx(5 / 40)


def test_bounds_of_rates_are_exact(found: Assessment) -> None:
    beta = pytest.importorskip("scipy.stats").beta
    rate = next(rate for rate in found.rates if (rate.grouping, rate.name, rate.label) == ("dataset", "bad", "human"))
    assert rate.wrong_low == pytest.approx(float(beta.ppf(0.05, 8, 33)), abs=1e-6)
    assert rate.wrong_high == pytest.approx(float(beta.ppf(0.95, 9, 32)), abs=1e-6)


def test_texts_without_a_group_are_in_none(found: Assessment) -> None:
    assert {rate.name for rate in found.rates if rate.grouping == "domain"} == {"law"}
    assert {rate.name for rate in found.rates if rate.grouping == "model"} == {"m1"}


def test_it_is_json(found: Assessment) -> None:
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["confusion"]["human"]["synthetic"] == 8


def test_one_label_alone_has_no_curve() -> None:
    rows = [{"text": TEXT, "label": "human"} for _ in range(5)]
    found = assess(stub([0.5] * 5), labelled(rows), least_words=50)
    assert found.roc.true_positives == ()
    assert found.as_dict()["roc"]["area"] is None
    for plot in (roc_plot(found.roc, "x"), reliability_plot(found.reliability, "x")):
        ElementTree.fromstring(plot)


def test_the_curve_is_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(1)
    synthetic = draw.random(3000) < 0.3
    score = np.round(draw.normal(np.where(synthetic, 1.0, -1.0), 1.5), 1)  # with ties
    found = roc(score, synthetic)
    assert found.area == pytest.approx(metrics.roc_auc_score(synthetic, score), abs=1e-12)
    false, true, _ = metrics.roc_curve(synthetic, score, drop_intermediate=False)
    points = {(round(x, 9), round(y, 9)) for x, y in zip(false, true, strict=True)}
    assert {
        (round(x, 9), round(y, 9)) for x, y in zip(found.false_positives, found.true_positives, strict=True)
    } <= points
    assert (found.false_positives[0], found.true_positives[-1]) == (0.0, 1.0)


def test_a_long_curve_is_thinned_and_keeps_both_ends() -> None:
    draw = np.random.default_rng(2)
    synthetic = draw.random(50_000) < 0.5
    found = roc(draw.normal(np.where(synthetic, 2.0, -2.0)), synthetic)
    assert len(found.thresholds) < 500
    assert min(x for x in found.false_positives if x > 0) < 0.01


def test_a_calibrated_score_has_no_calibration_error_and_a_boastful_one_has() -> None:
    draw = np.random.default_rng(3)
    synthetic = np.arange(40_000) % 2 == 0
    score = draw.normal(np.where(synthetic, 2.0, -2.0), 2.0)  # its log-odds are its value
    assert reliability(score, synthetic).error < 0.01
    assert reliability(3 * score, synthetic).error > 0.05


def test_plots_are_svg_and_escape_what_they_are_told(found: Assessment) -> None:
    title = '<script>alert(1)</script> & "more"'
    for plot in (roc_plot(found.roc, title), reliability_plot(found.reliability, title)):
        tree = ElementTree.fromstring(plot)
        assert tree.tag == f"{SVG}svg"
        assert tree.find(f"{SVG}title").text == title  # type: ignore[union-attr]
        assert tree.find(f".//{SVG}script") is None
        assert tree.find(f"{SVG}polyline") is not None
