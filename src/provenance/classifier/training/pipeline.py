"""From labelled texts to a calibrated model: select, balance, cross-fit by data set, calibrate, fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provenance.classifier.alphabet import build_table
from provenance.classifier.model import StyleModel
from provenance.classifier.modelfile import MOST_EXPERTS, Bin, ModelArrays
from provenance.classifier.populations import Population, populations
from provenance.classifier.training import optimise
from provenance.classifier.training.augment import misspelt
from provenance.classifier.training.calibrate import LENGTH_BINS, Scored, calibrate_bin
from provenance.classifier.training.corpus import (
    SHORTEST,
    WINDOW_LENGTHS,
    Corpus,
    Ints,
    balance,
    build_corpus,
    codes,
    several_windows,
    uniform,
)
from provenance.classifier.training.experts import EVERYTHING, Expert, fit_experts, scales_of
from provenance.classifier.training.labelled import Licences, licence_kind, select_licences
from provenance.errors import UsageError


@dataclass(frozen=True)
class TrainingOptions:
    """How a model is trained.

    Attributes:
        licences: Which sets take part: see `labelled.select_licences`.
        languages: Languages to train on and calibrate.
        folds: Data set to fold: sets of one fold are held out together. A set that is not named is a fold of its own.
        pieces: Sets whose rows are pieces of few works, one for each of their domains.
        uncertain: Sets whose human label is too doubtful to calibrate on; they are trained on all the same.
        experts: Who learns what: each expert learns to tell the synthetic text of its data sets from all human text,
            and the score is the highest expert's.
        populations: Data set to what it counts as where error rates are compared between sets and shares estimated,
            where that isn't its fold.
        bits: log2 of the buckets of each of the two blocks.
        cost: Inverse strength of the regularisation.
        epochs: Passes of the optimiser.
        rows: About how many texts of each label are trained on; more are sampled by weight.
    """

    licences: Licences = "default"
    languages: tuple[str, ...] = ("en",)
    folds: Mapping[str, str] = field(default_factory=dict)
    pieces: frozenset[str] = frozenset()
    uncertain: frozenset[str] = frozenset()
    experts: tuple[Expert, ...] = EVERYTHING
    populations: Mapping[str, str] = field(default_factory=dict)
    bits: int = 18
    cost: float = 0.07
    epochs: int = 6
    rows: int = 300_000

    def __post_init__(self) -> None:
        if not 1 <= len(self.experts) <= MOST_EXPERTS:
            raise UsageError(
                f"A model has one to {MOST_EXPERTS} experts, not {len(self.experts)}",
                next_step="Join or leave out some",
            )


@dataclass(frozen=True)
class Held:
    """Calibration spans with scores of models that saw neither their set nor a copy of them.

    Attributes:
        rows: Row of the selected table.
        bins: Index into `calibrate.LENGTH_BINS`.
        margins: Scores.
        scales: Of each expert the factor and term of `optimise.on_one_scale`.
    """

    rows: Ints
    bins: Ints
    margins: npt.NDArray[np.float64]
    scales: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and what its calibration rests on.

    Attributes:
        model: Ready to use or to save.
        table: The labelled rows that took part.
        held: Out-of-sample scores of its rows, for reports and for checks of the calibration.
    """

    model: StyleModel
    table: pa.Table
    held: Held


def train(
    table: pa.Table, options: TrainingOptions | None = None, progress: Callable[[str], None] | None = None
) -> TrainingResult:
    """Train and calibrate a style model; the same table and options give the same bytes.

    Args:
        table: From `labelled.read_labelled`.
        options: How.
        progress: Called with a line when a step begins.

    Raises:
        UsageError: Too little text, or only one label, is left.
    """
    options = options or TrainingOptions()
    tell = progress or (lambda _: None)
    alphabet = build_table()
    table, corpus, hashed, shares = _material(table, options, alphabet, tell)
    rows = hashed.rows
    folds = [options.folds.get(name, name) for name in corpus.dataset.tolist()]
    held = _cross_score(corpus, table, hashed, shares, np.array(folds, dtype=object), options, tell)
    tell("calibrating")
    bins: list[Bin] = []
    found: list[Population] = []
    language_of = np.array(table["lang"].to_pylist(), dtype=object)
    for language in options.languages:
        for number, limits in enumerate(LENGTH_BINS):
            of_bin = population(held, number) & (language_of[held.rows] == language)
            human = of_bin & (corpus.labels[held.rows] < 0)
            synthetic = of_bin & (corpus.labels[held.rows] > 0) & ~corpus.base[held.rows]
            bin_ = calibrate_bin(
                language,
                limits,
                scored(corpus, held, human, options, options.uncertain),
                scored(corpus, held, synthetic, options, frozenset()),
            )
            if bin_ is not None:
                bins.append(bin_)
                found += _populations(corpus, held, bin_, human | synthetic, options)
    tell("fitting the model")
    fitted = fit_experts(corpus, hashed, shares, options.experts, cost=options.cost, epochs=options.epochs)
    weights = [
        optimise.rescaled(expert, *scale)
        for expert, scale in zip(fitted, held.scales, strict=True)
        if expert is not None
    ]
    arrays = ModelArrays(
        symbols=alphabet,
        weights=np.stack([expert.steps for expert in weights]),
        bits=options.bits,
        window=WINDOW_LENGTHS[-1],
        scales=tuple(expert.scales for expert in weights),
        bins=tuple(bins),
        card=_card(table, options, len(rows)),
        populations=tuple(found),
    )
    return TrainingResult(StyleModel.of(arrays), table, held)


def leave_out(
    table: pa.Table,
    options: TrainingOptions,
    kind_of: Callable[[str | None], str | None],
    scales: tuple[tuple[float, float], ...],
    progress: Callable[[str], None] | None = None,
) -> tuple[pa.Table, Held]:
    """Scores of texts by models that saw no text of their kind, whatever data set it stands in.

    Args:
        table: As for `train`.
        options: As for `train`; its folds are not used.
        kind_of: From a domain to the kind that is held out with it, or None: such texts are only trained on.
        scales: Those of the model whose thresholds will be applied.
        progress: As for `train`.

    Returns:
        The rows that took part, with their kinds in the column ``kind``, and the scores of those that have one.
    """
    tell = progress or (lambda _: None)
    table, corpus, hashed, shares = _material(table, options, build_table(), tell)
    kinds = [kind_of(domain) for domain in table["domain"].to_pylist()]
    table = table.append_column("kind", pa.array(kinds, pa.string()))
    return table, _cross_score(corpus, table, hashed, shares, np.array(kinds, dtype=object), options, tell, scales)


def _material(
    table: pa.Table, options: TrainingOptions, alphabet: npt.NDArray[np.uint8], tell: Callable[[str], None]
) -> tuple[pa.Table, Corpus, optimise.HashedRows, npt.NDArray[np.float64]]:
    """The rows that take part, as symbols and as hashed windows, and the weight of each window."""
    tell("reading symbols")
    table = select_licences(table, options.licences)
    table = table.filter(pc.is_in(table["lang"], value_set=pa.array(options.languages, pa.string())))
    if not table.num_rows:
        raise UsageError("No labelled text is left", next_step="Allow other licences or languages")
    corpus = build_corpus(table, alphabet, options.pieces)
    rows, shares = _training_rows(corpus, options.rows)
    places, first, final = several_windows(corpus, rows)
    shares = (shares / np.bincount(places))[places]
    rows = rows[places]
    tell(f"hashing {len(rows)} windows")
    symbols, first, final = misspelt(corpus.symbols, first, final)
    return table, corpus, optimise.hash_rows(symbols, rows, first, final, options.bits), shares


def _training_rows(corpus: Corpus, wanted: int) -> tuple[Ints, npt.NDArray[np.float64]]:
    rows = np.flatnonzero(corpus.lengths >= SHORTEST)
    labels = corpus.labels[rows]
    if min((labels > 0).sum(), (labels < 0).sum()) < 10:
        raise UsageError(
            f"Training needs texts of {SHORTEST} characters and more of both labels",
            next_step="Add human or synthetic texts, or allow other licences",
        )
    shares = balance(corpus, rows)
    chance = np.minimum(1.0, wanted * shares)
    kept = uniform(rows, 1) < chance
    return rows[kept], shares[kept] / chance[kept]


def calibration_spans(corpus: Corpus, table: pa.Table) -> tuple[Ints, Ints, Ints, Ints]:
    """One span of every document for every bin that it is long enough for, cut at random to a length of that bin.

    Texts that are not prose take no part: they are never judged.

    Returns:
        Rows, numbers of bins, first symbols, and ends.
    """
    from provenance.classifier.kernel import count_words, symbol_after_words
    from provenance.text import prose

    kinds = np.array(prose.classify(pa.concat_arrays(table["text"].chunks)), dtype=object)
    _, once = np.unique(corpus.document, return_index=True)
    spans = []
    for row in np.sort(once[kinds[once] == "prose"]).tolist():
        start, end = int(corpus.starts[row]), int(corpus.starts[row + 1])
        words = count_words(corpus.symbols, start, end)
        for number, (fewest, below) in enumerate(LENGTH_BINS):
            if words < fewest:
                break
            one = np.array([row], np.int64)
            most = min(words, below - 1) if below else words
            longest = fewest + int(uniform(one, 20 + number)[0] * (most - fewest + 1))
            skipped = int(uniform(one, 30 + number)[0] * (words - longest + 1)) if below else 0
            first = int(symbol_after_words(corpus.symbols, start, end, skipped)) if skipped else start
            final = int(symbol_after_words(corpus.symbols, first, end, longest)) if below else end
            spans.append((row, number, first, final))
    columns = np.array(spans, np.int64).reshape(-1, 4)
    return columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3]


def _cross_score(
    corpus: Corpus,
    table: pa.Table,
    hashed: optimise.HashedRows,
    shares: npt.NDArray[np.float64],
    folds: npt.NDArray[np.object_],
    options: TrainingOptions,
    tell: Callable[[str], None],
    scales: tuple[tuple[float, float], ...] | None = None,
) -> Held:
    """Score the calibration spans of every fold by a model that did not see it; rows without a fold have no score."""
    spans = calibration_spans(corpus, table)
    held = np.array([fold is not None for fold in folds[spans[0]].tolist()], bool)
    rows, bins, first, final = (column[held] for column in spans)
    margins = np.full((len(options.experts), len(rows)), -np.inf)
    for fold in sorted(set(folds.tolist()) - {None}):
        out = folds == fold
        tell(f"holding out {fold}")
        related = out | np.isin(corpus.document, corpus.document[out]) | np.isin(corpus.pair, corpus.pair[out])
        kept = np.where(related[hashed.rows], 0.0, shares)
        labels = corpus.labels[hashed.rows]
        if not ((kept > 0) & (labels > 0)).any() or not ((kept > 0) & (labels < 0)).any():
            raise UsageError(
                "Calibration holds out one data set at a time, and one label stands in a single set",
                place=f"data set {fold}",
                next_step="Add a second set with that label, and name sets in the column 'dataset'",
            )
        here = np.flatnonzero(out[rows])
        fitted = fit_experts(corpus, hashed, kept, options.experts, cost=options.cost, epochs=options.epochs)
        for margin, weights in zip(margins, fitted, strict=True):
            if weights is not None:
                margin[here] = optimise.score(
                    weights, corpus.symbols, first[here], final[here], options.bits, WINDOW_LENGTHS[-1]
                )
    if scales is None:
        certain = ~np.isin(corpus.dataset[rows], sorted(options.uncertain))
        scales = scales_of(options.experts, margins, (corpus.labels[rows] < 0) & certain, folds[rows])
    aligned = [factor * margin + term for margin, (factor, term) in zip(margins, scales, strict=True)]
    return Held(rows, bins, np.max(aligned, axis=0), scales)


def population(held: Held, number: int) -> npt.NDArray[np.bool_]:
    """Which spans calibrate a bin: its own; for the last also the next shorter ones of documents without a longer.

    Few known human texts are long. A shorter span of the same kind spreads more, so it makes a bound safer, not looser.
    """
    own: npt.NDArray[np.bool_] = np.equal(held.bins, number)
    if number < len(LENGTH_BINS) - 1:
        return own
    shorter = np.equal(held.bins, number - 1) & ~np.isin(held.rows, held.rows[own])
    return np.asarray(own | shorter, bool)


def scored(
    corpus: Corpus,
    held: Held,
    mask: npt.NDArray[np.bool_],
    options: TrainingOptions,
    without: frozenset[str],
) -> Scored:
    """The held-out scores under a mask, leaving out some sets."""
    keep = np.flatnonzero(mask)
    keep = keep[[name not in without for name in corpus.dataset[held.rows[keep]].tolist()]]
    rows = held.rows[keep]
    sets = codes([_population_of(name, options) for name in corpus.dataset[rows].tolist()])
    return Scored(held.margins[keep], sets, corpus.work[rows])


def _population_of(name: str, options: TrainingOptions) -> str:
    return options.populations.get(name, options.folds.get(name, name))


def _populations(
    corpus: Corpus, held: Held, bin_: Bin, mask: npt.NDArray[np.bool_], options: TrainingOptions
) -> tuple[Population, ...]:
    """How the held-out scores of a bin's calibration sets are spread."""
    of_bin = np.flatnonzero(mask)
    rows = held.rows[of_bin]
    synthetic = corpus.labels[rows] > 0
    datasets = corpus.dataset[rows]
    kept = synthetic | ~np.isin(datasets, sorted(options.uncertain))
    sets = datasets[kept].tolist()
    scores = bin_.slope * held.margins[of_bin[kept]] + bin_.offset
    names = [options.populations.get(name, name) for name in sets]
    groups = [_population_of(name, options) for name in sets]
    return populations(bin_.name, scores, synthetic[kept], names, groups, corpus.work[rows[kept]])


def _card(table: pa.Table, options: TrainingOptions, windows_used: int) -> dict[str, Any]:
    grouped = table.group_by(["dataset", "label", "licence"], use_threads=False).aggregate([("text", "count")])
    sets = [
        {
            "dataset": row["dataset"],
            "label": row["label"],
            "licence": row["licence"],
            "licence_kind": licence_kind(row["licence"]),
            "rows": row["text_count"],
        }
        for row in grouped.to_pylist()
    ]
    sets.sort(key=lambda entry: (str(entry["dataset"]), str(entry["label"]), str(entry["licence"])))
    return {
        "sets": sets,
        "windows": windows_used,
        "options": {
            "licences": options.licences,
            "languages": list(options.languages),
            "folds": dict(sorted(options.folds.items())),
            "pieces": sorted(options.pieces),
            "uncertain": sorted(options.uncertain),
            "experts": [
                {
                    "name": expert.name,
                    "sets": sorted(expert.sets),
                    "others": expert.others,
                    "steepness": expert.steepness,
                    "handicap": expert.handicap,
                }
                for expert in options.experts
            ],
            "populations": dict(sorted(options.populations.items())),
            "bits": options.bits,
            "cost": options.cost,
            "epochs": options.epochs,
            "rows": options.rows,
        },
    }
