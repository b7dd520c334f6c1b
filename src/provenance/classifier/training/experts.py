"""A model's experts: linear scores of different synthetic text, made comparable by what people's text scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.classifier.training import optimise
from provenance.classifier.training.calibrate import FEWEST_OF_A_SET
from provenance.classifier.training.corpus import Corpus


@dataclass(frozen=True)
class Expert:
    """Which synthetic text one of a model's linear scores is trained on.

    Attributes:
        name: For the card.
        sets: Data sets that it learns, or with ``others`` those that it does not.
        others: Whether it learns the sets that are not named, instead of those that are.
        steepness: Factor on its score on the scale of `optimise.on_one_scale`: one above 1 says less of what reads like
            a person's, and more of what hardly a person writes.
        handicap: What is taken off then.
    """

    name: str
    sets: frozenset[str] = frozenset()
    others: bool = False
    steepness: float = 1.0
    handicap: float = 0.0

    def learns(self, dataset: str) -> bool:
        """Whether the synthetic text of a data set is among its own."""
        return (dataset in self.sets) != self.others


EVERYTHING: Final = (Expert("all", others=True),)


def fit_experts(
    corpus: Corpus,
    hashed: optimise.HashedRows,
    shares: npt.NDArray[np.float64],
    experts: Sequence[Expert],
    *,
    cost: float,
    epochs: int,
) -> list[optimise.Weights | None]:
    """Every expert's weights; None for one all of whose text is held out.

    Args:
        corpus: The corpus.
        hashed: Windows.
        shares: Weight of each window, 0 to hold it out.
        experts: Who learns what.
        cost: As for `optimise.fit`.
        epochs: As for `optimise.fit`.
    """
    labels = corpus.labels[hashed.rows]
    sets = corpus.dataset[hashed.rows].tolist()
    fitted: list[optimise.Weights | None] = []
    for expert in experts:
        learned = np.array([expert.learns(name) for name in sets])
        kept = np.where(learned | (labels < 0), shares, 0.0)
        known = bool((kept[labels > 0] > 0).any())
        fitted.append(optimise.fit(hashed, labels, kept, cost=cost, epochs=epochs) if known else None)
    return fitted


def scales_of(
    experts: Sequence[Expert],
    margins: npt.NDArray[np.float64],
    human: npt.NDArray[np.bool_],
    folds: npt.NDArray[np.object_],
) -> tuple[tuple[float, float], ...]:
    """Factor and term that put each expert's score on one scale, by human text of which every fold weighs the same.

    Args:
        experts: The experts.
        margins: Out-of-sample scores of spans, a row for each expert; -inf where it has none.
        human: Which spans are certainly a person's.
        folds: Fold of each span.
    """
    if len(experts) == 1:
        return ((1.0, 0.0),)
    _, fold, counts = np.unique(folds[human].astype(str), return_inverse=True, return_counts=True)
    shares = np.where(counts >= FEWEST_OF_A_SET, 1.0 / counts, 0.0)[fold]
    if not shares.any():
        shares = np.ones(len(fold))
    found = []
    for expert, margin in zip(experts, margins[:, human], strict=True):
        known = np.isfinite(margin)
        factor, term = optimise.on_one_scale(margin[known], shares[known]) if known.any() else (1.0, 0.0)
        found.append((expert.steepness * factor, round(expert.steepness * term - expert.handicap, 6)))
    return tuple(found)
