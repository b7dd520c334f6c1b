"""Calibration tables from scores of documents whose whole data set the scoring model never saw.

A pooled error rate holds for text like the pool. The next crawl is not: it is another set, and error rates differ
between sets far more than chance allows. So a p-value is the larger of two numbers. The first is the 95 %
Clopper-Pearson bound of the pooled rate, counted in documents. The second takes the sets, not the documents, as the
sample. For human text, where an error accuses somebody, it is Student's 95 % bound of the mean rate of a set: wide when
sets disagree, which keeps a promised 0.5 % near 0.5 % on a set that nobody has seen. For synthetic text, where an error
only lets a text pass, it is the mean rate of a set itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.classifier.modelfile import Bin
from provenance.classifier.statistics import student_quantile, upper_bound
from provenance.classifier.training.corpus import Ints

Floats = npt.NDArray[np.float64]

LENGTH_BINS: Final = ((50, 100), (100, 200), (200, 400), (400, 0))
FEWEST_DOCUMENTS: Final = 600
"""Human documents without which no bin can meet an error of 0.5 % at 95 % confidence."""
FEWEST_OF_A_SET: Final = 150
"""Rows below which a set's own rate is more noise than rate; such sets count in the pooled bound only."""
FEWEST_WORKS: Final = 20
"""Works below which a set says how one author writes, not how sets differ: it counts in the pooled bound only."""
FEWEST_SETS: Final = 3
_STEPS: Final = 240


@dataclass(frozen=True)
class Scored:
    """Out-of-sample scores of calibration documents of one bin and label.

    Attributes:
        margins: One for each row.
        sets: Number of the fold of each row: sets that were held out together are one population.
        works: Number of the work that each row is a piece of.
    """

    margins: Floats
    sets: Ints
    works: Ints


class SetRates:
    """Error rates by data set, as functions of the threshold."""

    def __init__(self, scored: Scored, *, upper: bool) -> None:
        self._upper = upper
        self._sorted = []
        self._documents = []
        for number in np.unique(scored.sets):
            rows = scored.sets == number
            self._sorted.append(np.sort(scored.margins[rows]))
            self._documents.append(len(np.unique(scored.works[rows])))
        self.documents = np.array(self._documents, np.float64)
        self.rows = np.array([len(values) for values in self._sorted])
        self._large = (self.rows >= FEWEST_OF_A_SET) & (self.documents >= FEWEST_WORKS)
        self.sets = int(self._large.sum())

    def at(self, threshold: float) -> Floats:
        """Share of each set that scores at least (at most, for lower tails) the threshold."""
        if self._upper:
            return np.array([1.0 - np.searchsorted(v, threshold, side="left") / len(v) for v in self._sorted])
        return np.array([np.searchsorted(v, threshold, side="right") / len(v) for v in self._sorted])

    def bound(self, threshold: float) -> float:
        """The larger of the pooled bound and what the sets' own rates say: their mean, for human text its bound."""
        rates = self.at(threshold)
        pooled = upper_bound(float(rates @ self.documents), float(self.documents.sum()))
        large = rates[self._large]
        if len(large) < 2:
            return 1.0
        over_sets = float(np.mean(large))
        if self._upper:
            over_sets += student_quantile(len(large) - 1) * float(np.std(large, ddof=1)) / np.sqrt(len(large))
        return float(min(1.0, max(pooled, over_sets)))


def p_table(scored: Scored, *, upper: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Steps from margin to p-value, monotone.

    Args:
        scored: Calibration documents of one label.
        upper: Whether a high margin is the extreme one (human documents) or a low one (synthetic).
    """
    rates = SetRates(scored, upper=upper)
    # Half of the steps lie in the extreme twentieth, where policies decide.
    inner = np.linspace(0.0, 0.95, _STEPS // 2, endpoint=False)
    tail = 1.0 - 0.05 * np.linspace(1.0, 0.0, _STEPS // 2) ** 2
    levels = np.concatenate([inner, tail])
    grid = np.unique(np.round(np.quantile(scored.margins, levels if upper else 1.0 - levels), 6))
    # A little beyond the last document nothing is known either: its bound is the last step.
    values = np.array([rates.bound(float(margin)) for margin in grid])
    values = np.maximum.accumulate(values[::-1])[::-1] if upper else np.maximum.accumulate(values)
    values = np.ceil(values * 1e7) / 1e7
    return tuple(grid.tolist()), tuple(np.minimum(values, 1.0).tolist())


def logistic_line(margins: Floats, synthetic: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Slope and offset of the weighted logistic regression of the label on the margin (Platt), by Newton steps."""
    slope, offset = 1.0, 0.0
    target = synthetic.astype(np.float64)
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(slope * margins + offset, -30, 30)))
        error = weights * (chance - target)
        curve = weights * chance * (1.0 - chance)
        # A weak pull towards 0 keeps separable samples finite.
        gradient = np.array([error @ margins + 1e-6 * slope, error.sum()])
        cross = float(curve @ margins)
        hessian = np.array([[float(curve @ margins**2) + 1e-6, cross], [cross, float(curve.sum()) + 1e-9]])
        step = np.linalg.solve(hessian, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-9:
            break
    return round(max(slope, 1e-3), 6), round(offset, 6)


def calibrate_bin(language: str, limits: tuple[int, int], human: Scored, synthetic: Scored) -> Bin | None:
    """Tables of one bin, or None where there is too little to stand on.

    Args:
        language: ISO code.
        limits: Fewest words, and one more than the most (0: no limit).
        human: Known human documents.
        synthetic: Text of models tuned to instructions.
    """
    documents = len(np.unique(human.works)), len(np.unique(synthetic.works))
    if min(documents) < FEWEST_DOCUMENTS or any(
        SetRates(scored, upper=True).sets < FEWEST_SETS for scored in (human, synthetic)
    ):
        return None
    human_table, synthetic_table = p_table(human, upper=True), p_table(synthetic, upper=False)
    margins = np.concatenate([human.margins, synthetic.margins])
    is_synthetic = np.arange(len(margins)) >= len(human.margins)
    weights = np.concatenate([set_weights(human), set_weights(synthetic)])
    slope, offset = logistic_line(margins, is_synthetic, weights)
    return Bin(
        language, limits[0], limits[1], slope, offset, *human_table, *synthetic_table, (documents[0], documents[1])
    )


def set_weights(scored: Scored) -> Floats:
    """Weights that sum to one half; a set weighs as the root of its rows."""
    _, numbers, rows = np.unique(scored.sets, return_inverse=True, return_counts=True)
    return np.asarray(0.5 / (np.sqrt(rows).sum() * np.sqrt(rows[numbers])), np.float64)
