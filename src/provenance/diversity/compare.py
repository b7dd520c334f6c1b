"""Compare the variety of two sets of texts at equal size, with intervals.

Each measure is taken of many random parts of one size, the same for both sides: half of what the smaller side has. A
part of the baseline is also held against another part of the baseline, so that what any two samples of one language
don't share isn't taken for a loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from provenance.diversity.measures import Texts, measure, tail_coverage, vocabulary_kept

ROUNDS: Final = 24
MOST_TOKENS: Final = 200_000
LEAST_TOKENS: Final = 2_000
_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the middle 95 % of what random parts gave."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison gave.

    Attributes:
        texts: Texts looked at, on the one side and in the baseline (0 without one).
        tokens: Tokens of every part that was measured; 0 if there is too little text, and then no figure.
        figures: By measure.
        baseline: The same of the baseline; empty without one.
        against: ``tail_coverage`` and ``vocabulary_lost``, each in proportion to what another part of the baseline has
            and lacks: 1 and 0 mean no loss. Empty without a baseline.
    """

    texts: tuple[int, int]
    tokens: int
    figures: Mapping[str, Interval]
    baseline: Mapping[str, Interval]
    against: Mapping[str, Interval]


def compare(texts: Texts, baseline: Texts | None = None, *, rounds: int = ROUNDS) -> Comparison:
    """Measure texts, and a baseline at the same size. The same texts give the same figures.

    Args:
        texts: What to measure.
        baseline: What to hold it against.
        rounds: How many random parts are measured.
    """
    sides = [texts] if baseline is None else [texts, baseline]
    counts = (len(texts), 0 if baseline is None else len(baseline))
    tokens = min(MOST_TOKENS, min(len(side.hashes) for side in sides) // 2)
    if tokens < LEAST_TOKENS:
        return Comparison(counts, 0, {}, {}, {})
    chance = np.random.default_rng(_SEED)
    found: list[dict[str, float]] = []
    found_baseline: list[dict[str, float]] = []
    found_against: list[dict[str, float]] = []
    for _ in range(rounds):
        part = texts.take(chance.permutation(len(texts)), tokens)
        found.append(measure(part))
        if baseline is None:
            continue
        order = chance.permutation(len(baseline))
        one = baseline.take(order, tokens)
        # The other part is taken from the other end, so the two share at most the text in the middle.
        other = baseline.take(order[::-1], tokens)
        found_baseline.append(measure(one))
        kept, kept_again = vocabulary_kept(part, one), vocabulary_kept(other, one)
        found_against.append(
            {
                "tail_coverage": _ratio(tail_coverage(part, one), tail_coverage(other, one)),
                "vocabulary_lost": 1 - _ratio(kept, kept_again),
            }
        )
    return Comparison(counts, tokens, _intervals(found), _intervals(found_baseline), _intervals(found_against))


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.nan


def _intervals(found: list[dict[str, float]]) -> dict[str, Interval]:
    if not found:
        return {}
    intervals = {}
    for name in found[0]:
        values = np.array([row[name] for row in found])
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [0.025, 0.975])
            intervals[name] = Interval(float(values.mean()), float(low), float(high))
    return intervals
