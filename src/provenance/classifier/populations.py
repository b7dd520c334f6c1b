"""Score histograms of the calibration sets: what a model file keeps so that shares of text can be estimated with it.

A threshold's error says how often one tag is wrong. The share of synthetic text in a crawl needs more: how scores are
spread in known human and in known synthetic text, set by set, because sets differ more than chance. So the file holds
one histogram of out-of-sample scores for each calibration bin, set and label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Label = Literal["human", "synthetic"]

CELL_WIDTH: Final = 0.25
"""Of the score, which is a natural-log likelihood ratio."""
LEAST_SCORE: Final = -10.0
CELLS: Final = 82
"""80 cells of `CELL_WIDTH` from `LEAST_SCORE` up, with one for everything below before and one for all above behind."""
FEWEST_ROWS: Final = 20
"""A set with fewer rows in a bin has no histogram there."""
_MOST: Final = 1 << 40


@dataclass(frozen=True)
class Population:
    """Scores of one set's texts of one label in one calibration bin, from a model that never saw the set.

    Attributes:
        bin: Name of the bin, such as ``en:100-199``.
        name: The set; sets that were held out together stay apart here, unless they count as one population.
        group: What was held out together or counts as one population: the unit in which calibration is resampled.
        label: What the texts are. Text of base models takes no part.
        documents: How many independent documents the rows are, at most the sum of the counts.
        counts: Rows in each cell; ``len(counts) == CELLS``.
    """

    bin: str
    name: str
    group: str
    label: Label
    documents: int
    counts: tuple[int, ...]


def cells(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The cell of each score."""
    inner = np.floor((scores - LEAST_SCORE) / CELL_WIDTH)
    return (np.clip(inner, -1, CELLS - 2) + 1).astype(np.int64)


def populations(
    bin_name: str,
    scores: npt.NDArray[np.float64],
    synthetic: npt.NDArray[np.bool_],
    names: Sequence[str],
    groups: Sequence[str],
    works: npt.NDArray[np.int64],
) -> tuple[Population, ...]:
    """Histograms of one bin's calibration rows, in the order of names.

    Args:
        bin_name: Of the bin.
        scores: Out-of-sample calibrated scores, as `StyleModel.judge` would give them.
        synthetic: The label of each.
        names: Set of each.
        groups: Fold of each.
        works: Number of the work that each row is a piece of.
    """
    name_of, group_of = np.array(names, dtype=object), np.array(groups, dtype=object)
    cell = cells(scores)
    found = []
    for name in sorted(set(name_of.tolist())):
        labels: tuple[tuple[Label, npt.NDArray[np.bool_]], ...] = (("human", ~synthetic), ("synthetic", synthetic))
        for label, of_label in labels:
            rows = np.flatnonzero((name_of == name) & of_label)
            if len(rows) < FEWEST_ROWS:
                continue
            counts = np.bincount(cell[rows], minlength=CELLS)
            documents = len(np.unique(works[rows]))
            found.append(
                Population(bin_name, str(name), str(group_of[rows[0]]), label, documents, tuple(counts.tolist()))
            )
    return tuple(found)


def as_header(found: Sequence[Population]) -> list[dict[str, Any]]:
    """Populations as JSON values."""
    return [{**vars(population), "counts": list(population.counts)} for population in found]


def from_header(entries: Any, bin_names: Sequence[str]) -> tuple[Population, ...]:
    """Audit and read what `as_header` wrote.

    Raises:
        ValueError: A value that no training gives.
        KeyError: A missing field.
    """
    _require(isinstance(entries, list), "populations are no list")
    found = tuple(_population(entry, bin_names) for entry in entries)
    keys = {(population.bin, population.name, population.label) for population in found}
    _require(len(keys) == len(found), "two populations of one name")
    return found


def _population(entry: Any, bin_names: Sequence[str]) -> Population:
    _require(isinstance(entry, dict), "a population of no fields")
    counts, documents = entry["counts"], entry["documents"]
    texts = entry["bin"], entry["name"], entry["group"], entry["label"]
    _require(all(isinstance(text, str) and len(text) <= 200 for text in texts), "a population without name")
    _require(entry["bin"] in bin_names, "a population of no bin")
    _require(entry["label"] in {"human", "synthetic"}, "a population of no label")
    _require(isinstance(counts, list) and len(counts) == CELLS, "a histogram of another size")
    _require(all(type(count) is int and 0 <= count < _MOST for count in counts), "a count that is no count")
    _require(type(documents) is int and 0 < documents <= sum(counts), "a population of no documents")
    return Population(*texts, documents, tuple(counts))


def _require(condition: bool, cause: str) -> None:
    if not condition:
        raise ValueError(cause)
