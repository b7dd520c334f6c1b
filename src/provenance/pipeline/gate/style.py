"""How much of the scored text counts as synthetic: the lower limit of its estimated share, spread over the scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provenance.classifier import StyleModel
from provenance.errors import UsageError
from provenance.lineage.gate import Estimated, Estimator
from provenance.pipeline import catalogue
from provenance.pipeline.estimate import Calculator, known_by_language

if TYPE_CHECKING:
    from provenance.classifier.prevalence import Densities
    from provenance.store import Store

_Floats = npt.NDArray[np.float64]


def estimator(store: Store, model: StyleModel) -> Estimator:
    """Return what estimates the share of scored records in a store by a style model."""

    def run(counted: pa.Table, scans: Sequence[str]) -> Estimated:
        scored_by = _versions(store, scans) - {model.version}
        if scored_by:
            return _by_tags(counted, f"they were scored by {', '.join(sorted(scored_by))}, not by {model.version}")
        try:
            calculator = Calculator(model)
        except UsageError as error:
            return _by_tags(counted, error.cause)
        return _estimated(counted, calculator, known_by_language(model))

    return run


def _versions(store: Store, scans: Sequence[str]) -> set[str]:
    found = catalogue.rows(store, "select versions from scans where list_contains($1, scan_id)", [list(scans)])
    return {version for row in found if (version := json.loads(row["versions"] or "{}").get("style")) is not None}


def _by_tags(counted: pa.Table, why: str) -> Estimated:
    """Without an estimate, style counts by tags; that is worth saying where there are such tags."""
    tagged = pc.sum(counted.filter(counted["tagged"])["records"]).as_py()
    if not tagged:
        return Estimated()
    return Estimated(remark=f"{tagged:,} records that only their style tells count by their tags: {why}")


def _estimated(counted: pa.Table, calculator: Calculator, densities: dict[str, Densities]) -> Estimated:
    words, ends = 0, np.zeros(3)
    chances: list[pa.Table] = []
    left = []
    for pile in calculator.piles(counted):
        rows = counted.filter(pc.equal(counted["pile"], pile.name))
        known = densities.get(pile.name)
        if known is None or pile.synthetic_words is None:
            left.append(rows)
            continue
        rows = rows.filter(pc.is_in(rows["bin"], pa.array(known.bins)))
        found = pile.synthetic_words
        amount = int(pc.sum(rows["words"]).as_py() or 0)
        words += amount
        ends += amount * np.array([found.share, found.low, found.high])
        chances.append(_spread(rows, known, found.low))
    if not words:
        return _by_tags(counted, "there are too few texts for an estimate")
    remark = (
        _by_tags(pa.concat_tables(left), "there are too few texts of their language for an estimate").remark
        if left
        else None
    )
    share, low, high = (float(end) for end in ends / words)
    return Estimated(words, share, low, high, pa.concat_tables(chances), remark)


def _spread(rows: pa.Table, known: Densities, share: float) -> pa.Table:
    """Spread a share of the words over the cells of the scores, by how much likelier each is in synthetic text."""
    totals = (
        rows.group_by(["bin", "cell"])
        .aggregate([("words", "sum")])
        .sort_by([("bin", "ascending"), ("cell", "ascending")])
    )
    place = np.array([known.bins.index(name) for name in totals["bin"].to_pylist()], np.int64)
    cell = totals["cell"].to_numpy().astype(np.int64)
    synthetic, human = known.synthetic.mean(0)[place, cell], known.human.mean(0)[place, cell]
    chance = _chances(synthetic / human, totals["words_sum"].to_numpy().astype(np.float64), share)
    columns = {"bin": totals["bin"], "cell": totals["cell"].cast(pa.int32()), "chance": pa.array(chance)}
    return pa.table(columns)


def _chances(ratio: _Floats, words: _Floats, share: float) -> _Floats:
    """Return chances whose odds are in proportion to a likelihood ratio and whose mean over words is the share."""
    if not 0.0 < share < 1.0:
        return np.full(len(ratio), min(max(share, 0.0), 1.0))
    low, high = -60.0, 60.0
    for _ in range(100):
        middle = (low + high) / 2
        odds = ratio * np.exp(middle)
        low, high = (middle, high) if np.average(odds / (1 + odds), weights=words) < share else (low, middle)
    odds = ratio * np.exp(high)
    return np.asarray(odds / (1 + odds) * (share / np.average(odds / (1 + odds), weights=words)))
