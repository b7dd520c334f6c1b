"""Impact: what a newly registered set, another policy, a model's release, or everything since a day has touched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenance.errors import LineageError
from provenance.store import definitions

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True)
class Impact:
    """A scan, dataset, run or model that is touched.

    Attributes:
        kind: ``scan``, ``dataset``, ``run`` or ``model``.
        id: Node id.
        name: The node's name.
        how: ``direct``: its records, or those that it was trained on, got other tags or hold the text. ``indirect``: it
            was tuned or distilled from a model that is touched.
        since: Since when (UTC); the later of the cause and of the node's own recording.
        through: Of what is touched indirectly, the touched model that it comes from.
        changes: Dated sums of records that got another tag: ``cause``, ``cause_id``, ``tag_before``, ``tag_after``,
            ``records``, ``words`` and ``recorded_at``.
        held_records: Records that hold verified text of the set or model, whatever their tag.
        held_words: Words of it.
    """

    kind: str
    id: str
    name: str
    how: str
    since: dt.datetime
    through: str | None
    changes: tuple[dict[str, Any], ...]
    held_records: int
    held_words: int


def impact(store: Store, what: str | dt.datetime | dt.date | None = None) -> list[Impact]:
    """Return what a cause has touched, the direct before the indirect.

    Args:
        store: The store.
        what: Name or id of a reference set, a policy or a model; or a day or moment (UTC), for everything from then on;
            everything if left out.

    Raises:
        LineageError: If there is no such thing, or the name can mean several.
    """
    since = what if isinstance(what, dt.date) else None
    if isinstance(since, dt.datetime):
        since = since.astimezone(dt.UTC).replace(tzinfo=None) if since.tzinfo is not None else since
    with store.read() as connection:
        if isinstance(what, str):
            causes, origins = _named(connection.execute(definitions.body("causes"), {"name": what}).fetchall(), what)
        else:
            causes, origins = None, _sets_since(connection, since)
        parameters = {"causes": causes, "origins": origins, "since": since}
        rows = connection.sql(definitions.body("impact"), params=parameters).to_arrow_table().to_pylist()
    return [Impact(**{**row, "changes": tuple(row["changes"])}) for row in rows]


def _sets_since(connection: Any, since: dt.date | None) -> list[str]:
    query = "select distinct set_id from reference_sets where label = 'synthetic' and ($1 is null or recorded_at >= $1)"
    return [name for (name,) in connection.execute(query, [since]).fetchall()]


def _named(found: Sequence[tuple[str, str, list[str], list[str]]], name: str) -> tuple[list[str], list[str]]:
    if not found:
        raise LineageError(
            f"There is no reference set, policy or model {name!r}",
            next_step='`provenance sql "select distinct cause, cause_id from changes"` lists the causes of changes',
        )
    if len({kind for kind, *_ in found}) > 1 or (len(found) > 1 and found[0][0] != "policy"):
        listed = ", ".join(f"{id_} ({kind})" for kind, id_, *_ in found[:5])
        raise LineageError(f"{name!r} can mean several things: {listed}", next_step="Give the id")
    return [cause for row in found for cause in row[2]], [origin for row in found for origin in row[3]]
