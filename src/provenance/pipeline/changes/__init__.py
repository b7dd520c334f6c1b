"""Changes: dated entries of which records, datasets, runs and models got other tags, and why.

An entry is made in the very commit that causes it, from the records that it can touch alone: those with new findings,
those of a set that comes or goes, or those of a scan whose policy is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from provenance.store.catalogue import sql_text

if TYPE_CHECKING:
    from provenance.store import Commit


@dataclass(frozen=True)
class Change:
    """Records of one scan, dataset, run or model whose tag is another one now: a row of ``changes``.

    Attributes:
        cause: ``register``, ``unregister``, ``release``, ``rematch``, ``retag`` or ``scan``.
        cause_id: The set, policy, scan or model that it was about.
        subject_kind: ``scan``, ``dataset``, ``run`` or ``model``: a run or model counts what it was trained on.
        subject: The node's id.
        name: The node's name.
        tag_before: The tag before.
        tag_after: The tag now.
        records: How many records.
        words: How many words they have.
    """

    cause: str
    cause_id: str | None
    subject_kind: str
    subject: str
    name: str
    tag_before: str
    tag_after: str
    records: int
    words: int


@contextmanager
def recorded(
    commit: Commit,
    cause: str,
    cause_id: str | None,
    *,
    sets: Collection[str] = (),
    found: pa.Table | None = None,
) -> Iterator[list[Change]]:
    """Record what the ``with`` block changes; the yielded list holds the entries after it.

    Args:
        commit: The commit that the block adds to.
        cause: See `Change`.
        cause_id: Likewise.
        sets: Reference sets whose standing the block changes.
        found: Findings that the block publishes: ``scan_id``, ``record_id``, ``set_id`` and ``reference_id``.
    """
    changes: list[Change] = []
    connection = commit.connection
    connection.register("caused_by", pa.table({"set_id": pa.array(sorted(sets), pa.string())}))
    names = ("scan_id", "record_id", "set_id", "reference_id")
    table = pa.table({name: pa.array([], pa.string()) for name in names}) if found is None else found.select(names)
    connection.register("found_now", table)
    connection.execute(f"create temp table affected as {_sql('affected')}")
    for view in ("caused_by", "found_now"):
        connection.unregister(view)
    ((any_affected,),) = connection.execute("select exists (from affected)").fetchall()
    if any_affected:
        connection.execute(f"create temp table tags_before as {_tags()}")
    yield changes
    if any_affected:
        commit.show_parts("matches")
        connection.execute(f"create temp table tags_after as {_tags()}")
        connection.execute(f"create temp table changed as {_sql('changed')}")
        changes += _entered(commit, cause, cause_id)
        connection.execute("drop table tags_before; drop table tags_after; drop table changed")
    connection.execute("drop table affected")


def retagged(commit: Commit, scan_id: str, policy_id: str) -> list[Change]:
    """Record what another policy makes of a scan, and make it the scan's current one.

    Args:
        commit: The commit to add to; it knows the policy.
        scan_id: The scan.
        policy_id: The policy that is to be current.
    """
    connection = commit.connection
    connection.execute(f"create temp table changed as {_sql('retagged')}", [scan_id, policy_id])
    commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": policy_id}])
    changes = _entered(commit, "retag", policy_id)
    connection.execute("drop table changed")
    return changes


def _entered(commit: Commit, cause: str, cause_id: str | None) -> list[Change]:
    """Sum up the table ``changed`` by what holds or was trained on its records, and enter the sums."""
    connection = commit.connection
    answer = connection.execute(_sql("entries"))
    names = [column[0] for column in answer.description or ()]
    rows: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    commit.insert(
        "changes",
        [{"cause": cause, "cause_id": cause_id, **{k: v for k, v in row.items() if k != "name"}} for row in rows],
    )
    return [Change(cause, cause_id, **row) for row in rows]


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _tags() -> str:
    """Return the SQL that tags the affected records from the few matches and observations that bear on them."""
    findings, summary = sql_text("store/findings.sql"), sql_text("store/summary.sql")
    return f"{_sql('shadows')}, findings as ({findings}), match_summary as ({summary}) {_sql('tags')}"
