"""The figures of a report, each from the query that the other commands ask, too."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from provenance import lineage
from provenance.errors import UsageError
from provenance.pipeline import catalogue
from provenance.pipeline.drift import Drift, drift
from provenance.pipeline.estimate import Estimate, estimate
from provenance.store import Store

MOST_NODES: Final = 100
"""Nodes of the lineage, and sources that were left out, that are named; the others are counted."""


@dataclass(frozen=True)
class Report:
    """What is known of a scan.

    Attributes:
        scan: Its ``scan_id``, ``name``, ``state``, ``started_at``, ``finished_at`` (UTC), ``policy`` and ``store``.
        versions: Of everything that looked at its records.
        totals: Sources, bytes, units read, records, rejects by reason, skipped units by kind.
        tags: Records and words by tag and reason, the most frequent first.
        estimate: Share of synthetic text, with the hosts that surely have the most; None if it can't be estimated.
        no_estimate: Then why.
        drift: How style does on date-proven human text; empty where there is too little of it.
        left_out: Sources that could not be read to their end: ``uri`` and ``error``.
        descendants: What came from the scan: ``id``, ``kind``, ``name``, ``distance``, ``relation``; the nearest first.
        reference_sets: Sets that its records share text with: ``set_id``, ``name``, ``label``, ``model``, ``records``.
    """

    scan: Mapping[str, Any]
    versions: Mapping[str, str]
    totals: Mapping[str, Any]
    tags: Sequence[Mapping[str, Any]]
    estimate: Estimate | None
    no_estimate: str
    drift: Sequence[Drift]
    left_out: Sequence[Mapping[str, Any]]
    descendants: Sequence[Mapping[str, Any]]
    reference_sets: Sequence[Mapping[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return asdict(self)


def figures(scan: str, *, top: int = 20, store: str | Path = "provenance-store") -> Report:
    """Gather the figures of a report. No source is read; the same store gives the same figures.

    Args:
        scan: Name or id of a scan.
        top: Most hosts to give.
        store: Folder of the store.

    Raises:
        UsageError: If there is no such scan.
    """
    opened = Store.open(store)
    row = catalogue.find_scan(opened, scan)
    scan_id = row["scan_id"]
    policies = catalogue.rows(opened, "select policy_id from current_policies where scan_id = ?", [scan_id])
    estimated, why = _estimate(scan_id, top, store)
    return Report(
        {
            **{name: row[name] for name in ("scan_id", "name", "state")},
            **{name: _moment(row[name]) for name in ("started_at", "finished_at")},
            "policy": policies[0]["policy_id"] if policies else None,
        },
        json.loads(row["versions"] or "{}"),
        catalogue.totals(opened, scan_id),
        catalogue.rows(
            opened,
            "select tag, reason, count(*) as records, coalesce(sum(words), 0)::bigint as words from records "
            "where scan_id = ? group by all order by tag, records desc, reason",
            [scan_id],
        ),
        estimated,
        why,
        estimated.drift if estimated is not None else drift(opened, [scan_id]),
        [
            {"uri": source["uri"], "error": source["error"]}
            for source in catalogue.tried_sources(opened, scan_id)
            if source["error"] is not None
        ],
        lineage.trace(opened, scan_id, "down")["descendants"],
        catalogue.rows(
            opened,
            "select set_id, known.name, known.label, known.model, count(distinct record_id) as records "
            "from current_matches join reference_sets as known using (set_id) "
            "where scan_id = ? and known.withdrawn_at is null group by all order by records desc, known.name, set_id",
            [scan_id],
        ),
    )


def _moment(time: dt.datetime | None) -> str | None:
    return None if time is None else time.isoformat(sep=" ", timespec="seconds")


def _estimate(scan_id: str, top: int, store: str | Path) -> tuple[Estimate | None, str]:
    try:
        return estimate(scan_id, by="host", top=top, store=store), ""
    except UsageError as error:
        return None, str(error)
