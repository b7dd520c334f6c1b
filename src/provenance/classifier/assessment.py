"""How a style model does on labelled text: confusion, ROC, reliability, and the group that it serves worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.model import StyleModel
from provenance.classifier.statistics import upper_bound

TAGS: Final = ("human", "synthetic", "unknown")
LABELS: Final = ("human", "synthetic")
GROUPINGS: Final = ("dataset", "model", "domain", "language", "length")
LENGTHS: Final = (0, 50, 100, 200, 400, 1000)
FEWEST_TEXTS: Final = 30
"""Texts below which a group is listed but never called the worst."""
_ROC_POINTS: Final = 400
_RELIABILITY_BINS: Final = 15

Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Rates:
    """What became of one group's texts of one label.

    Attributes:
        grouping: One of `GROUPINGS`, or ``all``.
        name: The group.
        label: What its texts are.
        texts: How many.
        human: Share tagged human.
        synthetic: Share tagged synthetic.
        unknown: Share left open.
        wrong: Share tagged with the other label.
        wrong_low: Lower 95 % bound of it, each text counted as a document.
        wrong_high: Upper 95 % bound.
    """

    grouping: str
    name: str
    label: str
    texts: int
    human: float
    synthetic: float
    unknown: float
    wrong: float
    wrong_low: float
    wrong_high: float


@dataclass(frozen=True)
class Roc:
    """The ROC curve of the score, over texts that the model scores.

    Attributes:
        false_positives: Share of human text at least as high, ascending.
        true_positives: Share of synthetic text at least as high.
        thresholds: The scores.
        area: Under the curve; NaN where one label is missing.
    """

    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]
    thresholds: tuple[float, ...]
    area: float


@dataclass(frozen=True)
class Reliability:
    """How often texts of a stated probability are synthetic, both labels weighed the same.

    Attributes:
        stated: Mean probability of each bin that holds texts.
        observed: Weighed share of synthetic text.
        texts: In each.
        error: Expected calibration error; NaN where one label is missing.
    """

    stated: tuple[float, ...]
    observed: tuple[float, ...]
    texts: tuple[int, ...]
    error: float


@dataclass(frozen=True)
class Assessment:
    """The answer of `assess`.

    Attributes:
        model: Version of the model.
        alpha: Error that the policy accepts on human text.
        beta: On synthetic text.
        least_words: Shorter texts were left out.
        texts: How many took part.
        unknown: Share of them left open.
        confusion: Texts by label and tag.
        rates: All texts, then every group, by label.
        worst: Of each label, the group whose share of wrong tags is surely highest.
        roc: Of the score.
        reliability: Likewise.
    """

    model: str
    alpha: float
    beta: float
    least_words: int
    texts: int
    unknown: float
    confusion: dict[str, dict[str, int]]
    rates: tuple[Rates, ...]
    worst: dict[str, Rates]
    roc: Roc
    reliability: Reliability

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: what is not a number is null."""
        return {key: _finite(value) for key, value in asdict(self).items()}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def assess(
    model: StyleModel, table: pa.Table, *, least_words: int = 100, alpha: float = 0.005, beta: float = 0.03
) -> Assessment:
    """Judge labelled texts as a scan would, and count.

    Args:
        model: The model.
        table: Of `training.labelled.COLUMNS`.
        least_words: Shorter texts are left out.
        alpha: ``p_human`` at or below which a text is tagged synthetic.
        beta: ``p_synthetic`` at or below which it is tagged human.
    """
    from provenance.text import prose
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    texts = pa.concat_arrays(table["text"].chunks)
    words = np.diff(tokenize(fold(texts)).offsets)
    judged = model.judge(texts, table["lang"].to_pylist(), words, prose.classify(texts))
    column: dict[str, Column] = {
        name: np.array([value if value is not None else "" for value in table[source].to_pylist()], dtype=object)
        for name, source in (("label", "label"), ("dataset", "dataset"), ("model", "model"), ("domain", "domain"))
    }
    column["language"] = np.array(table["lang"].to_pylist(), dtype=object)
    column["length"] = np.array([_length(count) for count in words.tolist()], dtype=object)
    column["score"] = judged["style_score"].to_numpy(zero_copy_only=False).astype(np.float64)
    column["tag"] = tags_of(judged, alpha, beta)
    keep = words >= least_words
    column = {name: values[keep] for name, values in column.items()}
    rates = [_rates(column, column["label"] == label, "all", "all", label) for label in LABELS]
    for grouping in GROUPINGS:
        for label in LABELS:
            of_label = column["label"] == label
            for name in sorted(set(column[grouping][of_label].tolist()) - {""}, key=_natural):
                rates.append(_rates(column, of_label & (column[grouping] == name), grouping, str(name), label))
    rates = [rate for rate in rates if rate.texts]
    scored = ~np.isnan(column["score"])
    synthetic = column["label"][scored] == "synthetic"
    count = int(keep.sum())
    return Assessment(
        model.version,
        alpha,
        beta,
        least_words,
        count,
        float((column["tag"] == "unknown").mean()) if count else math.nan,
        {
            label: {tag: int(((column["label"] == label) & (column["tag"] == tag)).sum()) for tag in TAGS}
            for label in LABELS
        },
        tuple(rates),
        _worst(rates),
        roc(column["score"][scored], synthetic),
        reliability(column["score"][scored], synthetic),
    )


def tags_of(judged: pa.RecordBatch, alpha: float, beta: float) -> Column:
    """The tag that style alone gives each text."""
    p_human = judged["p_human"].fill_null(1.0).to_numpy(zero_copy_only=False)
    p_synthetic = judged["p_synthetic"].fill_null(1.0).to_numpy(zero_copy_only=False)
    result = np.full(len(p_human), "unknown", dtype=object)
    result[p_synthetic <= beta] = "human"
    result[p_human <= alpha] = "synthetic"
    return result


def _length(words: int) -> str:
    first = max(bound for bound in LENGTHS if bound <= words)
    after = [bound for bound in LENGTHS if bound > words]
    return f"{first}-{after[0] - 1}" if after else f"{first}+"


def _natural(name: str) -> tuple[int, str]:
    digits = name.split("-")[0].rstrip("+")
    return (int(digits) if digits.isdecimal() else 0, name)


def _rates(column: dict[str, Column], mask: Column, grouping: str, name: str, label: str) -> Rates:
    given = column["tag"][mask]
    count = len(given)
    if not count:
        return Rates(grouping, name, label, 0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    human, synthetic, unknown = (float((given == tag).mean()) for tag in TAGS)
    wrong = int((given == ("synthetic" if label == "human" else "human")).sum())
    low = 1.0 - upper_bound(count - wrong, count)
    high = upper_bound(wrong, count)
    return Rates(grouping, name, label, count, human, synthetic, unknown, wrong / count, low, high)


def _worst(rates: Sequence[Rates]) -> dict[str, Rates]:
    found = {}
    for label in LABELS:
        groups = [
            rate for rate in rates if rate.label == label and rate.grouping != "all" and rate.texts >= FEWEST_TEXTS
        ]
        if groups:
            found[label] = max(groups, key=lambda rate: (rate.wrong_low, rate.wrong, rate.texts))
    return found


def roc(score: npt.NDArray[np.float64], synthetic: npt.NDArray[np.bool_]) -> Roc:
    """The ROC curve, thinned to a few hundred points; ties count half in the area."""
    if synthetic.all() or not synthetic.any():
        return Roc((), (), (), math.nan)
    order = np.argsort(-score, kind="stable")
    ranked, labels = score[order], synthetic[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true = np.concatenate([[0], np.cumsum(labels)[ends]]) / labels.sum()
    false = np.concatenate([[0], np.cumsum(~labels)[ends]]) / (~labels).sum()
    area = float(np.trapezoid(true, false))
    thresholds = np.concatenate([[ranked[0]], ranked[ends]])
    # Half of the points by each axis, so that both steep ends of the curve keep theirs.
    wanted = np.linspace(0.0, 1.0, _ROC_POINTS // 2)
    kept = np.unique(
        np.concatenate([np.searchsorted(false, wanted), np.searchsorted(true, wanted), [0, len(true) - 1]])
    )
    kept = kept[kept < len(true)]
    return Roc(tuple(false[kept].tolist()), tuple(true[kept].tolist()), tuple(thresholds[kept].tolist()), area)


def reliability(score: npt.NDArray[np.float64], synthetic: npt.NDArray[np.bool_]) -> Reliability:
    """Stated and observed probability at equal priors, in bins of equal width."""
    if synthetic.all() or not synthetic.any():
        return Reliability((), (), (), math.nan)
    chance = 1.0 / (1.0 + np.exp(-np.clip(score, -500, 500)))
    weight = np.where(synthetic, 0.5 / synthetic.sum(), 0.5 / (~synthetic).sum())
    number = np.minimum((chance * _RELIABILITY_BINS).astype(np.int64), _RELIABILITY_BINS - 1)
    total, stated, observed = (
        np.bincount(number, values, _RELIABILITY_BINS) for values in (weight, weight * chance, weight * synthetic)
    )
    texts = np.bincount(number, minlength=_RELIABILITY_BINS)
    held = texts > 0
    return Reliability(
        tuple((stated[held] / total[held]).tolist()),
        tuple((observed[held] / total[held]).tolist()),
        tuple(texts[held].tolist()),
        float(np.abs(stated - observed).sum()),
    )
