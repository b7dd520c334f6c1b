"""Drift: does style err on text that dates prove human more than it may, so that its other tags deserve less trust?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from provenance.pipeline import catalogue
from provenance.store import Store

if TYPE_CHECKING:
    from provenance.classifier import StyleModel

MOST_ESTIMATED: Final = 0.005
"""Estimated synthetic share of human text that is still no drift."""


@dataclass(frozen=True)
class Drift:
    """What style says of one scan's date-proven human text in one language.

    Attributes:
        scan: Name of the scan.
        language: ISO code.
        texts: Different texts that style could judge.
        tagged: Those that style alone would tag synthetic.
        share: ``tagged / texts``.
        alpha: What the policy accepts.
        chance: Of so many or more if each text were tagged with chance alpha.
        estimated: Estimated synthetic share of these texts, which is 0 in truth; none if the model at hand is not the
            scan's.
        estimated_low: Lower end of its 95 % interval over documents.
        alarm: Whether either is above its bound.
    """

    scan: str
    language: str
    texts: int
    tagged: int
    share: float
    alpha: float
    chance: float
    estimated: float | None
    estimated_low: float | None
    alarm: bool

    def sentence(self) -> str:
        """What a person should know of it."""
        said = (
            f"{'DRIFT' if self.alarm else 'no drift'} in {self.scan} ({self.language}): of {self.texts:,} texts older "
            f"than language models, style would tag {self.tagged:,} synthetic ({100 * self.share:.2f} %, accepted are "
            f"{100 * self.alpha:.2f} %)"
        )
        if self.estimated is not None and self.estimated_low is not None:
            said += f"; their estimated synthetic share is {100 * self.estimated:.1f} %"
        return said + (". Its style tags deserve less trust than the model card promises." if self.alarm else ".")


def drift(store: Store, scans: Collection[str] | None = None, model: StyleModel | None = None) -> list[Drift]:
    """Compare style with dates, for every scan that holds enough date-proven text; silent about the others.

    Args:
        store: The store.
        scans: Ids of scans; all if left out.
        model: The style model that scans may have been scored with; the shipped one if left out.
    """
    found = catalogue.rows(
        store,
        "select drift.*, scans.name, scans.versions ->> '$.style' as version from drift join scans using (scan_id) "
        "order by scans.started_at, scan_id, language",
    )
    found = [row for row in found if scans is None or row["scan_id"] in scans]
    if not found:
        return []
    estimates = _estimates(store, {row["scan_id"]: row["version"] for row in found}, model)
    results = []
    for row in found:
        share, low = estimates.get((row["scan_id"], row["language"]), (None, None))
        results.append(
            Drift(
                row["name"],
                row["language"],
                row["texts"],
                row["tagged"],
                row["share"],
                row["alpha"],
                row["chance"],
                share,
                low,
                bool(row["alarm"]) or (low is not None and low > MOST_ESTIMATED),
            )
        )
    return results


def _estimates(
    store: Store, versions: dict[str, str | None], model: StyleModel | None
) -> dict[tuple[str, str], tuple[float, float]]:
    from provenance.classifier import StyleModel, prevalence
    from provenance.classifier.populations import CELL_WIDTH, CELLS, LEAST_SCORE
    from provenance.pipeline.estimate import FEWEST_TEXTS, histogram, known_by_language

    model = model or StyleModel.load()
    scans = [scan for scan, version in versions.items() if version is None or version == model.version]
    known = known_by_language(model)
    if not scans or not known:
        return {}
    with store.read() as connection:
        counted = connection.sql(
            resources.files(__package__).joinpath("drift.sql").read_text(encoding="utf-8"),
            params={"scans": scans, "least": LEAST_SCORE, "width": CELL_WIDTH, "cells": CELLS},
        ).to_arrow_table()
    found = {}
    for scan in scans:
        rows = counted.filter(pc.field("scan_id") == scan)
        for language, densities in known.items():
            clusters, _ = histogram(rows, densities, "records")
            texts = int(clusters.sum())
            if texts >= FEWEST_TEXTS:
                found[scan, language] = prevalence.sampled(clusters, texts, densities)[:2]
    return found
