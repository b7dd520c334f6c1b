"""Changes: dated entries of which records, datasets, runs and models got other tags, and why.

An entry is made in the very commit that causes it, from the records that it can touch alone: those with new findings,
those of a set that comes or goes, or those of a scan whose policy is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from provenance.store.catalogue import sql_text

if TYPE_CHECKING:
    import datetime as dt

    import duckdb

    from provenance.policy import Policy
    from provenance.store import Commit, Store

AT_ONCE: Final = 250_000
"""Records of a scan whose tags are compared in the commit that changes them: a quarter of a second. Of a larger scan
they are compared afterwards."""

_RECORDS: Final = (
    "select coalesce(sum(rows), 0)::bigint from parts "
    "where kind = 'observations' and group_id = ? and withdrawn_at is null"
)


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
        changes += _enter(commit, cause, cause_id, _entries(connection))
        connection.execute("drop table tags_before; drop table tags_after; drop table changed")
    connection.execute("drop table affected")


def retagged(commit: Commit, scan_id: str, policy_id: str) -> list[Change]:
    """Record what another policy makes of a scan, and make it the scan's current one.

    Args:
        commit: The commit to add to; it knows the policy.
        scan_id: The scan.
        policy_id: The policy that is to be current.
    """
    before = _current_policy(commit.connection, scan_id)
    commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": policy_id}])
    return _enter(commit, "retag", policy_id, _turned(commit.connection, scan_id, policy_id, before))


def retag(store: Store, scan_id: str, policy: Policy) -> list[Change]:
    """Make another policy the current one for a scan, and record what it makes of it.

    Of a large scan the policy is current at once; what that changed is recorded in a second commit, as of the first. If
    there was none, because the process was killed between them, the same retag makes it.
    """
    with store.commit(f"retag {scan_id}") as commit:
        policy_id = commit.add_policy(policy)
        before: str | None = _current_policy(commit.connection, scan_id)
        as_of = commit.recorded_at
        if before == policy_id:
            before, as_of = _unentered(commit.connection, scan_id) or (None, as_of)
        else:
            ((records,),) = commit.execute(_RECORDS, [scan_id]).fetchall()
            if records <= AT_ONCE:
                return retagged(commit, scan_id, policy_id)
            commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": policy_id}])
    with store.read() as connection:
        rows = _turned(connection, scan_id, policy_id, before)
    if not rows:
        return []
    with store.commit(f"changes by retag {scan_id}") as later:
        return _enter(later, "retag", policy_id, rows, as_of)


def _unentered(connection: duckdb.DuckDBPyConnection, scan_id: str) -> tuple[str, dt.datetime] | None:
    """Return the policy before the current one and when it ended, if no change of tags is recorded of that moment."""
    query = "select policy_id, recorded_at from scan_policies where scan_id = ? order by recorded_at desc limit 2"
    last = connection.execute(query, [scan_id]).fetchall()
    if len(last) < 2:
        return None
    (current, ended), (before, _) = last
    entered = connection.execute(
        "select count(*) from changes where cause = 'retag' and cause_id = ? and recorded_at = ?", [current, ended]
    ).fetchall()
    return None if entered[0][0] else (before, ended)


def _current_policy(connection: duckdb.DuckDBPyConnection, scan_id: str) -> str | None:
    found = connection.execute("select policy_id from current_policies where scan_id = ?", [scan_id]).fetchall()
    return found[0][0] if found else None


def _turned(
    connection: duckdb.DuckDBPyConnection, scan_id: str, policy_id: str, before: str | None
) -> list[dict[str, Any]]:
    """Return the entries for a scan whose policy was another one before."""
    if before in (None, policy_id):
        return []
    connection.execute(f"create temp table changed as {_sql('retagged')}", [scan_id, policy_id, before])
    try:
        return _entries(connection)
    finally:
        connection.execute("drop table changed")


def _entries(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Sum up the table ``changed`` by what holds or was trained on its records."""
    answer = connection.execute(_sql("entries"))
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _enter(
    commit: Commit,
    cause: str,
    cause_id: str | None,
    rows: list[dict[str, Any]],
    recorded_at: dt.datetime | None = None,
) -> list[Change]:
    """Enter such sums, as of this commit or an earlier one."""
    same = {"cause": cause, "cause_id": cause_id, "recorded_at": recorded_at}
    commit.insert("changes", [same | {name: value for name, value in row.items() if name != "name"} for row in rows])
    return [Change(cause, cause_id, **row) for row in rows]


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _tags() -> str:
    """Return the SQL that tags the affected records from the few matches and observations that bear on them."""
    findings, summary = sql_text("store/findings.sql"), sql_text("store/summary.sql")
    return f"{_sql('shadows')}, findings as ({findings}), match_summary as ({summary}) {_sql('tags')}"
