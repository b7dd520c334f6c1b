"""Walking the lineage graph from one node, or from one record, towards origins and towards uses."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

from provenance.lineage.moment import ask
from provenance.lineage.names import resolve
from provenance.store import definitions

if TYPE_CHECKING:
    from provenance.store import Store

Direction = Literal["up", "down", "both"]

_COLUMNS = ("id", "kind", "name", "distance", "relation")


def trace(
    store: Store, name: str, direction: Direction = "both", *, as_of: dt.datetime | None = None
) -> dict[str, list[dict[str, Any]]]:
    """List what a node comes from (``ancestors``) and what came from it (``descendants``), nearest first.

    Follows the recorded edges, and from datasets to the generation sets and models whose text their members hold.

    Args:
        store: The store.
        name: Name or id of a node, or a record id: a record comes from its scan and source, from the reference sets
            that it shares text with and the models that its publisher names; datasets that hold it came from it.
        direction: ``up``, ``down`` or ``both``.
        as_of: The moment (UTC) whose graph is walked; now if left out.

    Returns:
        Rows with ``id``, ``kind``, ``name``, ``distance`` and ``relation``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    up, down = _record_neighbours(store, name, as_of)
    is_record = bool(up)
    if not is_record:
        node = resolve(store, name)
        up = down = {node: ""}
    for heading, starts, towards_origins, wanted in (
        ("ancestors", up, True, direction in ("up", "both")),
        ("descendants", down, False, direction in ("down", "both")),
    ):
        if wanted:
            rows = ask(store, definitions.body("trace"), [list(starts), towards_origins], as_of)
            found[heading] = [
                {
                    **dict(zip(_COLUMNS, row, strict=True)),
                    "distance": row[3] + is_record,
                    "relation": row[4] or starts.get(row[0]),
                }
                for row in rows
                if is_record or row[3]
            ]
    return found


def _record_neighbours(store: Store, name: str, as_of: dt.datetime | None) -> tuple[dict[str, str], dict[str, str]]:
    up = (
        "select scan_id, 'wasGeneratedBy' from observations where record_id = $1 "
        "union select 'source:' || source_id, 'wasDerivedFrom' from observations where record_id = $1 "
        "union select set_id, 'wasDerivedFrom' from findings where record_id = $1 and verified "
        "and (admissible or label = 'human') "
        "union select origin, 'wasAttributedTo' from record_text "
        "where record_id = $1 and starts_with(origin, 'model:') order by 1"
    )
    down = "select dataset_id, 'hadMember' from dataset_records where record_id = $1 order by 1"
    return dict(ask(store, up, [name], as_of)), dict(ask(store, down, [name], as_of))
