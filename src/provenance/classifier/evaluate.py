"""What a style model does on labelled text: shares tagged, by set, generator and length, and how well it ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.model import StyleModel, p_values
from provenance.classifier.training.calibrate import LENGTH_BINS
from provenance.classifier.training.labelled import is_base_model
from provenance.classifier.training.pipeline import TrainingResult
from provenance.escapes import markdown

TAGS: Final = ("human", "synthetic", "unknown")
_MATCHING_BINS: Final = (50, 75, 100, 150, 200, 300, 400, 600, 1000)


@dataclass(frozen=True)
class Group:
    """Shares of one group of texts.

    Attributes:
        name: Set, generator, length or kind.
        label: What its texts are.
        texts: How many.
        human: Share tagged human.
        synthetic: Share tagged synthetic.
        unknown: The rest.
        auc: For synthetic prose in a calibrated language, the chance to score above human prose of the same length and
            language; NaN where
            there is too little.
    """

    name: str
    label: str
    texts: int
    human: float
    synthetic: float
    unknown: float
    auc: float


@dataclass(frozen=True)
class Evaluation:
    """Shares by group.

    Attributes:
        overall: Human text, text of models tuned to instructions, text of base models.
        by_set: One for each set and label; base models apart.
        by_model: One for each generator.
        by_length: Human and instruction-tuned text by number of words.
        expected_calibration_error: Of the calibrated score, 15 bins, both labels weighed the same.
    """

    overall: tuple[Group, ...]
    by_set: tuple[Group, ...]
    by_model: tuple[Group, ...]
    by_length: tuple[Group, ...]
    expected_calibration_error: float


def tags(judged: pa.RecordBatch, alpha: float = 0.005, beta: float = 0.03) -> npt.NDArray[np.object_]:
    """The tag that style alone gives under a policy's alpha and beta."""
    p_human = judged["p_human"].fill_null(1.0).to_numpy(zero_copy_only=False)
    p_synthetic = judged["p_synthetic"].fill_null(1.0).to_numpy(zero_copy_only=False)
    result = np.full(len(p_human), "unknown", dtype=object)
    result[p_synthetic <= beta] = "human"
    result[p_human <= alpha] = "synthetic"
    return result


def base_models(models: npt.NDArray[Any], datasets: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows a base model wrote."""
    return np.array([is_base_model(*named) for named in zip(models.tolist(), datasets.tolist(), strict=True)], bool)


def ranking(positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64]) -> float:
    """Area under the ROC curve, ties counted half; NaN when either is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left") + np.searchsorted(ordered, positive, side="right")
    return float(below.mean() / (2.0 * len(negative)))


def matched_ranking(
    positive: npt.NDArray[np.float64],
    positive_words: npt.NDArray[np.int64],
    negative: npt.NDArray[np.float64],
    negative_words: npt.NDArray[np.int64],
) -> float:
    """Area under the ROC curve against negatives of the same length, averaged over the positives' lengths."""
    of_positive = np.searchsorted(_MATCHING_BINS, positive_words, side="right")
    of_negative = np.searchsorted(_MATCHING_BINS, negative_words, side="right")
    total, weight = 0.0, 0
    for number in np.unique(of_positive):
        here, there = positive[of_positive == number], negative[of_negative == number]
        if len(there) >= 20:
            total += ranking(here, there) * len(here)
            weight += len(here)
    return total / weight if weight else float("nan")


def evaluate(
    model: StyleModel, table: pa.Table, *, least_words: int = 100, alpha: float = 0.005, beta: float = 0.03
) -> Evaluation:
    """Judge labelled texts and count.

    Args:
        model: The model.
        table: Of `training.labelled.COLUMNS`. Languages are believed; text kinds and word counts are found as a scan
            finds them.
        least_words: Shorter texts are left out.
        alpha: Error that the policy accepts on human text.
        beta: Error that the policy accepts on synthetic text.
    """
    from provenance.text import prose
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    texts = pa.concat_arrays(table["text"].chunks)
    words = np.diff(tokenize(fold(texts)).offsets)
    kinds = prose.classify(texts)
    judged = model.judge(texts, table["lang"].to_pylist(), words, kinds)
    column: dict[str, npt.NDArray[Any]] = {
        name: np.array(table[name].to_pylist(), dtype=object) for name in ("label", "dataset", "model", "lang")
    }
    column["words"], column["tag"], column["score"] = words, tags(judged, alpha, beta), model.score(texts)
    column["base"] = base_models(column["model"], column["dataset"])
    column["prose"] = np.array(kinds, dtype=object) == "prose"
    column["ranked"] = column["prose"] & np.isin(column["lang"].astype(str), model.languages)
    keep = words >= least_words
    column = {name: values[keep] for name, values in column.items()}
    human = column["label"] == "human"
    tuned, base = ~human & ~column["base"], ~human & column["base"]
    kinds_of = (("human", human), ("instruction-tuned", tuned), ("base", base))
    overall = [_group(column, mask, name, name) for name, mask in kinds_of if mask.any()]
    by_set = [
        _group(column, mask & (column["dataset"] == name), str(name), kind)
        for kind, mask in kinds_of
        for name in sorted(set(column["dataset"][mask].tolist()))
    ]
    by_model = [
        _group(column, ~human & (column["model"] == name), str(name), kind)
        for kind, mask in kinds_of[1:]
        for name in sorted(set(column["model"][mask].tolist()))
    ]
    bounds = [*[b for b in (50, 100, 200, 400) if b >= least_words], 1 << 60]
    by_length = [
        _group(column, mask & (column["words"] >= first) & (column["words"] < below), _span(first, below), kind)
        for kind, mask in kinds_of[:2]
        for first, below in pairwise(bounds)
    ]
    known = column["ranked"] & ~base
    error = calibration_error(column["score"][known], ~human[known])
    return Evaluation(tuple(overall), tuple(by_set), tuple(by_model), tuple(by_length), error)


def held_out_shares(
    result: TrainingResult,
    *,
    column_name: str = "dataset",
    least_words: int = 100,
    alpha: float = 0.005,
    beta: float = 0.03,
) -> tuple[Group, ...]:
    """Shares by training set, each span scored by a model that saw neither its set nor the sets held out with it.

    Args:
        result: Of training.
        column_name: What to group by, of `labelled.COLUMNS`; texts without a value are left out.
        least_words: Bins of shorter texts are left out.
        alpha: Error that the policy accepts on human text.
        beta: Error that the policy accepts on synthetic text.
    """
    held, table = result.held, result.table
    column: dict[str, npt.NDArray[Any]] = {
        name: np.array(table[name].to_pylist(), dtype=object)[held.rows]
        for name in {"label", column_name, "dataset", "model", "lang"}
    }
    tag = np.full(len(held.rows), "unknown", dtype=object)
    counted = np.zeros(len(held.rows), bool)
    for bin_ in result.model.arrays.bins:
        number = next(index for index, limits in enumerate(LENGTH_BINS) if limits[0] == bin_.words_from)
        rows = np.flatnonzero((held.bins == number) & (column["lang"] == bin_.language))
        p_human, p_synthetic = p_values(bin_, held.margins[rows])
        tag[rows[p_synthetic <= beta]] = "human"
        tag[rows[p_human <= alpha]] = "synthetic"
        counted[rows] = bin_.words_from >= least_words
    base = base_models(column["model"], column["dataset"])
    groups = []
    for kind, mask in (
        ("human", column["label"] == "human"),
        ("instruction-tuned", (column["label"] != "human") & ~base),
    ):
        for name in sorted(set(column[column_name][mask & counted].tolist()) - {None}):
            given = tag[mask & counted & (column[column_name] == name)]
            shares = [float((given == value).mean()) for value in TAGS]
            groups.append(Group(str(name), kind, len(given), shares[0], shares[1], shares[2], float("nan")))
    return tuple(groups)


def _span(first: int, below: int) -> str:
    return f"{first}+" if below >= 1 << 60 else f"{first}-{below - 1}"


def _group(column: dict[str, npt.NDArray[Any]], mask: npt.NDArray[np.bool_], name: str, kind: str) -> Group:
    given = column["tag"][mask]
    shares = [float((given == tag).mean()) if len(given) else float("nan") for tag in TAGS]
    area, weight = 0.0, 0
    if kind != "human":
        for language in sorted(set(column["lang"][mask & column["ranked"]].tolist())):
            here = mask & column["ranked"] & (column["lang"] == language)
            there = (column["label"] == "human") & (column["lang"] == language) & column["prose"]
            value = matched_ranking(
                column["score"][here], column["words"][here], column["score"][there], column["words"][there]
            )
            if not np.isnan(value):
                area += value * int(here.sum())
                weight += int(here.sum())
    return Group(
        name, kind, int(mask.sum()), shares[0], shares[1], shares[2], area / weight if weight else float("nan")
    )


def calibration_error(score: npt.NDArray[np.float64], synthetic: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error of the probability at equal priors: both labels weigh one half."""
    if synthetic.all() or not synthetic.any():
        return float("nan")
    chance = 1.0 / (1.0 + np.exp(-np.clip(score, -500, 500)))
    weights = np.where(synthetic, 0.5 / synthetic.sum(), 0.5 / (~synthetic).sum())
    numbers = np.minimum((chance * bins).astype(np.int64), bins - 1)
    gaps = [
        abs(float((weights[here] * (chance[here] - synthetic[here])).sum()))
        for here in (numbers == number for number in range(bins))
    ]
    return float(sum(gaps))


def markdown_table(groups: Sequence[Group], heading: str) -> str:
    """Groups as a Markdown table, shares in per cent."""
    lines = [
        f"| {heading} | text of | texts | synthetic % | human % | unknown % | AUC |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for group in groups:
        area = "" if np.isnan(group.auc) else f"{group.auc:.3f}"
        lines.append(
            f"| {markdown(group.name)} | {group.label} | {group.texts} "
            f"| {100 * group.synthetic:.1f} | {100 * group.human:.1f} "
            f"| {100 * group.unknown:.1f} | {area} |"
        )
    return "\n".join(lines)
