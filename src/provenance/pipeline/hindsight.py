"""What changes later, as verbs: what a cause has touched, and how tags differ."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from provenance import policy as policies
from provenance.errors import UsageError
from provenance.lineage.diff import Difference, Side
from provenance.lineage.diff import diff as compare
from provenance.lineage.impact import Impact
from provenance.lineage.impact import impact as touched
from provenance.lineage.names import resolve
from provenance.pipeline.gate import then
from provenance.store import Store


def impact(what: str | dt.datetime | dt.date | None = None, *, store: str | Path = "provenance-store") -> list[Impact]:
    """Return the datasets, runs and models that a cause has touched, since when, and by how much.

    Args:
        what: Name or id of a reference set, policy or model; a day or moment (UTC), for everything from then on.
        store: Folder of the store.

    Raises:
        LineageError: If there is no such thing, or the name can mean several.
    """
    if isinstance(what, str):
        with contextlib.suppress(ValueError):
            what = dt.datetime.fromisoformat(what)
    return touched(Store.open(store), what)


def diff(
    what: str,
    other: str | None = None,
    *,
    policy: Sequence[str | Path] = (),
    since: dt.datetime | dt.date | None = None,
    until: dt.datetime | dt.date | None = None,
    reasons: bool = False,
    by_dataset: bool = False,
    store: str | Path = "provenance-store",
) -> list[Difference]:
    """Count records by their tag before and after: under two policies, at two moments, or in two scans.

    Args:
        what: Name or id of a scan or dataset.
        other: Another scan of the same sources, such as one with a newer detector.
        policy: Two policies; or one, which is compared with the current one.
        since: The earlier moment (UTC).
        until: The later moment; now if left out.
        reasons: Count by reason, too.
        by_dataset: Count for each dataset that lists the records.
        store: Folder of the store.

    Raises:
        UsageError: If it is not said what to compare, two things are, or a moment can't be told.
        LineageError: If there is no such scan or dataset, or not yet at the earlier moment.
    """
    if sum((other is not None, bool(policy), since is not None)) != 1 or len(policy) > 2:
        raise UsageError(
            "One comparison at a time: two scans, two policies, or two moments",
            next_step="Name another scan, or give --policy A --policy B, or --from TIME [--to TIME]",
        )
    if until is not None and since is None:
        raise UsageError("The later moment alone says nothing", next_step="Give --from, too")
    opened = Store.open(store)
    before, after = Side(what), Side(other or what)
    if policy:
        judges = [policies.load(name) for name in policy]
        before = Side(what, judges[0] if len(judges) == 2 else None)
        after = Side(what, judges[-1])
    elif since is not None:
        began = then.moment(opened, since)
        then.require_known(opened, resolve(opened, what, ("scan", "dataset")), began)
        before = Side(what, as_of=began)
        after = Side(what, as_of=then.moment(opened, until) if until is not None else None)
    return compare(opened, before, after, reasons=reasons, by_dataset=by_dataset)
