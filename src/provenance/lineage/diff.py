"""Diff: records by their tag before and after, between policies, moments, or two scans of the same sources."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from provenance.errors import UsageError
from provenance.lineage.names import resolve_kind
from provenance.policy import Policy, settings_type_sql
from provenance.store import catalogue, definitions, layout

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True)
class Side:
    """One of the two things that are compared.

    Attributes:
        what: Name or id of a scan or dataset.
        policy: The policy that judges; the current one of each scan if None.
        as_of: The moment (UTC); now if None.
    """

    what: str
    policy: Policy | None = None
    as_of: dt.datetime | None = None


@dataclass(frozen=True)
class Difference:
    """Records with one tag before and one after.

    Attributes:
        dataset: Node id of a dataset that lists them; None for those that none lists, or if it was not asked for.
        tag_before: ``absent`` for records that the first side does not have.
        tag_after: ``absent`` for records that the second does not have.
        reason_before: None if reasons were not asked for.
        reason_after: Likewise.
        records: How many.
        words: Their words, as the second side has them.
    """

    dataset: str | None
    tag_before: str
    tag_after: str
    reason_before: str | None
    reason_after: str | None
    records: int
    words: int


def diff(
    store: Store, before: Side, after: Side, *, reasons: bool = False, by_dataset: bool = False
) -> list[Difference]:
    """Count records by tag before and after; equal ones too.

    Args:
        store: The store.
        before: What is compared.
        after: With what.
        reasons: Count by reason, too.
        by_dataset: Count for each dataset; a record that several hold counts in each.

    Raises:
        LineageError: If there is no such scan or dataset.
        UsageError: If the two sides have no record in common.
    """
    with store.read() as connection:
        connection.execute("set memory_limit = '2GB'")
        connection.execute("set temp_directory = $1", [str(store.root / layout.STAGING / "spill")])
        for side, table in ((before, "verdicts_before"), (after, "verdicts_after")):
            _lay_out(store, connection, side, table)
        rows = connection.execute(definitions.body("diff"), {"reasons": reasons, "by_dataset": by_dataset}).fetchall()
    found = [Difference(*row) for row in rows]
    if found and all("absent" in (row.tag_before, row.tag_after) for row in found):
        raise UsageError(
            f"{before.what!r} and {after.what!r} have no record in common",
            next_step="Scan the same sources, with the same --root, twice",
        )
    return found


def _lay_out(store: Store, connection: duckdb.DuckDBPyConnection, side: Side, table: str) -> None:
    node, kind = resolve_kind(store, side.what, ("scan", "dataset"))
    connection.execute(f"create or replace temp table asked_policy (settings {settings_type_sql()})")
    settings = None if side.policy is None else json.dumps(dict(side.policy.settings), default=str)
    connection.execute(f"insert into asked_policy select $1::json::{settings_type_sql()}", [settings])
    query = definitions.body("verdicts")
    if side.as_of is not None:
        query = catalogue.at_the_moment(query, side.as_of)
    connection.execute(
        f"create temp table {table} as {query}",
        {"scan": node if kind == "scan" else None, "dataset": node if kind == "dataset" else None},
    )
