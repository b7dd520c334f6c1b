"""The share of synthetic text in a pile, from how its style scores are spread.

Each pile is taken as a mixture of the calibration sets: its human part as some blend of the known human sets, its
synthetic part as some blend of the known synthetic ones. The blends and the share that explain the pile's scores best
are found by expectation-maximisation, with a pull of both blends towards the average one. The blends are what lets the
estimate follow a pile that is not like the average of the calibration sets.

Uncertainty has two sources. Which hosts or documents the pile happens to hold: they are resampled. And that the pile is
of kinds of text that the model was never calibrated on: piles of known shares are made of calibration sets, the same
sets are hidden, and the share is estimated from the others; how far the estimates stray from the truth, over many such
trials, is how far this one may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.classifier.populations import CELLS, Population

Floats = npt.NDArray[np.float64]

PULL: Final = 0.05
"""Strength of the pull towards the average blend, as a share of the pile; chosen on held-out training sets."""
PULL_TEXTS: Final = 60.0
"""The pull is at least that of so many texts, so that a small pile does not choose a blend by chance."""
BIN_TEXTS: Final = 30.0
"""Likewise for the pull of the bins' shares towards their mean."""
REPLICATES: Final = 50
TRIALS: Final = 100
TRUE_SHARES: Final = (0.0, 0.02, 0.06, 0.15, 0.3, 0.5, 0.75, 1.0)
"""Of the trials' piles; between them the error is interpolated."""
MOST_HIDDEN: Final = 3
"""Groups of sets of each label that a trial hides and makes its pile of: one to so many."""
FEWEST_GROUPS: Final = 3
"""Of sets of each label, without which no group can be hidden and the rest still be told apart."""
LEAST_SHARE: Final = 0.005
"""A lower end below this is 0: so little can't be told from none."""
_SMOOTHING: Final = 1.0
_POOLED: Final = 0.02
_FLOOR: Final = 1e-6
_ITERATIONS: Final = 400
_TOLERANCE: Final = 1e-4


@dataclass(frozen=True)
class Densities:
    """How scores are spread in the calibration sets.

    Attributes:
        bins: Names of the calibration bins.
        human: Histograms of the human sets, smoothed, ``float64[sets, bins, CELLS]``; each row of cells sums to 1.
        synthetic: Likewise.
        human_group: Number of the fold of each human set.
        synthetic_group: Of each synthetic set.
        human_weight: Root of the number of documents of each human set: a set of many says more, but not for all.
        synthetic_weight: Likewise.
    """

    bins: tuple[str, ...]
    human: Floats
    synthetic: Floats
    human_group: npt.NDArray[np.int64]
    synthetic_group: npt.NDArray[np.int64]
    human_weight: Floats
    synthetic_weight: Floats

    @property
    def groups(self) -> int:
        """Folds."""
        return int(max(self.human_group.max(), self.synthetic_group.max())) + 1


@dataclass(frozen=True)
class Share:
    """An estimated share.

    Attributes:
        share: Of synthetic text.
        low: Lower end of the 95 % interval.
        high: Upper end.
        right: Expected share of the texts tagged synthetic that are; NaN if none is.
        right_low: Lower end of its 95 % interval.
        right_high: Upper end.
        tagged: Texts (or words) tagged synthetic.
    """

    share: float
    low: float
    high: float
    right: float
    right_low: float
    right_high: float
    tagged: float


def densities(populations: Sequence[Population], bins: Sequence[str]) -> Densities | None:
    """Smoothed histograms of the bins; None where fewer than `FEWEST_GROUPS` groups of a label are known.

    Args:
        populations: Of the model file.
        bins: Bins of one language, in order.
    """
    of_bins = [population for population in populations if population.bin in bins]
    groups = sorted({population.group for population in of_bins})
    parts: dict[str, tuple[Floats, npt.NDArray[np.int64], Floats]] = {}
    for label in ("human", "synthetic"):
        found = [population for population in of_bins if population.label == label]
        names = sorted({population.name for population in found})
        if len({population.group for population in found}) < FEWEST_GROUPS:
            return None
        counts = np.zeros((len(names), len(bins), CELLS))
        documents = np.zeros((len(names), len(bins)))
        group = np.zeros(len(names), np.int64)
        for population in found:
            place = names.index(population.name), list(bins).index(population.bin)
            counts[place], documents[place] = population.counts, population.documents
            group[place[0]] = groups.index(population.group)
        parts[label] = smoothed(counts), group, np.sqrt(documents.max(1))
    human, human_group, human_weight = parts["human"]
    synthetic, synthetic_group, synthetic_weight = parts["synthetic"]
    return Densities(tuple(bins), human, synthetic, human_group, synthetic_group, human_weight, synthetic_weight)


def smoothed(counts: Floats) -> Floats:
    """Histograms as probabilities: spread a little over neighbouring cells, and never quite 0.

    Args:
        counts: ``[..., sets, bins, CELLS]``. A set without counts in a bin takes the mean of the others.
    """
    offsets = np.arange(-4, 5)
    kernel = np.exp(-0.5 * (offsets / _SMOOTHING) ** 2)
    padded = np.pad(counts, [(0, 0)] * (counts.ndim - 1) + [(4, 4)])
    spread = sum(
        weight * padded[..., 4 + offset : 4 + offset + CELLS] for offset, weight in zip(offsets, kernel, strict=True)
    )
    total = np.sum(spread, axis=-1, keepdims=True)
    share = spread / np.where(total > 0, total, 1.0)
    known = total > 0
    mean = share.sum(axis=-3, keepdims=True) / np.maximum(known.sum(axis=-3, keepdims=True), 1)
    share = np.where(known, (1.0 - _POOLED) * share + _POOLED * mean, mean)
    return np.asarray((1.0 - _FLOOR) * share + _FLOOR / CELLS, np.float64)


@dataclass(frozen=True)
class Fit:
    """Shares and blends that explain piles best; the first axis is the pile (or the replicate).

    Attributes:
        shares: ``[piles, bins]``.
        human: Blend of the human sets, ``[piles, sets]``.
        synthetic: Of the synthetic sets.
    """

    shares: Floats
    human: Floats
    synthetic: Floats


def fit(
    piles: Floats,
    texts: Floats,
    human: Floats,
    synthetic: Floats,
    human_pull: Floats,
    synthetic_pull: Floats,
    start: Fit | None = None,
) -> Fit:
    """Find the shares and blends by expectation-maximisation.

    Args:
        piles: Weights by bin and cell, ``[piles, bins, CELLS]``.
        texts: How many texts each pile stands for, ``[piles]``: decides how strong the pulls are.
        human: ``[sets, bins, CELLS]``, from `Densities`.
        synthetic: Likewise.
        human_pull: The blend that each pile is pulled to, ``[piles, sets]``; a set of weight 0 takes no part.
        synthetic_pull: Likewise.
        start: Where to begin.
    """
    count, bins = piles.shape[:2]
    total = np.maximum(piles.sum((1, 2)), 1e-300)
    flat = (piles / total[:, None, None]).reshape(count, -1)
    of_bin = flat.reshape(count, bins, CELLS).sum(2)
    pull = np.maximum(PULL, PULL_TEXTS / np.maximum(texts, 1.0))[:, None]
    bin_pull = (BIN_TEXTS / np.maximum(texts, 1.0))[:, None]
    human_rows, synthetic_rows = human.reshape(len(human), -1), synthetic.reshape(len(synthetic), -1)
    shares = np.full((count, bins), 0.3) if start is None else np.broadcast_to(start.shares, (count, bins)).copy()
    first = human_pull if start is None else np.where(human_pull > 0, start.human + 1e-3 * human_pull, 0.0)
    second = (
        synthetic_pull if start is None else np.where(synthetic_pull > 0, start.synthetic + 1e-3 * synthetic_pull, 0.0)
    )
    first, second = first / first.sum(1, keepdims=True), second / second.sum(1, keepdims=True)
    for _ in range(_ITERATIONS):
        wide = np.repeat(shares, CELLS, axis=1)
        of_human, of_synthetic = (1.0 - wide) * (first @ human_rows), wide * (second @ synthetic_rows)
        ratio = flat / np.maximum(of_human + of_synthetic, 1e-300)
        first = first * ((ratio * (1.0 - wide)) @ human_rows.T) + pull * human_pull
        second = second * ((ratio * wide) @ synthetic_rows.T) + pull * synthetic_pull
        first /= first.sum(1, keepdims=True)
        second /= second.sum(1, keepdims=True)
        found = (ratio * of_synthetic).reshape(count, bins, CELLS).sum(2)
        mean = found.sum(1, keepdims=True)
        updated = (found + bin_pull * mean) / (of_bin + bin_pull)
        moved = float(np.abs(updated - shares).max())
        shares = updated
        if moved < _TOLERANCE:
            break
    return Fit(shares, first, second)


@dataclass(frozen=True)
class Trials:
    """What estimates are made of piles of known shares, of sets that were hidden from the estimate.

    Attributes:
        estimates: ``[trials, len(TRUE_SHARES)]``, not falling along a row.
        human: How scores are spread in the human text of each trial, ``[trials, bins, CELLS]``.
        synthetic: Likewise.
    """

    estimates: Floats
    human: Floats
    synthetic: Floats


def trials(known: Densities, of_bin: Floats, texts: int, seed: int = 0, count: int = TRIALS) -> Trials:
    """Try the estimate on piles whose share is known and whose sets are hidden from it.

    Args:
        known: The calibration sets.
        of_bin: Share of each bin in the piles, ``[bins]``.
        texts: How many texts the piles stand for.
        seed: Of the choice of sets.
        count: How many choices of sets.
    """
    draw = np.random.default_rng(seed)
    hidden_human, hidden_synthetic = np.zeros((count, len(known.human))), np.zeros((count, len(known.synthetic)))
    seen = np.zeros((count, known.groups))
    for trial in range(count):
        shown = np.zeros(known.groups)
        most = MOST_HIDDEN
        while min(shown[known.human_group].sum(), shown[known.synthetic_group].sum()) < 1:
            human = _choose(known.human_group, known.human_weight, most, draw)
            synthetic = _choose(known.synthetic_group, known.synthetic_weight, most, draw)
            shown = np.ones(known.groups)
            shown[known.human_group[human > 0]] = 0.0
            shown[known.synthetic_group[synthetic > 0]] = 0.0
            most = max(1, most - 1)  # one of each leaves one of each, for there are at least three
        hidden_human[trial], hidden_synthetic[trial], seen[trial] = human, synthetic, shown
    of_human, of_synthetic = (
        np.tensordot(hidden_human, known.human, 1),
        np.tensordot(hidden_synthetic, known.synthetic, 1),
    )
    truth = np.array(TRUE_SHARES)[None, :, None, None]
    piles = ((1.0 - truth) * of_human[:, None] + truth * of_synthetic[:, None]) * of_bin[:, None]
    piles = piles.reshape(-1, *piles.shape[2:])
    blends = even_blends(known, np.repeat(seen, len(TRUE_SHARES), axis=0))
    found = fit(piles, np.full(len(piles), float(texts)), known.human, known.synthetic, *blends)
    estimates = overall(found.shares, piles).reshape(count, -1)
    return Trials(np.maximum.accumulate(estimates, axis=1), of_human, of_synthetic)


def _choose(group: npt.NDArray[np.int64], weights: Floats, most: int, draw: np.random.Generator) -> Floats:
    """A chance blend of the sets of one to ``most`` groups."""
    present = np.unique(group)
    number = min(int(draw.integers(1, most + 1)), len(present))
    chosen = np.isin(group, draw.choice(present, number, replace=False))
    blend = np.where(chosen, draw.exponential(size=len(group)) * weights, 0.0)
    return np.asarray(blend / blend.sum(), np.float64)


def estimate(
    clusters: Floats,
    tagged: Floats,
    texts: int,
    known: Densities,
    tried: Trials,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Share:
    """Estimate the share of synthetic text in one pile: what the middle one of the trials corrects its estimate to.

    Args:
        clusters: Weights (texts or words) by cluster, bin and cell, ``[clusters, bins, CELLS]``. A cluster is what is
            resampled: the texts of a host, or of a document.
        tagged: The part of the whole pile that style tagged synthetic, ``[bins, CELLS]``.
        texts: How many texts the pile holds.
        known: The calibration sets.
        tried: Of `trials` on piles of about these lengths.
        seed: Of the resampling.
        replicates: How many times to resample; the interval's ends are quantiles of them.
    """
    _, spread = _resampled(clusters, texts, known, seed, replicates)
    # Each replicate's estimate, read back through each trial's errors, is a share that the pile may really have.
    possible = np.stack([np.interp(spread, curve, TRUE_SHARES) for curve in _rising(tried.estimates)])
    low, share, high = (float(end) for end in np.quantile(possible, [0.025, 0.5, 0.975]))
    low, high = low if low >= LEAST_SHARE else 0.0, max(high, hidden_share(texts))
    right = right_shares(clusters.sum(0), tagged, tried, possible) if tagged.any() else np.array([np.nan])
    ends = np.quantile(right, [0.5, 0.025, 0.975])
    return Share(share, low, high, float(ends[0]), float(ends[1]), float(ends[2]), float(tagged.sum()))


def hidden_share(texts: int) -> float:
    """The share that a pile's source can have though the pile holds none: resampling such a pile shows none either.

    The upper end of the 95 % interval of Clopper and Pearson for nothing found.
    """
    return float(1.0 - 0.025 ** (1.0 / max(texts, 1)))


def sampled(
    clusters: Floats, texts: int, known: Densities, seed: int = 0, replicates: int = REPLICATES
) -> tuple[float, float, float]:
    """Share of one pile, and an interval that takes the pile's kinds of text for known ones; as in `estimate`."""
    share, spread = _resampled(clusters, texts, known, seed, replicates)
    low, high = np.quantile(spread, [0.025, 0.975])
    return share, min(float(low), share), max(float(high), share)


def _resampled(clusters: Floats, texts: int, known: Densities, seed: int, replicates: int) -> tuple[float, Floats]:
    """The share of a pile, and of as many piles as wanted made of its clusters, drawn with replacement."""
    pile = clusters.sum(0)[None]
    even = even_blends(known, np.ones((1, known.groups)))
    size = np.array([float(texts)])
    best = fit(pile, size, known.human, known.synthetic, *even)
    draw = np.random.default_rng(seed)
    times = draw.multinomial(len(clusters), np.full(len(clusters), 1.0 / len(clusters)), replicates).astype(np.float64)
    piles = (times @ clusters.reshape(len(clusters), -1)).reshape(replicates, *pile.shape[1:])
    human_pull, synthetic_pull = (np.repeat(blend, replicates, axis=0) for blend in even)
    sizes = np.repeat(size, replicates)
    again = fit(piles, sizes, known.human, known.synthetic, human_pull, synthetic_pull, start=best)
    return float(overall(best.shares, pile)[0]), overall(again.shares, piles)


def _rising(estimates: Floats) -> Floats:
    """Rows that rise everywhere, as reading them backwards needs."""
    return estimates + 1e-9 * np.arange(estimates.shape[1])


def overall(shares: Floats, piles: Floats) -> Floats:
    """Share of each pile from those of its bins."""
    weights = piles.sum(2)
    return np.asarray((shares * weights).sum(1) / np.maximum(weights.sum(1), 1e-300), np.float64)


def even_blends(known: Densities, shown: Floats) -> tuple[Floats, Floats]:
    """Blends of the sets of the groups shown, by their weights; ``shown`` is ``[piles, groups]`` of 0 and 1."""
    blends = []
    for group, weights in ((known.human_group, known.human_weight), (known.synthetic_group, known.synthetic_weight)):
        weight = shown[:, group] * weights
        blends.append(weight / weight.sum(1, keepdims=True))
    return blends[0], blends[1]


def right_shares(pile: Floats, tagged: Floats, tried: Trials, possible: Floats) -> Floats:
    """Share of the tagged texts that is synthetic, for each trial and possible share.

    Args:
        pile: ``[bins, CELLS]``.
        tagged: Its part that is tagged.
        tried: Says how much human and synthetic text of hidden sets lies where texts are tagged.
        possible: Shares, ``[trials, replicates]``.
    """
    chance = tagged / np.maximum(pile, 1e-300)  # of a text in a cell to be tagged
    weight = pile.sum(1) / pile.sum()
    of_human = (tried.human * chance).sum(2) @ weight
    of_synthetic = (tried.synthetic * chance).sum(2) @ weight
    hits = possible * of_synthetic[:, None]
    return np.asarray(hits / np.maximum(hits + (1.0 - possible) * of_human[:, None], 1e-300), np.float64)
