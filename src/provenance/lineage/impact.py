"""Impact: what a newly registered set, another policy, a model's release, or everything since a day has touched."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from provenance.errors import LineageError
from provenance.store import catalogue, definitions, layout

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
        changes: What happened: dated sums of records that got another tag, by ``cause``, ``cause_id``, ``tag_before``,
            ``tag_after``, ``records``, ``words`` and ``recorded_at``.
        effects: Of a set or model, what it makes of the records now: sums of those that would have another tag if its
            texts were not registered, whenever they were scanned or matched: ``tag_before`` (without), ``tag_after``,
            ``records`` and ``words``. None if a policy or a moment is asked about.
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
    effects: tuple[dict[str, Any], ...] | None
    held_records: int
    held_words: int

    @property
    def net_changes(self) -> tuple[dict[str, Any], ...]:
        """The changes less those that later ones took back: ``tag_before``, ``tag_after``, ``records``, ``words``."""
        sums: Counter[tuple[str, str]] = Counter()
        words: Counter[tuple[str, str]] = Counter()
        for change in self.changes:
            before, after = change["tag_before"], change["tag_after"]
            pair, sign = ((before, after), 1) if before < after else ((after, before), -1)
            sums[pair] += sign * change["records"]
            words[pair] += sign * change["words"]
        return tuple(
            {
                **dict(zip(("tag_before", "tag_after"), pair if records > 0 else pair[::-1], strict=True)),
                "records": abs(records),
                "words": abs(words[pair]),
            }
            for pair, records in sorted(sums.items())
            if records
        )


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
            found = connection.execute(definitions.body("causes"), {"name": what}).fetchall()
            causes, origins = _named(found, what, _no_cause(connection, what) if not found else "")
        else:
            causes, origins = None, _sets_since(connection, since)
        has_texts = isinstance(what, str) and bool(origins)
        _lay_out_effects(store, connection, origins if has_texts else [])
        parameters = {"causes": causes, "origins": origins, "since": since}
        rows = connection.sql(definitions.body("impact"), params=parameters).to_arrow_table().to_pylist()
    return [
        Impact(**{**row, "changes": tuple(row["changes"]), "effects": tuple(row["effects"]) if has_texts else None})
        for row in rows
    ]


def _lay_out_effects(store: Store, connection: duckdb.DuckDBPyConnection, origins: Sequence[str]) -> None:
    """Make the table ``tags_without`` of the records that have another tag because of some reference sets."""
    connection.execute("set memory_limit = '2GB'")
    connection.execute("set temp_directory = $1", [str(store.root / layout.STAGING / "spill")])
    connection.execute(
        "create temp table affected as select distinct scan_id, record_id from matches where list_contains($1, set_id)",
        [list(origins)],
    )
    query = catalogue.shadowed(definitions.body("affected_tags"), definitions.body("without_sets"))
    connection.execute("create temp table left_out (set_id varchar)")
    connection.execute(f"create temp table tags_with as {query}")
    connection.execute("insert into left_out select unnest($1::varchar[])", [list(origins)])
    connection.execute(f"create temp table tags_lacking as {query}")
    connection.execute(f"create temp table tags_without as {definitions.body('tags_without')}")


def _sets_since(connection: duckdb.DuckDBPyConnection, since: dt.date | None) -> list[str]:
    query = "select distinct set_id from reference_sets where label = 'synthetic' and ($1 is null or recorded_at >= $1)"
    return [name for (name,) in connection.execute(query, [since]).fetchall()]


def _no_cause(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return what a name that is no cause stands for: a scan, dataset or run is touched, and touches nothing itself."""
    kinds = connection.execute(
        "select distinct kind from lineage_nodes where ($1 in (id, name) or starts_with(name, $1 || '@')) "
        "and kind in ('scan', 'dataset', 'run')",
        [name],
    ).fetchall()
    return str(kinds[0][0]) if len(kinds) == 1 else ""


def _named(found: Sequence[tuple[str, str, list[str], list[str]]], name: str, kind: str) -> tuple[list[str], list[str]]:
    if kind:
        also = (
            "" if kind == "run" else f"; `provenance lineage diff {name} --from TIME` tells how its tags have changed"
        )
        raise LineageError(
            f"{name!r} is a {kind}, and impact is asked about a reference set, policy or model",
            next_step=f"`provenance lineage trace {name}` tells what it comes from and what came from it{also}",
        )
    if not found:
        raise LineageError(
            f"There is no reference set, policy or model {name!r}",
            next_step='`provenance sql "select distinct cause, cause_id from changes"` lists the causes of changes',
        )
    if len({kind for kind, *_ in found}) > 1 or (len(found) > 1 and found[0][0] != "policy"):
        listed = ", ".join(f"{id_} ({kind})" for kind, id_, *_ in found[:5])
        raise LineageError(f"{name!r} can mean several things: {listed}", next_step="Give the id")
    return [cause for row in found for cause in row[2]], [origin for row in found for origin in row[3]]
