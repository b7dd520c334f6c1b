"""What must have been known at a moment for the gate to say what it would have said then."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from provenance import policy as policies
from provenance.errors import LineageError, PolicyError, StoreError, UsageError
from provenance.pipeline import catalogue

if TYPE_CHECKING:
    from provenance.policy import Policy
    from provenance.store import Store


def moment(store: Store, wanted: dt.datetime | dt.date) -> dt.datetime:
    """Return a moment as UTC without a zone; a day is its beginning.

    Raises:
        UsageError: If it lies in the future or before the store's first commit.
        StoreError: If rows that counted then are gone.
    """
    if not isinstance(wanted, dt.datetime):
        wanted = dt.datetime(wanted.year, wanted.month, wanted.day)
    if wanted.tzinfo is not None:
        wanted = wanted.astimezone(dt.UTC).replace(tzinfo=None)
    if wanted > dt.datetime.now(dt.UTC).replace(tzinfo=None):
        raise UsageError(f"{wanted} (UTC) lies in the future", next_step="Leave out --as-of for what holds now")
    (row,) = catalogue.rows(store, "select min(recorded_at) as first from commits")
    if row["first"] is None or wanted < row["first"]:
        begun = "has no commit yet" if row["first"] is None else f"begins at {row['first']} (UTC)"
        raise UsageError(f"Nothing is known of {wanted}: the store {begun}", place=str(store.root))
    (row,) = catalogue.rows(
        store,
        "select count(*) as parts from parts where kind in ('observations', 'matches', 'dataset_records') and rows > 0 "
        "and recorded_at <= $1 and withdrawn_at > $1",
        [wanted],
    )
    if row["parts"]:
        raise StoreError(
            f"What held at {wanted} (UTC) can't be told any more: {row['parts']} parts of then were withdrawn",
            place=str(store.root),
            next_step="Ask for a later moment",
        )
    return wanted


def require_known(store: Store, node: str, wanted: dt.datetime) -> None:
    """Raise a `LineageError` if a dataset or scan was not recorded yet."""
    query = "select kind, min(recorded_at) as first from lineage_nodes where id = $1 group by kind"
    (row,) = catalogue.rows(store, query, [node])
    if row["first"] > wanted:
        made = "was sealed" if row["kind"] == "dataset" else "began"
        raise LineageError(f"The {row['kind']} {made} later: at {row['first']} (UTC)", place=node)


def policy(store: Store, wanted: str | Path, when: dt.datetime) -> Policy:
    """Return the policy that a name stood for at a moment, or a file's policy if the store knew it then.

    Raises:
        PolicyError: If the store did not know it then.
    """
    if str(wanted) in policies.NAMED:
        found = catalogue.rows(
            store,
            "select document, policy_id from policy_log where name = $1 and recorded_at <= $2 "
            "order by recorded_at desc limit 1",
            [str(wanted), when],
        )
        if found:
            return policies.parse(found[0]["document"], place=found[0]["policy_id"])
    else:
        given = policies.load(wanted)
        query = "select 1 as known from policy_log where policy_id = $1 and recorded_at <= $2"
        if catalogue.rows(store, query, [given.policy_id, when]):
            return given
    raise PolicyError(
        f"The store did not know the policy {str(wanted)!r} at {when} (UTC)",
        place=str(store.root),
        next_step='`provenance sql "select policy_id, recorded_at from policy_log"` says which it knows since when',
    )
