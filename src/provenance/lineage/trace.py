"""Walking the lineage graph from one node, or from one record, towards origins and towards uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from provenance.lineage.graph import resolve

if TYPE_CHECKING:
    from provenance.store import Store

Direction = Literal["up", "down", "both"]


def trace(store: Store, name: str, direction: Direction = "both") -> dict[str, list[dict[str, Any]]]:
    """List what a node comes from (``ancestors``) and what came from it (``descendants``), nearest first.

    Args:
        store: The store.
        name: Name or id of a node, or a record id: a record comes from its scan and source, and from the reference
            sets that it shares text with; datasets that hold it came from it.
        direction: ``up``, ``down`` or ``both``.

    Returns:
        Rows with ``id``, ``kind``, ``name``, ``distance`` and ``relation``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    starts_up, starts_down = _record_neighbours(store, name)
    if not starts_up:
        node = resolve(store, name)
        starts_up = starts_down = [(node, 0, "")]
    for heading, macro, starts, wanted in (
        ("ancestors", "ancestors", starts_up, direction in ("up", "both")),
        ("descendants", "descendants", starts_down, direction in ("down", "both")),
    ):
        if wanted:
            found[heading] = _walk(store, macro, starts)
    return found


def _record_neighbours(store: Store, name: str) -> tuple[list[tuple[str, int, str]], list[tuple[str, int, str]]]:
    up = store.sql(
        "select scan_id, 1, 'wasGeneratedBy' from observations where record_id = $1 "
        "union select 'source:' || source_id, 1, 'wasDerivedFrom' from observations where record_id = $1 "
        "union select set_id, 1, 'wasDerivedFrom' from findings where record_id = $1 and verified "
        "and (admissible or label = 'human') order by 1",
        [name],
    ).fetchall()
    down = store.sql(
        "select dataset_id, 1, 'hadMember' from dataset_records where record_id = $1 order by 1", [name]
    ).fetchall()
    return up, down


def _walk(store: Store, macro: str, starts: Sequence[tuple[str, int, str]]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    with store.read() as connection:
        for start, offset, relation in starts:
            if offset:
                known = connection.execute("select kind, name from lineage_nodes where id = ?", [start]).fetchall()
                kind, label = known[0] if known else (None, None)
                _keep_nearest(rows, (start, kind, label, offset, relation))
            # The macro's name is one of two constants above.
            query = f"select id, kind, name, distance, relation from {macro}($1)"  # noqa: S608
            for node, kind, label, distance, via in connection.execute(query, [start]).fetchall():
                _keep_nearest(rows, (node, kind, label, distance + offset, via))
    return sorted(rows.values(), key=lambda row: (row["distance"], row["id"]))


def _keep_nearest(rows: dict[str, dict[str, Any]], row: tuple[Any, ...]) -> None:
    known = rows.get(row[0])
    if known is None or row[3] < known["distance"]:
        rows[row[0]] = dict(zip(("id", "kind", "name", "distance", "relation"), row, strict=True))
