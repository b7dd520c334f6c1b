"""How style counts at the gate: scores whose truth is known because the test drew them."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import provenance as pv
from provenance import lineage
from provenance.classifier import StyleModel
from provenance.classifier.populations import populations
from provenance.store import Store

BIN = "en:50-99"
MIDDLES = ((-3.4, 1.8), (-3.0, 2.2), (-2.6, 2.6), (-2.8, 3.0))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for a style model: what an estimate asks of one."""
    draw = np.random.default_rng(1)
    found: list[Any] = []
    for number, middles in enumerate(MIDDLES):
        values = draw.normal(np.repeat(middles, 1500), 1.5)
        names = [f"set{number}"] * 3000
        found += populations(BIN, values, np.arange(3000) >= 1500, names, names, np.arange(3000))
    arrays = SimpleNamespace(bins=(SimpleNamespace(name=BIN, language="en"),), populations=tuple(found))
    made = SimpleNamespace(version="style-test", languages=("en",), arrays=arrays)
    monkeypatch.setattr(StyleModel, "load", lambda *_: made)
    return made


@pytest.fixture
def sealed(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> Callable[[float, int], str]:
    """Return a function that seals a dataset of records with a share of synthetic ones, by their style alone."""

    def make(share: float, count: int) -> str:
        draw = np.random.default_rng(2)
        synthetic = np.arange(count) < share * count
        score = draw.normal(np.array(MIDDLES)[draw.integers(0, 4, count), synthetic.astype(int)], 1.5)
        name = f"s{count}"
        table = observations(name, *(f"{name}-{number:06}" for number in range(count)), calibration_bin=BIN)
        p_human = 1 / (1 + np.exp(2 * score + 1.5))  # so that a few human texts are tagged synthetic
        values = {"style_score": score, "p_human": p_human, "p_synthetic": np.where(score < -1, 0.01, 0.5)}
        for column, value in values.items():
            table = table.set_column(table.schema.get_field_index(column), table.schema.field(column), pa.array(value))
        fill(store, table)
        return lineage.add_dataset(store, f"d{count}", scans=[name])

    return make


def test_a_human_dataset_is_not_damned_by_the_classifiers_error(
    sealed: Callable[[float, int], str], store: Store, model: SimpleNamespace, tmp_path: Any
) -> None:
    human = sealed(0.0, 2000)
    policy = tmp_path / "p.toml"
    lines = ('name = "p"', "[style]", "alpha = 0.3", "[gate]", "max_synthetic_share = 0.005")
    policy.write_text("\n".join(lines))
    result = pv.check(human, policy=policy, store=store.root)
    assert result.figures["tagged_synthetic_share"] > 0.02
    assert result.figures["synthetic_share"] == 0.0
    assert "synthetic" not in {violation.limit for violation in result.violations}
    policy.write_text("\n".join([*lines, "estimate = false"]))
    by_tags = pv.check(human, policy=policy, store=store.root)
    assert by_tags.figures["synthetic_share"] == by_tags.figures["tagged_synthetic_share"]
    assert "synthetic" in {violation.limit for violation in by_tags.violations}


def test_text_that_tags_miss_counts_by_the_lower_limit(
    sealed: Callable[[float, int], str], store: Store, model: SimpleNamespace
) -> None:
    mixed = sealed(0.4, 2000)
    figures = pv.check(mixed, store=store.root).figures
    assert figures["tagged_synthetic_share"] < 0.3 < figures["style_share_low"] < 0.4 < figures["style_share_high"]
    assert figures["synthetic_share"] == pytest.approx(figures["style_share_low"], rel=1e-6)


def test_without_an_estimate_tags_count_and_it_is_said(
    sealed: Callable[[float, int], str], store: Store, model: SimpleNamespace
) -> None:
    few = sealed(0.5, 30)
    result = pv.check(few, store=store.root)
    assert result.figures["synthetic_share"] == result.figures["tagged_synthetic_share"] > 0
    assert "count by their tags: there are too few texts" in result.remarks[0]
    model.arrays.populations = ()
    assert "no histograms" in pv.check(few, store=store.root).remarks[0]
