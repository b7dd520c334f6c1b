"""The training corpus in symbols: its documents, its balance, its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.features import symbolise
from provenance.classifier.training.labelled import is_base_model

Ints = npt.NDArray[np.int64]

WINDOW_LENGTHS: Final = (400, 480, 570, 680, 810, 970, 1160, 1390, 1660, 1990, 2400)
"""Symbols of a training window, drawn evenly, so that lengths are spread evenly in their logarithm."""
SHORTEST: Final = 300
"""Symbols below which a text is not trained on."""
HUMAN_WINDOWS: Final = 3
"""Most training windows of one human text."""
SYNTHETIC_WINDOWS: Final = 2
"""Most training windows of one synthetic text."""
_SYMBOLS_FOR_ANOTHER: Final = 600
BASE_SHARE: Final = 0.05
"""Weight of a base model's text beside that of a model tuned to instructions."""
HUMAN_POWER: Final = 0.75
SYNTHETIC_POWER: Final = 0.5
"""Power of the number of works in a cell's weight: 1 counts works, 0 counts cells."""
_LENGTH_CLASSES: Final = (500, 900, 1600)
_SHINGLE_MASK: Final = np.uint64(31)


@dataclass(frozen=True)
class Corpus:
    """Labelled texts as symbols, with the columns that balance and splits need.

    Attributes:
        symbols: All texts end to end.
        starts: ``int64[n + 1]``.
        labels: +1 synthetic, -1 human.
        dataset: Name of the set of each text.
        cell: Number of its set × generator × domain × label.
        base: Whether a base model wrote it.
        pair: Number of its prompt, which human and synthetic answers share.
        document: Number of its document: recurring human texts share it.
        work: Where the rows are pieces of fewer works, the work's number; else the document's.
    """

    symbols: npt.NDArray[np.uint8]
    starts: Ints
    labels: Ints
    dataset: npt.NDArray[np.object_]
    cell: Ints
    base: npt.NDArray[np.bool_]
    pair: Ints
    document: Ints
    work: Ints

    @property
    def lengths(self) -> Ints:
        """Symbols of each text."""
        return np.diff(self.starts)


def codes(*columns: list[Any]) -> Ints:
    """Number the distinct combinations of values in the order in which they are first met."""
    numbers: dict[tuple[Any, ...], int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in zip(*columns, strict=True)], np.int64)


def build_corpus(table: pa.Table, symbols_table: npt.NDArray[np.uint8], pieces: frozenset[str]) -> Corpus:
    """Turn labelled texts into symbols and find which of them belong together.

    Args:
        table: Of `labelled.COLUMNS`.
        symbols_table: The alphabet.
        pieces: Sets whose rows are pieces of few works, one for each domain of theirs.
    """
    symbols, starts = symbolise(symbols_table, pa.concat_arrays(table["text"].chunks))
    column = {
        name: table[name].to_pylist() for name in ("label", "dataset", "model", "domain", "pair_id", "document_id")
    }
    labels = np.array([1 if label == "synthetic" else -1 for label in column["label"]], np.int64)
    rows = np.arange(len(labels), dtype=np.int64)
    document = recurring(symbols, starts, np.flatnonzero(labels < 0))
    named = [
        (name, domain) if name in pieces else (name, identity) if identity is not None else row
        for row, name, domain, identity in zip(
            document.tolist(), column["dataset"], column["domain"], column["document_id"], strict=True
        )
    ]
    pairs = [row if pair is None else pair for row, pair in zip(rows.tolist(), column["pair_id"], strict=True)]
    return Corpus(
        symbols=symbols,
        starts=starts,
        labels=labels,
        dataset=np.array(column["dataset"], dtype=object),
        cell=codes(column["dataset"], column["model"], column["domain"], column["label"]),
        base=np.array([is_base_model(*named) for named in zip(column["model"], column["dataset"], strict=True)], bool),
        pair=codes(pairs),
        document=document,
        work=codes(named),
    )


def recurring(symbols: npt.NDArray[np.uint8], starts: Ints, rows: Ints) -> Ints:
    """Number of the document that each text is a copy of: the first row of those that share long runs of letters.

    Two sampled runs of 40 letters must be shared, so that a quotation or a formula does not join texts.
    """
    from provenance.classifier.training.kernel import join, sample_shingles

    parent = np.arange(len(starts) - 1, dtype=np.int64)
    if not len(rows):
        return parent
    room = int(np.diff(starts)[rows].sum() // 8) + 64 * len(rows) + 1024
    hashes, owners = np.empty(room, np.uint64), np.empty(room, np.int64)
    count = sample_shingles(symbols, starts, rows, _SHINGLE_MASK, hashes, owners)
    order = np.lexsort((owners[:count], hashes[:count]))
    ordered, owner = hashes[:count][order], owners[:count][order]
    shared = (ordered[1:] == ordered[:-1]) & (owner[1:] != owner[:-1])
    pairs, times = np.unique(np.stack([owner[:-1][shared], owner[1:][shared]], 1), axis=0, return_counts=True)
    often = pairs[times >= 2]
    join(np.ascontiguousarray(often[:, 0]), np.ascontiguousarray(often[:, 1]), parent)
    return parent


def mix(rows: Ints, seed: int) -> npt.NDArray[np.uint64]:
    """SplitMix64 of row numbers: random numbers that no library version can change."""
    value = rows.astype(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def uniform(rows: Ints, seed: int) -> npt.NDArray[np.float64]:
    """Random numbers in [0, 1), one for each row."""
    return (mix(rows, seed) >> np.uint64(11)).astype(np.float64) / 2.0**53


def balance(corpus: Corpus, rows: Ints) -> npt.NDArray[np.float64]:
    """Weights of rows: each class sums to one.

    A set × generator × domain weighs as a root of the number of its works, so that a set counts for its variety and
    not for its size, and pieces of one work have one voice. Base models weigh less, and within a class of length both
    labels weigh the same.
    """
    human = corpus.labels[rows] < 0
    _, cell, cell_rows = np.unique(corpus.cell[rows], return_inverse=True, return_counts=True)
    works = np.unique(np.stack([cell, corpus.work[rows]]), axis=1)
    cell_works = np.bincount(works[0], minlength=len(cell_rows)).astype(np.float64)
    weights = cell_works[cell] ** np.where(human, HUMAN_POWER, SYNTHETIC_POWER) / cell_rows[cell]
    weights[corpus.base[rows]] *= BASE_SHARE
    classes = np.searchsorted(_LENGTH_CLASSES, corpus.lengths[rows])
    for length in range(len(_LENGTH_CLASSES) + 1):
        here = classes == length
        both = weights[here & human].sum(), weights[here & ~human].sum()
        if min(both) > 0:
            mean = float(np.sqrt(both[0] * both[1]))
            weights[here & human] *= mean / both[0]
            weights[here & ~human] *= mean / both[1]
    for label in (human, ~human):
        weights[label] /= max(weights[label].sum(), 1e-300)
    return weights


def several_windows(corpus: Corpus, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """Random windows of rows that are long enough for more than one: known human texts are few.

    Args:
        corpus: The corpus.
        rows: Rows that take part, each once.

    Returns:
        For each window the place in ``rows`` of its text, its first symbol, and its end.
    """
    most = np.where(corpus.labels[rows] < 0, HUMAN_WINDOWS, SYNTHETIC_WINDOWS)
    room = np.maximum(0, corpus.lengths[rows] - SHORTEST) // _SYMBOLS_FOR_ANOTHER + 1
    taken = [np.flatnonzero(np.minimum(most, room) > number) for number in range(int(most.max()))]
    cut = [windows(corpus, rows[places], seed=5 + 2 * number) for number, places in enumerate(taken)]
    return np.concatenate(taken), np.concatenate([c[0] for c in cut]), np.concatenate([c[1] for c in cut])


def windows(corpus: Corpus, rows: Ints, seed: int) -> tuple[Ints, Ints]:
    """A random window of each row, so that every length and every beginning is seen in both classes."""
    wanted = np.array(WINDOW_LENGTHS)[(uniform(rows, seed) * len(WINDOW_LENGTHS)).astype(np.int64)]
    length = np.minimum(wanted, corpus.lengths[rows])
    first = corpus.starts[rows] + (uniform(rows, seed + 1) * (corpus.lengths[rows] - length + 1)).astype(np.int64)
    return first, first + length
