"""Shares estimated of piles whose share is known, because they are drawn from known distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.classifier import prevalence
from provenance.classifier.populations import (
    CELLS,
    Population,
    as_header,
    cells,
    from_header,
    populations,
)

BINS = ("en:50-99", "en:100+")
HUMAN = (-3.6, -3.2, -2.8, -2.4, -2.0)
SYNTHETIC = (1.6, 2.0, 2.6, 3.0, 3.4)


def scores(draw: np.random.Generator, middle: float, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return draw.normal(middle, 1.6, count)


@pytest.fixture(scope="module")
def calibration() -> tuple[Population, ...]:
    """Ten sets, each with its own middle, in five groups that hold one human and one synthetic set."""
    draw = np.random.default_rng(1)
    found: list[Population] = []
    for bin_ in BINS:
        for number, (low, high) in enumerate(zip(HUMAN, SYNTHETIC, strict=True)):
            values = np.concatenate([scores(draw, low, 2000), scores(draw, high, 2000)])
            synthetic = np.arange(4000) >= 2000
            found += populations(
                bin_, values, synthetic, [f"set{number}"] * 4000, [f"group{number}"] * 4000, np.arange(4000)
            )
    return tuple(found)


@pytest.fixture(scope="module")
def known(calibration: tuple[Population, ...]) -> prevalence.Densities:
    found = prevalence.densities(calibration, BINS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def tried(known: prevalence.Densities) -> prevalence.Trials:
    return prevalence.trials(known, np.array([0.5, 0.5]), 4000)


def pile(
    draw: np.random.Generator,
    share: float,
    texts: int = 4000,
    human: tuple[float, ...] = HUMAN,
    synthetic: tuple[float, ...] = SYNTHETIC,
) -> Any:
    """Counts by cluster of a pile with exactly this share, each text a cluster's by chance."""
    count = round(share * texts)
    values = np.concatenate(
        [
            scores(draw, 0.0, texts - count) + draw.choice(human, texts - count),
            scores(draw, 0.0, count) + draw.choice(synthetic, count),
        ]
    )
    counts = np.zeros((256, len(BINS), CELLS))
    np.add.at(counts, (draw.integers(0, 256, texts), draw.integers(0, 2, texts), cells(values)), 1.0)
    return counts


NOTHING = np.zeros((len(BINS), CELLS))


def test_shares_of_mixtures_are_found_and_covered(known: prevalence.Densities, tried: prevalence.Trials) -> None:
    draw = np.random.default_rng(2)
    errors, covered = [], []
    for share in (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5):
        for _ in range(2):
            found = prevalence.estimate(pile(draw, share), NOTHING, 4000, known, tried)
            errors.append(abs(found.share - share))
            covered.append(found.low <= share <= found.high)
    assert np.mean(errors) < 0.01
    assert np.mean(covered) >= 0.93


def test_the_share_beats_counting_what_scores_above_zero(known: prevalence.Densities, tried: prevalence.Trials) -> None:
    draw = np.random.default_rng(3)
    for share in (0.02, 0.3):
        counts = pile(draw, share)
        counted = counts[:, :, cells(np.array([0.0]))[0] :].sum() / counts.sum()
        found = prevalence.estimate(counts, NOTHING, 4000, known, tried, replicates=2).share
        assert abs(found - share) < abs(counted - share)


def test_a_pile_of_other_kinds_of_text_lies_in_its_interval(
    known: prevalence.Densities, tried: prevalence.Trials
) -> None:
    """Scores that lie where no single calibration set's do: the interval has to be wider than chance makes it."""
    draw = np.random.default_rng(4)
    counts = pile(draw, 0.3, human=(-2.2,), synthetic=(1.7,))
    found = prevalence.estimate(counts, NOTHING, 4000, known, tried)
    assert found.low <= 0.3 <= found.high
    _, low, high = prevalence.sampled(counts, 4000, known)
    assert found.high - found.low > high - low


def test_hosts_that_differ_widen_the_interval(known: prevalence.Densities) -> None:
    """The same texts, once spread over all hosts, once all synthetic ones in a few hosts."""
    draw = np.random.default_rng(5)
    human, synthetic = pile(draw, 0.0, 3200), pile(draw, 1.0, 800)
    spread = human + synthetic
    apart = np.concatenate([human[:40] + human[40:80], synthetic.reshape(8, 32, *synthetic.shape[1:]).sum(1)])
    apart[0] += human[80:].sum(0)
    _, low, high = prevalence.sampled(spread, 4000, known)
    _, far_low, far_high = prevalence.sampled(apart, 4000, known)
    assert far_high - far_low > 2 * (high - low)


def test_the_share_of_right_tags_is_found(known: prevalence.Densities, tried: prevalence.Trials) -> None:
    draw = np.random.default_rng(6)
    human, synthetic = pile(draw, 0.0, 3800).sum(0), pile(draw, 1.0, 200).sum(0)
    first = cells(np.array([0.5]))[0]
    tagged = human + synthetic
    tagged[:, :first] = 0.0
    truth = synthetic[:, first:].sum() / tagged.sum()
    found = prevalence.estimate((human + synthetic)[None].repeat(2, 0) / 2, tagged, 4000, known, tried)
    assert 0.3 < truth < 0.95
    assert abs(found.right - truth) < 0.06
    assert found.right_low <= truth <= found.right_high


def test_it_is_reproducible(known: prevalence.Densities, tried: prevalence.Trials) -> None:
    counts = pile(np.random.default_rng(7), 0.2)
    first = prevalence.estimate(counts, NOTHING, 4000, known, tried, seed=9)
    assert first == prevalence.estimate(counts, NOTHING, 4000, known, tried, seed=9) or np.isnan(first.right)
    again = prevalence.estimate(counts, NOTHING, 4000, known, tried, seed=9)
    assert (first.share, first.low, first.high) == (again.share, again.low, again.high)


def test_too_few_groups_give_no_estimate(calibration: tuple[Population, ...]) -> None:
    few = [entry for entry in calibration if entry.group in {"group0", "group1"} or entry.label == "human"]
    assert prevalence.densities(few, BINS) is None


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=50))
@settings(max_examples=50, deadline=None)
def test_every_score_has_the_cell_that_holds_it(values: list[float]) -> None:
    edges = np.concatenate([[-np.inf], -10 + 0.25 * np.arange(CELLS - 1), [np.inf]])
    for value, cell in zip(values, cells(np.array(values)).tolist(), strict=True):
        assert edges[cell] - 1e-12 <= value <= edges[cell + 1]


def test_histograms_become_probabilities(known: prevalence.Densities) -> None:
    for densities in (known.human, known.synthetic):
        assert np.allclose(densities.sum(-1), 1.0)
        assert densities.min() > 0.0


def test_populations_survive_the_header(calibration: tuple[Population, ...]) -> None:
    assert from_header(as_header(calibration), BINS) == calibration


@pytest.mark.parametrize(
    "change",
    [
        {"bin": "de:50-99"},
        {"label": "prompt"},
        {"counts": [1] * (CELLS - 1)},
        {"counts": [-1] + [1] * (CELLS - 1)},
        {"counts": [0.5] * CELLS},
        {"documents": 0},
        {"documents": 10**9},
        {"name": 7},
    ],
)
def test_a_population_that_no_training_gives_is_refused(
    calibration: tuple[Population, ...], change: dict[str, Any]
) -> None:
    entry = as_header(calibration)[0]
    with pytest.raises(ValueError, match=r"\w"):
        from_header([{**entry, **change}], BINS)


def test_two_populations_of_one_name_are_refused(calibration: tuple[Population, ...]) -> None:
    entry = as_header(calibration)[0]
    with pytest.raises(ValueError, match="two populations"):
        from_header([entry, entry], BINS)


def test_few_texts_leave_room_for_some_synthetic_ones():
    assert prevalence.hidden_share(192) == pytest.approx(0.0190, abs=2e-4)
    assert prevalence.hidden_share(100_000) < 1e-4
