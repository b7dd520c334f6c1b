"""What the verbs ask of the store's catalogue: scans by name, their sources, the live segments."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from provenance.errors import StoreError, UsageError
from provenance.schema import LABELS
from provenance.store import Commit, Store, layout

_COPIED: Final = ("models", "reference_sets", "segments")


def exists(store: Path) -> bool:
    """Tell whether there is a store at this path: also one that has lost its pointer, but none that is only begun."""
    root = layout.at_home(store)
    kept = (path.name for path in (root / "catalogue").glob("*.duckdb"))
    return (root / "CURRENT").is_file() or any(name != "000001.duckdb" for name in kept)


def rows(store: Store, query: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Return the rows of a query on the current snapshot as dicts."""
    with store.read() as connection:
        answer = connection.execute(query, list(parameters))
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def storable(path: str) -> str:
    """Return a path as text that a database can hold: bytes that are no UTF-8 are kept as hex escapes.

    A source of such a name is scanned like any other, but can't be found again by its entry.
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def find_scan(store: Store, name_or_id: str) -> dict[str, Any]:
    """Return the scan of a name or id (or a unique prefix of an id, from 6 digits on).

    Raises:
        UsageError: If there is none, or several.
    """
    found = rows(
        store,
        "select * from scans where scan_id = $1 or name = $1 or (length($1) >= 6 and starts_with(scan_id, $1)) "
        "order by (scan_id = $1 or name = $1) desc, started_at desc",
        [name_or_id],
    )
    exact = [scan for scan in found if name_or_id in (scan["scan_id"], scan["name"])]
    if len(exact) == 1 or (not exact and len(found) == 1):
        return found[0]
    names = ", ".join(scan["name"] for scan in rows(store, "select name from scans order by started_at desc limit 10"))
    raise UsageError(
        f"There is no scan {name_or_id!r}" if not found else f"{name_or_id!r} means several scans",
        place=str(store.root),
        next_step=f"The scans are: {names}" if names else "Run `provenance scan` first",
    )


def scan_row(store: Store, scan_id: str) -> dict[str, Any] | None:
    """Return the latest state of a scan, or nothing if it never began."""
    found = rows(store, "select * from scans where scan_id = ?", [scan_id])
    return found[0] if found else None


def refuse_lost_parts(store: Store, scan_id: str) -> None:
    """Look whether the files of a scan's rows are there, each as long as it was; no byte of them is read.

    Raises:
        StoreError: If one is not.
    """
    for part in rows(
        store, "select path, bytes from parts where group_id = ? and withdrawn_at is null order by path", [scan_id]
    ):
        path = store.root / part["path"]
        there = path.stat().st_size if path.exists() else None
        if there != part["bytes"]:
            told = "is missing" if there is None else f"has {there:,} bytes instead of {part['bytes']:,}"
            raise StoreError(
                f"The scan was done, but a part of its rows {told}",
                place=part["path"],
                next_step="`provenance verify` lists all that is damaged; restore it from a backup, or scan into a new "
                "store",
            )


def free_name(commit: Commit, wanted: str) -> str:
    """Return ``wanted``, or ``wanted-2`` and so on if a scan of that name is there already."""
    taken = {name for (name,) in commit.execute("select distinct name from scans").fetchall()}
    if wanted not in taken:
        return wanted
    return next(name for number in range(2, len(taken) + 3) if (name := f"{wanted}-{number}") not in taken)


def sets_of(store: Store, segments: Sequence[str]) -> set[str] | None:
    """Return the sets that these segments hold; nothing if one of them holds several."""
    found = rows(store, "select segment_id, set_id from segments where withdrawn_at is null")
    sets = {row["set_id"] for row in found if row["segment_id"] in segments}
    return None if None in sets else sets


def segments_of(store: Store, set_id: str) -> list[str]:
    """Return the live segments that a set and its prompts stand in."""
    found = rows(
        store,
        "select distinct segment_id from segments where withdrawn_at is null "
        "and (set_id is null or set_id in ($1, $1 || '-prompts')) order by segment_id",
        [set_id],
    )
    return [row["segment_id"] for row in found]


def finished_sources(store: Store, scan_id: str) -> set[str]:
    """Return the ids of the sources that the scan has read to their end."""
    return {
        row["source_id"]
        for row in rows(store, "select source_id from sources where scan_id = ? and error is null", [scan_id])
    }


def source_counts(store: Store, scan_id: str) -> list[dict[str, Any]]:
    """Return what each source of a scan held, by URI; of a source that was tried twice, the last try."""
    return rows(
        store,
        "select uri, read, records, rejects, skipped, error from sources where scan_id = ? "
        "qualify row_number() over (partition by source_id order by recorded_at desc) = 1 order by uri",
        [scan_id],
    )


def scan_ids(store: Store) -> list[str]:
    """Return the ids of all scans, the first one first."""
    return [row["scan_id"] for row in rows(store, "select scan_id from scans order by started_at, scan_id")]


def sources(store: Store, scan_id: str) -> list[dict[str, Any]]:
    """Return the rows of ``sources`` of a scan that were read to their end, by URI."""
    return rows(store, "select * from sources where scan_id = ? and error is null order by uri", [scan_id])


def refuse_to_overwrite(store: Store, *outputs: Path) -> None:
    """Look whether files that are to be written were read for a scan: they are what its records stand in.

    Raises:
        UsageError: If one was.
    """
    places = {str(output.resolve()): output for output in outputs}
    query = "select distinct location from sources where list_contains($1, location) order by location"
    for row in rows(store, query, [list(places)]):
        raise UsageError(
            "The output would overwrite a source of a scan",
            place=str(places[row["location"]]),
            next_step="Name another file",
        )


def tried_sources(store: Store, scan_id: str) -> list[dict[str, Any]]:
    """Return the last try of each source of a scan, by URI, also of those that broke off."""
    return rows(
        store,
        "select * from sources where scan_id = ? "
        "qualify row_number() over (partition by source_id order by recorded_at desc) = 1 order by uri",
        [scan_id],
    )


def reasons(store: Store, scan_id: str) -> dict[tuple[str, str], int]:
    """Return the number of records by (tag, reason)."""
    found = rows(
        store,
        "select tag, reason, count(*) as records from records where scan_id = ? "
        "group by all order by tag, records desc, reason",
        [scan_id],
    )
    return {(row["tag"], row["reason"]): row["records"] for row in found}


def totals(store: Store, scan_id: str) -> dict[str, Any]:
    """Return what a scan amounts to: sources, records, rejects by reason, what was skipped by kind, bytes."""
    ended = sources(store, scan_id)
    skipped: Counter[str] = Counter()
    for source in ended:
        skipped.update(json.loads(source["skipped_by_kind"] or "{}"))
    rejects = rows(
        store, "select reason, count(*) as records from rejects where scan_id = ? group by all order by 1", [scan_id]
    )
    return {
        "sources": len(ended),
        **{name: sum(source[name] or 0 for source in ended) for name in ("bytes", "read", "records")},
        "rejects_by_reason": {row["reason"]: row["records"] for row in rejects},
        "skipped_by_kind": dict(sorted(skipped.items())),
    }


def live_segments(store: Store) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the index segments that count now, and the sets in them that are withdrawn."""
    segments = rows(store, "select distinct segment_id from segments where withdrawn_at is null order by segment_id")
    withdrawn = rows(
        store,
        "select set_id from reference_sets group by set_id having count(*) filter (where withdrawn_at is null) = 0 "
        "order by set_id",
    )
    return tuple(row["segment_id"] for row in segments), tuple(row["set_id"] for row in withdrawn)


def set_counts(store: Store, set_id: str) -> dict[str, int]:
    """Return the number of references of a set and of its prompts, by label."""
    found = rows(
        store,
        "select label, sum(reference_count)::bigint as count from reference_sets "
        "where set_id in ($1, $1 || '-prompts') and withdrawn_at is null group by label",
        [set_id],
    )
    return {label: 0 for label in LABELS} | {row["label"]: row["count"] for row in found}


def index_folder(store: Store) -> Path:
    """Return the folder of the store's index segments."""
    return store.root / "index" / "segments"


def copy_references(source: Store, target: Store) -> None:
    """Let ``target`` know the models and reference sets of ``source``; the segments stay where they are."""
    with target.commit("take over reference sets") as commit:
        for table in _COPIED[:2]:
            commit.insert(table, rows(source, f"select * from {table}"))  # noqa: S608 - a name from this module


def read_options(scan: dict[str, Any]) -> dict[str, Any]:
    """Return the reader's options that a scan ran with.

    Raises:
        StoreError: If the catalogue's entry is not what this program writes.
    """
    try:
        options = json.loads(scan["configuration"])
    except (TypeError, ValueError) as error:
        raise StoreError(f"The configuration of scan {scan['name']!r} can't be read") from error
    return dict(options)
