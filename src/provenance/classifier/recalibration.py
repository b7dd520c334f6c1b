"""A model with thresholds from a user's own labelled texts: its weights stay, its promises become theirs.

A shipped model's p-values hold for text like its calibration sets. Whoever has labelled text of the kind that is to be
judged can do better: the same model, with p-values from those texts. Its scores stay what they were, so that what is
known of the spread of scores stays true.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier import modelfile
from provenance.classifier.features import margins
from provenance.classifier.model import StyleModel
from provenance.classifier.modelfile import Bin
from provenance.classifier.populations import Population, populations
from provenance.classifier.statistics import upper_bound
from provenance.classifier.training.calibrate import LENGTH_BINS, logistic_line
from provenance.classifier.training.labelled import is_base_model
from provenance.errors import UsageError

FEWEST_DOCUMENTS: Final = 100
"""Documents of each label without which a bin is not calibrated: its p-values could not fall below 3 %."""
_STEPS: Final = 240

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recalibration:
    """The answer of `recalibrate`.

    Attributes:
        model: The new model.
        bins: Name of each bin that is new, with its documents, human and synthetic, and its least p_human.
        kept: Bins that stayed as they were, for want of documents.
    """

    model: StyleModel
    bins: tuple[tuple[str, int, int, float], ...]
    kept: tuple[str, ...]


def recalibrate(model: StyleModel, table: pa.Table, name: str) -> Recalibration:
    """Give a model p-values that hold for text like the given one.

    Only prose takes part, each text once. Texts of base models take no part. Each p-value is the 95 % Clopper-Pearson
    bound of the share of documents at least as extreme.

    Args:
        model: Any style model that was not trained on these texts.
        table: Of `training.labelled.COLUMNS`; ``document_id`` tells which rows are pieces of one document.
        name: What the texts are called in the new model's card.

    Raises:
        UsageError: If no range of lengths holds enough documents of both labels.
    """
    table = table.filter(pa.array(_usable(table)))
    column = {
        key: np.array(table[key].to_pylist(), dtype=object) for key in ("label", "lang", "dataset", "document_id")
    }
    texts = pa.concat_arrays(table["text"].chunks) if table.num_rows else pa.array([], pa.large_string())
    words, prose = _kinds(texts)
    raw = margins(model.arrays, texts)[0]
    works = _works(column["dataset"], column["document_id"])
    bins: list[Bin] = []
    report: list[tuple[str, int, int, float]] = []
    found: list[Population] = []
    for language in sorted(set(column["lang"].tolist())):
        for first, below in LENGTH_BINS:
            inside = prose & (column["lang"] == language) & (words >= first) & ((words < below) | (below == 0))
            rows = np.flatnonzero(inside)
            synthetic = column["label"][rows] == "synthetic"
            made = _bin(model, str(language), (first, below), raw[rows], synthetic, works[rows])
            if made is None:
                continue
            bins.append(made)
            report.append((made.name, *made.documents, made.human_p[-1]))
            names = [f"{name}/{dataset}" for dataset in column["dataset"][rows].tolist()]
            score = made.slope * raw[rows] + made.offset
            found += populations(made.name, score, synthetic, names, names, works[rows])
    if not bins:
        raise UsageError(
            f"No range of lengths holds {FEWEST_DOCUMENTS} human and {FEWEST_DOCUMENTS} synthetic documents of prose",
            next_step="Calibrate on more texts, or on longer ones",
        )
    new = {bin_.name: bin_ for bin_ in bins}
    kept = [bin_ for bin_ in model.arrays.bins if bin_.name not in new]
    made_of = sorted([*kept, *bins], key=lambda bin_: (bin_.language, bin_.words_from))
    card = {**model.arrays.card, "recalibrated": _card(model, table, name, report)}
    known = {(entry.bin, entry.name, entry.label) for entry in found}
    before = [entry for entry in model.arrays.populations if (entry.bin, entry.name, entry.label) not in known]
    arrays = dataclasses.replace(model.arrays, bins=tuple(made_of), card=card, populations=(*before, *found))
    arrays = modelfile.decode(modelfile.encode(arrays), name)  # nothing leaves that the audit would refuse
    return Recalibration(StyleModel.of(arrays), tuple(report), tuple(bin_.name for bin_ in kept))


def _usable(table: pa.Table) -> list[bool]:
    """Whether each row is the first of its text, and not of a base model."""
    seen: set[bytes] = set()
    usable = []
    named = (table[name].to_pylist() for name in ("text", "model", "dataset"))
    for text, generator, dataset in zip(*named, strict=True):
        digest = hashlib.blake2b(str(text).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        usable.append(digest not in seen and not is_base_model(generator, dataset))
        seen.add(digest)
    return usable


def _kinds(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    from provenance.text import prose
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    if not len(texts):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    words = np.diff(tokenize(fold(texts)).offsets).astype(np.int64)
    return words, np.array(prose.classify(texts), dtype=object) == "prose"


def _works(datasets: npt.NDArray[Any], documents: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    numbers: dict[object, int] = {}
    keys = [
        (dataset, document) if document is not None else row
        for row, (dataset, document) in enumerate(zip(datasets.tolist(), documents.tolist(), strict=True))
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _bin(
    model: StyleModel,
    language: str,
    limits: tuple[int, int],
    raw: Floats,
    synthetic: npt.NDArray[np.bool_],
    works: npt.NDArray[np.int64],
) -> Bin | None:
    documents = len(np.unique(works[~synthetic])), len(np.unique(works[synthetic]))
    if min(documents) < FEWEST_DOCUMENTS:
        return None
    before = [
        bin_ for bin_ in model.arrays.bins if (bin_.language, bin_.words_from, bin_.words_below) == (language, *limits)
    ]
    weights = np.where(synthetic, 0.5 / synthetic.sum(), 0.5 / (~synthetic).sum())
    slope, offset = (before[0].slope, before[0].offset) if before else logistic_line(raw, synthetic, weights)
    human, machine = raw[~synthetic], raw[synthetic]
    return Bin(
        language,
        *limits,
        slope,
        offset,
        *_table(human, documents[0], upper=True),
        *_table(machine, documents[1], upper=False),
        documents,
    )


def _table(values: Floats, documents: int, *, upper: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Steps from margin to the bound of the share of documents at least as extreme."""
    inner = np.linspace(0.0, 0.95, _STEPS // 2, endpoint=False)
    levels = np.concatenate([inner, 1.0 - 0.05 * np.linspace(1.0, 0.0, _STEPS // 2) ** 2])
    steps = np.unique(np.quantile(values, levels if upper else 1.0 - levels))
    ordered = np.sort(values)
    if upper:
        extreme = 1.0 - np.searchsorted(ordered, steps, side="left") / len(ordered)
    else:
        extreme = np.searchsorted(ordered, steps, side="right") / len(ordered)
    bounds = np.array([upper_bound(share * documents, documents) for share in extreme.tolist()])
    bounds = np.maximum.accumulate(bounds[::-1])[::-1] if upper else np.maximum.accumulate(bounds)
    return tuple(steps.tolist()), tuple(np.minimum(bounds, 1.0).tolist())


def _card(
    model: StyleModel, table: pa.Table, name: str, report: Sequence[tuple[str, int, int, float]]
) -> dict[str, Any]:
    rows = table.group_by(["dataset", "label"], use_threads=False).aggregate([("text", "count")]).to_pylist()
    sets = [{"dataset": row["dataset"], "label": row["label"], "rows": row["text_count"]} for row in rows]
    sets.sort(key=lambda row: (str(row["dataset"]), str(row["label"])))
    return {
        "from": model.version,
        "name": name,
        "sets": sets,
        "bins": [{"bin": bin_, "human": human, "synthetic": synthetic} for bin_, human, synthetic, _ in report],
    }
