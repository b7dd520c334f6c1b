"""From labelled synthetic texts to the table of families: select, balance, cross-fit, calibrate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provenance.classifier.alphabet import build_table
from provenance.classifier.families.model import FamilyModel, confidence
from provenance.classifier.families.modelfile import FamilyArrays
from provenance.classifier.families.names import OTHER, family_of, named_families
from provenance.classifier.training.corpus import (
    SHORTEST,
    WINDOW_LENGTHS,
    Corpus,
    Ints,
    build_corpus,
    codes,
    mix,
    recurring,
    uniform,
)
from provenance.classifier.training.labelled import Licences, licence_kind, select_licences
from provenance.classifier.training.optimise import HashedRows, hash_rows, quantise
from provenance.errors import UsageError

Floats = npt.NDArray[np.float64]

FEWEST_WORDS: Final = 100
COVERAGE: Final = 0.6
"""Share of held-out texts of known kinds that a family is named for."""
FOLDS: Final = 5
_TEMPERATURES: Final = (0.1, 0.12, 0.14, 0.17, 0.2, 0.24, 0.29, 0.35, 0.42, 0.5)
_STEPS: Final = 12
_REWRITTEN: Final = re.compile("paraphrase|data_mixing|human_ai_fusion")
"""Disguises after which another program or a person has written part of the text."""
_FEW, _SOME = 1000, 2500
_ONE_IN: Final = 2_000


@dataclass(frozen=True)
class FamilyOptions:
    """How the table is trained.

    Attributes:
        licences: Which sets take part: see `labelled.select_licences`.
        languages: Languages to train on.
        bits: log2 of the buckets of each of the two blocks.
        cost: Inverse strength of the regularisation.
        own: How much more a text costs in the score of its own family.
        foreign: How much less a text costs in the score of a family that its set holds no text of: such a text tells
            the sets apart rather than the families.
        epochs: Passes of the optimiser.
        rows: Most texts of one set and family.
    """

    licences: Licences = "default"
    languages: tuple[str, ...] = ("en",)
    bits: int = 18
    cost: float = 0.1
    own: float = 4.0
    foreign: float = 0.1
    epochs: int = 5
    rows: int = 1000


@dataclass(frozen=True)
class HeldOut:
    """Texts with scores of tables that knew neither their prompt nor (``by_set``) their set.

    Attributes:
        families: Names in the order of the numbers.
        actual: Number of the family of each text.
        dataset: Set of each text.
        by_prompt: Scores of tables that knew the set but not the prompt.
        by_set: Scores of tables that did not know the set; NaN where its family stands in no other.
    """

    families: tuple[str, ...]
    actual: Ints
    dataset: npt.NDArray[np.object_]
    by_prompt: Floats
    by_set: Floats


@dataclass(frozen=True)
class FamilyResult:
    """A trained table and what its calibration rests on."""

    model: FamilyModel
    held_out: HeldOut


@dataclass(frozen=True)
class _Material:
    """Training windows and evaluation windows of the chosen texts, hashed; numbers refer to the chosen texts."""

    actual: Ints
    dataset: Ints
    group: Ints
    judged: npt.NDArray[np.bool_]
    hashed: HashedRows
    parts: HashedRows


def family_rows(table: pa.Table, languages: tuple[str, ...]) -> pa.Table:
    """Synthetic texts with the column ``family``: those that a family of models alone has written.

    Args:
        table: Of `labelled.COLUMNS`.
        languages: Languages kept.
    """
    table = table.filter(
        pc.and_(pc.equal(table["label"], "synthetic"), pc.is_in(table["lang"], pa.array(languages, pa.string())))
    )
    named = frozenset(named_families())
    families = []
    for model, dataset, attack in zip(
        *(table[name].to_pylist() for name in ("model", "dataset", "attack")), strict=True
    ):
        family = None if attack and _REWRITTEN.match(attack) else family_of(model, dataset)
        families.append(family if family is None or family in named else OTHER)
    table = table.append_column("family", pa.array(families, pa.string()))
    return table.filter(pc.is_valid(table["family"]))


def train_families(
    table: pa.Table, options: FamilyOptions | None = None, progress: Callable[[str], None] | None = None
) -> FamilyResult:
    """Train and calibrate a table of families; the same texts and options give the same bytes.

    Args:
        table: From `labelled.read_labelled`.
        options: How.
        progress: Called with a line when a step begins.

    Raises:
        UsageError: Fewer than two families are left.
    """
    options = options or FamilyOptions()
    tell = progress or (lambda _: None)
    tell("reading symbols")
    table = family_rows(select_licences(table, options.licences), options.languages)
    families = tuple(sorted(pc.unique(table["family"]).to_pylist()))
    if len(families) < 2:
        raise UsageError("Texts of fewer than two families are left", next_step="Allow other licences or languages")
    alphabet = build_table()
    corpus = build_corpus(table, alphabet, frozenset())
    rows = _chosen(table, corpus, options.rows)
    tell(f"hashing {len(rows)} texts of {len(families)} families")
    material = _material(table, corpus, rows, families, options.bits)
    held_out = _cross_fit(material, families, table, rows, options, tell)
    tell("fitting the table")
    weights, scales = _fit(material, np.ones(len(rows), bool), len(families), options)
    temperature, threshold, steps = calibrate(held_out)
    arrays = FamilyArrays(
        symbols=alphabet,
        weights=weights,
        names=families,
        scales=scales,
        bits=options.bits,
        window=WINDOW_LENGTHS[-1],
        temperature=temperature,
        threshold=threshold,
        steps=steps,
        fewest_words=FEWEST_WORDS,
        languages=options.languages,
        card=_card(table.take(pa.array(rows)), options),
    )
    return FamilyResult(FamilyModel.of(arrays), held_out)


def prompt_groups(table: pa.Table, corpus: Corpus) -> Ints:
    """Number of the group of each text: texts of one prompt, equal texts, and, without a prompt's name, near copies."""
    from provenance.classifier.training.kernel import join

    prompts = table["pair_id"].to_pylist()
    unnamed = np.flatnonzero([prompt is None for prompt in prompts])
    near = recurring(corpus.symbols, corpus.starts, unnamed)
    first: dict[Any, int] = {}
    pairs = []
    for row, (prompt, start, end) in enumerate(
        zip(prompts, corpus.starts[:-1].tolist(), corpus.starts[1:].tolist(), strict=True)
    ):
        keys = [corpus.symbols[start:end].tobytes(), int(near[row]) if prompt is None else ("prompt", prompt)]
        pairs += [(first.setdefault(key, row), row) for key in keys]
    parent = np.arange(len(prompts), dtype=np.int64)
    links = np.array(pairs, np.int64).reshape(-1, 2)
    join(np.ascontiguousarray(links[:, 0]), np.ascontiguousarray(links[:, 1]), parent)
    return parent


def _chosen(table: pa.Table, corpus: Corpus, most: int) -> Ints:
    """At most so many texts of one set and family, its generators and domains in turn."""
    long_enough = np.flatnonzero(corpus.lengths >= SHORTEST)
    order = long_enough[np.argsort(mix(long_enough, 1), kind="stable")]
    taken = table.take(pa.array(order))
    columns = {name: taken[name].to_pylist() for name in ("dataset", "family", "model", "domain")}
    turns = _turns(codes(*columns.values()))
    by_turn = np.argsort(turns, kind="stable")
    cell = codes(columns["dataset"], columns["family"])[by_turn]
    return np.sort(order[by_turn][_turns(cell) < most])


def _turns(cell: Ints) -> Ints:
    """How many of the same cell stand before each."""
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell)
    turns = np.empty(len(cell), np.int64)
    turns[order] = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    return turns


def _material(table: pa.Table, corpus: Corpus, rows: Ints, families: tuple[str, ...], bits: int) -> _Material:
    from provenance.classifier.kernel import count_words

    taken = table.take(pa.array(rows))
    numbers = {family: number for number, family in enumerate(families)}
    actual = np.array([numbers[family] for family in taken["family"].to_pylist()], np.int64)
    dataset = codes(taken["dataset"].to_pylist())
    starts, lengths = corpus.starts[rows], corpus.lengths[rows]
    counts = np.bincount(actual)[actual]
    # The rarer a family, the more windows of each of its texts.
    most = np.minimum(1 + (counts < _SOME) + (counts < _FEW), np.maximum(0, lengths - SHORTEST) // 600 + 1)
    windows = []
    for number in range(int(most.max())):
        here = np.flatnonzero(most > number)
        seed = 5 + 2 * number
        wanted = np.array(WINDOW_LENGTHS)[(uniform(rows[here], seed) * len(WINDOW_LENGTHS)).astype(np.int64)]
        wanted = np.minimum(wanted, lengths[here])
        skipped = (uniform(rows[here], seed + 1) * (lengths[here] - wanted + 1)).astype(np.int64)
        windows.append(np.stack([here, starts[here] + skipped, starts[here] + skipped + wanted], 1))
    window = np.concatenate(windows)
    parts_of = np.maximum(1, -(-lengths // WINDOW_LENGTHS[-1]))
    parts = np.concatenate(
        [
            np.stack(
                [
                    here,
                    starts[here] + lengths[here] * number // parts_of[here],
                    starts[here] + lengths[here] * (number + 1) // parts_of[here],
                ],
                1,
            )
            for number in range(int(parts_of.max()))
            for here in [np.flatnonzero(parts_of > number)]
        ]
    )
    words = [count_words(corpus.symbols, start, start + length) for start, length in zip(starts, lengths, strict=True)]
    hashed, whole = (
        hash_rows(corpus.symbols, spans[0].copy(), spans[1].copy(), spans[2].copy(), bits)
        for spans in (window.T, parts.T)
    )
    group = prompt_groups(table, corpus)[rows]
    return _Material(actual, dataset, group, np.array(words) >= FEWEST_WORDS, hashed, whole)


def _fit(
    material: _Material, kept: npt.NDArray[np.bool_], families: int, options: FamilyOptions
) -> tuple[npt.NDArray[np.int8], tuple[tuple[float, float, float], ...]]:
    """Fit on some of the texts; quantised weights and their scales."""
    from provenance.classifier.families.kernel import fit_families

    rows = material.hashed.rows
    labels, sets, used = material.actual[rows], material.dataset[rows], kept[rows]
    cell = codes(sets.tolist(), labels.tolist())
    share = used / np.sqrt(np.maximum(1, np.bincount(cell, used)))[cell]
    # Sets and families weigh as the root of their texts, twice: neither the largest nor the rarest rules.
    share /= np.sqrt(np.maximum(np.bincount(labels, share, families), 1e-9))[labels]
    share /= share[used].mean()
    held = np.zeros((int(sets.max()) + 1, families), bool)
    held[sets[used], labels[used]] = True
    costs = options.cost * share[:, None] * np.where(held[sets], 1.0, options.foreign)
    costs[np.arange(len(rows)), labels] *= options.own
    costs = np.round(costs, 9)  # so that the last bit of a sum can't reach the table
    numbers = np.arange(len(rows), dtype=np.int64)
    orders = np.stack([np.argsort(mix(numbers, 100 + epoch), kind="stable") for epoch in range(options.epochs)])
    weights = np.zeros((2 << options.bits, families), np.float32)
    hashed = material.hashed
    intercepts = fit_families(hashed.buckets, hashed.starts, hashed.characters, labels, costs, orders, weights)
    columns = [quantise(np.ascontiguousarray(weights[:, n]), float(intercepts[n]), _ONE_IN) for n in range(families)]
    steps = np.ascontiguousarray(np.stack([column.steps for column in columns], 1))
    return steps, tuple(column.scales for column in columns)


def _score(
    material: _Material, chosen: Ints, weights: npt.NDArray[np.int8], scales: tuple[tuple[float, float, float], ...]
) -> Floats:
    """Mean scores of the parts of the chosen texts, as the shipped table scores texts."""
    from provenance.classifier.families.kernel import hashed_margins

    parts = material.parts
    taken = np.flatnonzero(np.isin(parts.rows, chosen))
    margins = np.zeros((len(taken), len(scales)))
    hashed_margins(parts.buckets, parts.starts, parts.characters, taken, weights, np.array(scales), margins)
    place = np.searchsorted(chosen, parts.rows[taken])
    counts = np.bincount(place, minlength=len(chosen))
    return np.stack([np.bincount(place, column, len(chosen)) / counts for column in margins.T], 1)


def _cross_fit(
    material: _Material,
    families: tuple[str, ...],
    table: pa.Table,
    rows: Ints,
    options: FamilyOptions,
    tell: Callable[[str], None],
) -> HeldOut:
    judged = np.flatnonzero(material.judged)
    by_prompt, by_set = np.full((2, len(rows), len(families)), np.nan)
    fold = (mix(material.group, 3) % np.uint64(FOLDS)).astype(np.int64)
    for number in range(FOLDS):
        tell(f"holding out prompts, {number + 1} of {FOLDS}")
        here = judged[fold[judged] == number]
        by_prompt[here] = _score(material, here, *_fit(material, fold != number, len(families), options))
    names = np.array(table["dataset"].take(pa.array(rows)).to_pylist(), dtype=object)
    for name in sorted(set(names.tolist())):
        kept = names != name
        known = np.isin(material.actual, material.actual[kept])
        here = np.flatnonzero(~kept & known & material.judged)
        if len(here) and len(np.unique(material.actual[kept])) > 1:
            tell(f"holding out {name}")
            by_set[here] = _score(material, here, *_fit(material, kept, len(families), options))
    return HeldOut(families, material.actual[judged], names[judged], by_prompt[judged], by_set[judged])


def calibrate(held_out: HeldOut) -> tuple[float, float, tuple[tuple[float, float], ...]]:
    """Temperature, threshold of confidence, and the score that each confidence is shown as.

    The temperature makes held-out texts of known sets most likely; at the threshold `COVERAGE` of them are named.
    The score is how often the named family was right at that confidence, known and unknown sets weighing the same.
    """
    actual, numbers = held_out.actual, np.arange(len(held_out.actual))
    temperature = min(
        _TEMPERATURES,
        key=lambda value: round(-float(np.log(confidence(held_out.by_prompt, value)[numbers, actual]).mean()), 6),
    )
    certain, right = sure(held_out, held_out.by_prompt, temperature)
    threshold = float(np.floor(np.quantile(certain, 1.0 - COVERAGE) * 1e4) / 1e4)
    unseen = ~np.isnan(held_out.by_set[:, 0])
    other = replace(held_out, actual=actual[unseen])
    foreign, foreign_right = sure(other, held_out.by_set[unseen], temperature)
    edges = np.unique(np.quantile(certain[certain >= threshold], np.linspace(0.0, 1.0, _STEPS + 1)))
    steps: dict[float, float] = {}
    highest = 0.0
    for low, high in pairwise(edges.tolist() if len(edges) > 1 else [threshold, 1.0]):
        shares = []
        for values, hits in ((certain, right), (foreign, foreign_right)):
            inside = (values >= low) & (values <= high)
            if inside.any():
                shares.append(float(hits[inside].mean()))
        highest = max(highest, float(np.mean(shares)))
        steps[round(float(low + high) / 2.0, 4)] = round(highest, 4)
    return temperature, threshold, tuple(steps.items())


def sure(held_out: HeldOut, margins: Floats, temperature: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Confidence in the likeliest family of each text (0 where that is ``other``), and whether it is the right one."""
    shares = confidence(margins, temperature)
    best = shares.argmax(axis=1)
    certain = shares.max(axis=1)
    if OTHER in held_out.families:
        certain[best == held_out.families.index(OTHER)] = 0.0
    return certain, np.equal(best, held_out.actual)


def _card(table: pa.Table, options: FamilyOptions) -> dict[str, Any]:
    grouped = table.group_by(["dataset", "family", "licence"], use_threads=False).aggregate([("text", "count")])
    sets = [
        {
            "dataset": row["dataset"],
            "family": row["family"],
            "licence": row["licence"],
            "licence_kind": licence_kind(row["licence"]),
            "texts": row["text_count"],
        }
        for row in grouped.to_pylist()
    ]
    sets.sort(key=lambda entry: (entry["dataset"], entry["family"], str(entry["licence"])))
    return {"sets": sets, "options": {**vars(options), "languages": list(options.languages)}}
