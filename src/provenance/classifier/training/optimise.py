"""Fitting an expert's linear score: hashed rows in, quantised weights out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.classifier.training.corpus import Ints, mix

HUMAN_COST: Final = 2.0
"""Loss of all human windows beside that of all synthetic ones: a human text taken for a model's is the worse error."""
ONE_IN: Final = 20_000
"""One in so many weights of a block is larger than the largest step, and cut to it."""
HIGH: Final = 0.995
"""Share of known human text that scores below the point at which experts are made equal."""


@dataclass(frozen=True)
class HashedRows:
    """Distinct n-gram buckets of windows.

    Attributes:
        rows: The corpus row that each window is of.
        buckets: Buckets of all windows, end to end.
        starts: ``int64[n + 1]``.
        characters: How many of a window's buckets, the first, are of characters.
        bits: log2 of the buckets of each block.
    """

    rows: Ints
    buckets: npt.NDArray[np.int32]
    starts: Ints
    characters: Ints
    bits: int


@dataclass(frozen=True)
class Weights:
    """A fitted linear score, quantised.

    Attributes:
        steps: ``int8[2 ** (bits + 1)]``.
        scales: Size of a step for characters and words, and the intercept.
    """

    steps: npt.NDArray[np.int8]
    scales: tuple[float, float, float]


def hash_rows(symbols: npt.NDArray[np.uint8], rows: Ints, starts: Ints, ends: Ints, bits: int) -> HashedRows:
    """Hash the n-grams of windows ``symbols[starts[i]:ends[i]]``."""
    from provenance.classifier.training.kernel import ngram_rows

    row_starts = np.zeros(len(rows) + 1, np.int64)
    characters = np.zeros(len(rows), np.int64)
    ngram_rows(symbols, starts, ends, bits, np.zeros(0, np.int32), row_starts, characters)
    buckets = np.empty(max(1, int(row_starts[-1])), np.int32)
    ngram_rows(symbols, starts, ends, bits, buckets, row_starts, characters)
    return HashedRows(rows, buckets, row_starts, characters, bits)


def fit(hashed: HashedRows, labels: Ints, shares: npt.NDArray[np.float64], *, cost: float, epochs: int) -> Weights:
    """Fit the score of one training set.

    Args:
        hashed: Windows.
        labels: +1 or -1 of each window.
        shares: Weight of each window, 0 to leave it out; scaled so that the classes count as `HUMAN_COST` says.
        cost: Mean cost of a window's loss, the inverse of the regularisation's strength.
        epochs: Passes over the windows.
    """
    from provenance.classifier.training.kernel import fit_squared_hinge

    used = int((shares > 0).sum())
    costs = np.zeros(len(labels))
    for label in (1, -1):
        of_class = labels == label
        total = shares[of_class].sum()
        if total > 0:
            costs[of_class] = (HUMAN_COST if label < 0 else 1.0) * shares[of_class] / total
    # Rounded, so that the last bit of a sum can't reach the model.
    costs = np.round(costs * (cost * used / 2.0), 9)
    numbers = np.arange(len(labels), dtype=np.int64)
    orders = np.stack([np.argsort(mix(numbers, 100 + epoch), kind="stable") for epoch in range(epochs)])
    weights = np.zeros(2 << hashed.bits, np.float32)
    intercept = fit_squared_hinge(
        hashed.buckets, hashed.starts, hashed.characters, labels.astype(np.float64), costs, orders, weights
    )
    return quantise(weights, intercept)


def quantise(weights: npt.NDArray[np.float32], intercept: float, one_in: int = ONE_IN) -> Weights:
    """Round weights to 255 steps for each block; the one in ``one_in`` largest are cut to the largest step."""
    half = len(weights) // 2
    steps, scales = np.zeros(len(weights), np.int8), []
    for block in (slice(0, half), slice(half, None)):
        size = np.sort(np.abs(weights[block]))
        size = size[size > 0]
        limit = float(size[-1 - len(size) // one_in]) if len(size) else 1.0
        scales.append(limit / 127.0)
        steps[block] = np.clip(np.rint(weights[block] / np.float32(scales[-1])), -127, 127).astype(np.int8)
    return Weights(steps, (scales[0], scales[1], float(intercept)))


def score(
    weights: Weights, symbols: npt.NDArray[np.uint8], starts: Ints, ends: Ints, bits: int, window: int
) -> npt.NDArray[np.float64]:
    """Score spans of symbols as the shipped model scores texts."""
    from provenance.classifier.scoring.kernel import score_spans

    margins = np.zeros(len(starts), np.float64)
    score_spans(symbols, starts, ends, window, bits, weights.steps[np.newaxis], np.array([weights.scales]), margins)
    return margins


def on_one_scale(margins: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Factor and term that put an expert's score on the scale that experts are compared on.

    On it 0 is what one in 200 known human texts reaches, and their median is -1, so that no expert speaks up more often
    than another about what people wrote.

    Args:
        margins: Out-of-sample scores of human texts.
        shares: Weight of each text.
    """
    order = np.argsort(margins, kind="stable")
    upto = np.cumsum(shares[order]) / shares.sum()
    middle, high = (float(margins[order][np.searchsorted(upto, level)]) for level in (0.5, HIGH))
    factor = round(1.0 / max(high - middle, 1e-6), 6)
    return factor, round(-factor * high, 6)


def rescaled(weights: Weights, factor: float, term: float) -> Weights:
    """The same score, times a factor and plus a term."""
    characters, words, intercept = weights.scales
    return Weights(weights.steps, (factor * characters, factor * words, factor * intercept + term))
