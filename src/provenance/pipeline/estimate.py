"""Estimate: what share of a scan or dataset models wrote, with an interval, by host, month or language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from provenance.classifier import StyleModel, prevalence
from provenance.classifier.populations import CELL_WIDTH, CELLS, LEAST_SCORE
from provenance.errors import UsageError
from provenance.pipeline import catalogue
from provenance.pipeline.drift import Drift, drift
from provenance.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

By = Literal["host", "month", "language"]
BY: Final = ("host", "month", "language")

FEWEST_TEXTS: Final = 50
"""Scored records of a language below which a pile's share is not estimated."""
FEWEST_HOSTS: Final = 20
"""Hosts below which documents, not hosts, are resampled."""
CANDIDATES: Final = 2
"""Hosts looked at closely for each one that is asked for."""
_BUCKETS: Final = 512
_DECIDED: Final = ("human", "synthetic")
_EMPTY_PILE: Final = {"host": "(no host)", "month": "(no trusted date)", "language": "und"}


@dataclass(frozen=True)
class ShareOf:
    """A share with its 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Pile:
    """What is known and what is estimated of some records.

    Attributes:
        name: Host, month or language; ``all``.
        records: All of them.
        words: In them.
        decided: Records that dates, matches, declarations and markers decided, by tag. They count as they are.
        scored: Records whose share is estimated from their style.
        not_estimated: The others, by what is missing. They are in no share.
        synthetic: Share of synthetic records among the decided and the scored; none where nothing is.
        synthetic_words: Likewise of words.
        tagged: Scored records that style tags synthetic.
        right: Expected share of them that is.
    """

    name: str
    records: int
    words: int
    decided: Mapping[str, int]
    scored: int
    not_estimated: Mapping[str, int]
    synthetic: ShareOf | None
    synthetic_words: ShareOf | None
    tagged: int
    right: ShareOf | None


@dataclass(frozen=True)
class Estimate:
    """The answer of `estimate`.

    Attributes:
        of: Name of the scan or dataset.
        model: Version of the style model whose scores and calibration it rests on.
        resampled: What the intervals resample: ``host`` or ``document``.
        total: All records.
        by: What the piles are.
        piles: By name; hosts by the lower end of their interval, the highest first.
        left_out: Hosts that are not among them.
        drift: How style does on the date-proven human text of the scan; empty where there is too little of it.
    """

    of: str
    model: str
    resampled: str
    total: Pile
    by: By | None = None
    piles: tuple[Pile, ...] = ()
    left_out: int = 0
    drift: tuple[Drift, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def estimate(
    what: str,
    *,
    by: By | None = None,
    top: int = 20,
    store: str | Path = "provenance-store",
    style_model: str | Path | None = None,
) -> Estimate:
    """Estimate the share of synthetic text in a scan or dataset, from what evidence decided and from style scores.

    No source is read. The same store gives the same numbers.

    Args:
        what: Name or id of a scan, or name of a dataset.
        by: Also give a share for each host, month of capture or language.
        top: Most hosts to give: those whose share is surely highest.
        store: Folder of the store.
        style_model: The model file that the scan was scored with, if it is not the one that ships.

    Raises:
        UsageError: If there is no such scan or dataset, it was scored with another model, or the model can't estimate.
        ModelError: If the model file can't be used.
    """
    if by is not None and by not in BY:
        raise UsageError(f"Shares can't be given by {by!r}", next_step=f"Choose one of {', '.join(BY)}")
    opened = Store.open(store)
    model = StyleModel.load(None if style_model is None else Path(style_model))
    name, member, node = _find(opened, what, model)
    calculator = Calculator(model)
    with opened.read() as connection:

        def counted(wanted: str | None, cluster: str, only: Sequence[str] | None = None) -> pa.Table:
            return connection.sql(
                resources.files(__package__).joinpath("estimate.sql").read_text(encoding="utf-8"),
                params={
                    "by": wanted or "all",
                    "cluster": cluster,
                    "only": None if only is None else list(only),
                    "member": member,
                    "id": node,
                    "least": LEAST_SCORE,
                    "width": CELL_WIDTH,
                    "cells": CELLS,
                },
            ).to_arrow_table()

        hosts = counted("host", "nothing") if by == "host" else None
        scan_cluster = "host" if _hosts(connection, member, node) >= FEWEST_HOSTS else "document"
        total = calculator.piles(counted(None, scan_cluster))
        if not total:
            raise UsageError(f"{name!r} holds no records", next_step="Name another scan")
        piles: list[Pile] = []
        left_out = 0
        if hosts is not None:
            names = sorted({str(pile) for pile in hosts["pile"].to_pylist()} - {""})
            chosen = calculator.candidates(hosts, CANDIDATES * top)
            found = calculator.piles(counted("host", "document", chosen))
            found = [pile for pile in found if pile.synthetic is not None]
            found.sort(key=lambda pile: (-(pile.synthetic.low if pile.synthetic else 0.0), -pile.scored, pile.name))
            piles, left_out = found[:top], len(names) - len(found[:top])
        elif by is not None:
            piles = calculator.piles(counted(by, scan_cluster))
    piles = [Pile(**{**vars(pile), "name": pile.name or _EMPTY_PILE[by or "host"]}) for pile in piles]
    drifted = drift(opened, [node], model) if member == "scan" else []
    return Estimate(name, model.version, scan_cluster, total[0], by, tuple(piles), left_out, tuple(drifted))


def _find(store: Store, what: str, model: StyleModel) -> tuple[str, str, str]:
    """Return name, kind and id of what is asked for, after checking that the model is the one it was scored with."""
    datasets = catalogue.rows(store, "select dataset_id from datasets where name = $1 or dataset_id = $1", [what])
    scans = catalogue.rows(store, "select scan_id from scans where scan_id = $1 or name = $1", [what])
    if datasets and not scans:
        node = str(datasets[-1]["dataset_id"])
        used = catalogue.rows(
            store,
            "select distinct versions from scans where scan_id in (select distinct scan_id from observations "
            "where record_id in (select record_id from dataset_records where dataset_id = ?))",
            [node],
        )
        found = what, "dataset", node
    else:
        scan = catalogue.find_scan(store, what)
        used, found = [scan], (str(scan["name"]), "scan", str(scan["scan_id"]))
    for row in used:
        version = json.loads(row["versions"] or "{}").get("style")
        if version is not None and version != model.version:
            raise UsageError(
                f"The records were scored by the style model {version}, and this one is {model.version}",
                place=what,
                next_step="Name its file with --style-model, or scan again with this one",
            )
    return found


def _hosts(connection: Any, member: str, node: str) -> int:
    """How many hosts, as far as it matters."""
    found = connection.execute(
        "select count(*) from (select distinct host from observations where host is not null and "
        "case $member when 'scan' then scan_id = $id "
        "else record_id in (select record_id from dataset_records where dataset_id = $id) end limit $most)",
        {"member": member, "id": node, "most": FEWEST_HOSTS},
    ).fetchall()
    return int(found[0][0])


@dataclass
class _Counts:
    """Counts of one pile as they come from SQL."""

    records: int = 0
    words: int = 0
    standing: dict[str, int] = field(default_factory=dict)
    standing_words: dict[str, int] = field(default_factory=dict)


def known_by_language(model: StyleModel) -> dict[str, prevalence.Densities]:
    """How scores are spread in the sets that a model was calibrated on, by language; empty if its file does not say."""
    populations = model.arrays.populations
    found = {}
    for language in model.languages:
        bins = [bin_.name for bin_ in model.arrays.bins if bin_.language == language]
        known = prevalence.densities(populations, bins)
        if known is not None:
            found[language] = known
    return found


class Calculator:
    """Estimates piles with one model, keeping the trials that piles of one language and size can share."""

    def __init__(self, model: StyleModel) -> None:
        self._known = known_by_language(model)
        if not self._known:
            raise UsageError(
                f"The style model {model.version} holds no histograms of its calibration sets, which an estimate needs",
                next_step="Train it again with at least three unrelated sets of each label, or use the one that ships",
            )
        self._trials: dict[tuple[str, int], prevalence.Trials] = {}

    def piles(self, counted: pa.Table) -> list[Pile]:
        """Estimate every pile of a table that `estimate.sql` gave."""
        names = np.array(counted["pile"].to_pylist(), dtype=object)
        return [self._pile(str(name), counted.filter(names == name)) for name in sorted(set(names.tolist()))]

    def candidates(self, counted: pa.Table, most: int) -> list[str]:
        """The piles with the most surely synthetic text, by each text's own chance at an even prior share."""
        column = {key: np.array(counted[key].to_pylist(), dtype=object) for key in ("pile", "standing", "bin", "cell")}
        records = counted["records"].to_numpy()
        chance = np.full(len(records), np.nan)
        chance[column["standing"] == "synthetic"] = 1.0
        chance[column["standing"] == "human"] = 0.0
        for known in self._known.values():
            even = known.synthetic.mean(0), known.human.mean(0)
            of_cell = even[0] / (even[0] + even[1])
            for number, bin_ in enumerate(known.bins):
                rows = np.flatnonzero(column["bin"] == bin_)
                chance[rows] = of_cell[number][column["cell"][rows].astype(np.int64)]
        keep = ~np.isnan(chance)
        names, numbers = np.unique(column["pile"][keep].astype(str), return_inverse=True)
        texts = np.bincount(numbers, records[keep], len(names))
        mean = np.bincount(numbers, records[keep] * chance[keep], len(names)) / np.maximum(texts, 1)
        low = mean - 2.0 * np.sqrt(mean * (1.0 - mean) / np.maximum(texts, 1)) - 1.0 / np.maximum(texts, 1)
        order = np.lexsort((names, -texts, -low))
        return [str(names[place]) for place in order if names[place] and texts[place] >= FEWEST_TEXTS][:most]

    def _pile(self, name: str, rows: pa.Table) -> Pile:
        standing = np.array(rows["standing"].to_pylist(), dtype=object)
        records, words = rows["records"].to_numpy(), rows["words"].to_numpy()
        by_standing = {str(key): int(records[standing == key].sum()) for key in sorted(set(standing.tolist()))}
        decided = {tag: by_standing.get(tag, 0) for tag in _DECIDED}
        missing = {key: count for key, count in by_standing.items() if key not in {*_DECIDED, "scored"}}
        shares: list[tuple[int, int, prevalence.Share, prevalence.Share]] = []
        tagged = 0
        for language, known in self._known.items():
            by_records, of_tagged = histogram(rows, known, "records")
            texts = int(by_records.sum())
            if texts < FEWEST_TEXTS:
                if texts:
                    missing["too-few-texts"] = missing.get("too-few-texts", 0) + texts
                continue
            by_words, _ = histogram(rows, known, "words")
            tried = self._tried(language, known, by_records, texts)
            first = prevalence.estimate(by_records, of_tagged, texts, known, tried)
            second = prevalence.estimate(by_words, np.zeros_like(of_tagged), texts, known, tried)
            shares.append((texts, int(by_words.sum()), first, second))
            tagged += int(of_tagged.sum())
        scored = sum(texts for texts, *_ in shares)
        lost = by_standing.get("scored", 0) - scored - missing.get("too-few-texts", 0)
        if lost:
            missing["bin-not-in-model"] = lost
        in_words = {tag: int(words[standing == tag].sum()) for tag in _DECIDED}
        return Pile(
            name,
            int(records.sum()),
            int(words.sum()),
            decided,
            scored,
            missing,
            _together(decided, [(texts, share) for texts, _, share, _ in shares]),
            _together(in_words, [(count, share) for _, count, _, share in shares]),
            tagged,
            _right([share for *_, share, _ in shares], tagged),
        )

    def _tried(
        self, language: str, known: prevalence.Densities, pile: npt.NDArray[np.float64], texts: int
    ) -> prevalence.Trials:
        """Trials on piles of this language and about this size, with the lengths of the first such pile."""
        size = round(np.log(texts) / np.log(8.0))
        key = language, int(size)
        if key not in self._trials:
            of_bin = pile.sum((0, 2))
            self._trials[key] = prevalence.trials(known, of_bin / of_bin.sum(), int(8.0**size))
        return self._trials[key]


def histogram(
    rows: pa.Table, known: prevalence.Densities, weight: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weights by cluster, bin and cell, without empty clusters, and the part that style tags by bin and cell."""
    bins = np.array(rows["bin"].to_pylist(), dtype=object)
    here = np.flatnonzero(np.isin(bins.astype(str), known.bins))
    number = np.array([known.bins.index(name) for name in bins[here].tolist()], np.int64)
    cell = np.array(rows["cell"].to_pylist(), dtype=object)[here].astype(np.int64)
    cluster, amount = rows["cluster"].to_numpy()[here], rows[weight].to_numpy()[here].astype(np.float64)
    tagged = rows["tagged"].to_numpy(zero_copy_only=False)[here].astype(bool)
    counts = np.zeros((_BUCKETS, len(known.bins), CELLS))
    of_tagged = np.zeros((len(known.bins), CELLS))
    np.add.at(counts, (cluster, number, cell), amount)
    np.add.at(of_tagged, (number[tagged], cell[tagged]), amount[tagged])
    return counts[counts.sum((1, 2)) > 0], of_tagged


def _together(decided: Mapping[str, int], parts: Sequence[tuple[int, prevalence.Share]]) -> ShareOf | None:
    """The share among what is decided and what is estimated; languages err together, so their ends add up."""
    whole = sum(decided.values()) + sum(amount for amount, _ in parts)
    if not whole:
        return None
    ends = [
        (decided["synthetic"] + sum(amount * getattr(share, end) for amount, share in parts)) / whole
        for end in ("share", "low", "high")
    ]
    return ShareOf(*ends)


def _right(parts: Sequence[prevalence.Share], tagged: int) -> ShareOf | None:
    found = [share for share in parts if not np.isnan(share.right)]
    if not tagged or not found:
        return None
    weights = np.array([share.tagged for share in found])
    ends = [float(np.average([getattr(share, end) for share in found], weights=weights)) for end in _RIGHT]
    return ShareOf(*ends)


_RIGHT: Final = ("right", "right_low", "right_high")
