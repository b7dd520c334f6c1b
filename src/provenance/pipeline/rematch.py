"""Rematch: find newly registered texts in what was scanned before, from stored fingerprints.

Fingerprints say which records are worth another look. Where such a record can be read again as it was scanned, the
finding is verified on its text, exactly as a scan would have; where it can't, it stays unverified and a policy
threshold of its own decides what it counts for.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from provenance.engine import Failed, Yielded, run
from provenance.engine.local import default_jobs
from provenance.errors import StoreError
from provenance.pipeline import catalogue
from provenance.pipeline.changes import recorded
from provenance.pipeline.late import SUSPECTS, PartTask, Shelves, SourceTask, search_part, verify_source
from provenance.pipeline.observe import MATCH_COLUMNS
from provenance.pipeline.results import RematchResult
from provenance.readers import ReadOptions
from provenance.store import Store, write_part

if TYPE_CHECKING:
    import duckdb

REREAD_AT_MOST: Final = 100_000
"""Records that a registration reads again at most, those that may share most first; `rematch` has no limit."""

_WORTH_A_PROCESS: Final = 1_000_000
"""Fingerprints that other processes are started for: one takes seconds to load its libraries."""

Progress = Callable[[int, int, int], None]


def rematch(
    *,
    store: str | Path = "provenance-store",
    scan: str | None = None,
    verify: bool = True,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> RematchResult:
    """Match scans against every registered set again, as if they were scanned now.

    Args:
        store: Folder of the store.
        scan: Name or id of one scan; all scans if left out.
        verify: Read records again where fingerprints found something, to verify it.
        jobs: Worker processes; as many as there are processors, for large scans, if left out.
        progress: Called with (fingerprints done, fingerprints in all, candidates so far).
    """
    opened = Store.open(store)
    scans = [catalogue.find_scan(opened, scan)["scan_id"]] if scan else catalogue.scan_ids(opened)
    segments, _ = catalogue.live_segments(opened)
    with opened.session():
        return rematch_segments(
            opened, scans, segments, verify=verify, cause="rematch", thorough=True, jobs=jobs, progress=progress
        )


def rematch_segments(
    store: Store,
    scan_ids: Sequence[str],
    segments: Sequence[str],
    *,
    verify: bool,
    cause: str,
    cause_id: str | None = None,
    thorough: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> RematchResult:
    """Match the stored fingerprints of some scans against the sets of some segments, and publish what is new.

    Records are picked by those segments alone, and verified against the whole index, as a scan asks it, because
    what counts as boilerplate depends on all of it; then only findings of the sets in question are kept.

    Args:
        store: The store.
        scan_ids: The scans to look through.
        segments: The segments to look for.
        verify: Read records again to verify what was found.
        cause: What tags that change are put down to; see `provenance.pipeline.changes.Change`.
        cause_id: Likewise.
        thorough: Read every record that shares a single passage with a reference, however many there are.
        jobs: Worker processes.
        progress: Called with (fingerprints done, fingerprints in all, candidates so far).
    """
    if not scan_ids or not segments:
        return RematchResult(0, 0, 0)
    live, withdrawn = catalogue.live_segments(store)
    root = catalogue.index_folder(store)
    new, every = (Shelves(root, tuple(sorted(chosen)), withdrawn) for chosen in (segments, live))
    sets = catalogue.sets_of(store, segments)
    tables: list[pa.Table] = []
    unreadable: list[str] = []
    candidates = unread = 0
    for scan_id in scan_ids:
        suspects, estimated = _search(store, scan_id, new, thorough, jobs, progress)
        candidates += suspects.num_rows
        if verify and suspects.num_rows:
            chosen = suspects if thorough else _likeliest(suspects, REREAD_AT_MOST - (candidates - suspects.num_rows))
            unread += suspects.num_rows - chosen.num_rows
            tasks = list(_source_tasks(store, scan_id, every, suspects))
            estimated = _verified(tasks, chosen.column("record_id"), estimated, jobs, unreadable)
        tables.append(_new_only(store, scan_id, _of_sets(estimated, sets)))
    found, changes = _publish(store, pa.concat_tables(tables), segments, cause, cause_id)
    verified = pc.sum(found.column("verified").cast(pa.int64())).as_py() or 0
    return RematchResult(
        candidates,
        verified,
        found.num_rows - verified,
        tuple(scan_ids),
        tuple(unreadable),
        unread,
        changes,
    )


def _of_sets(found: pa.Table, sets: Collection[str] | None) -> pa.Table:
    if sets is None:
        return found
    return found.filter(pc.is_in(found.column("set_id"), value_set=pa.array(sorted(sets), pa.string())))


def _likeliest(suspects: pa.Table, most: int) -> pa.Table:
    """Return the suspects that may share the longest runs."""
    if suspects.num_rows <= most:
        return suspects
    return suspects.sort_by([("reach", "descending"), ("record_id", "ascending")]).slice(0, max(most, 0))


def _search(
    store: Store, scan_id: str, new: Shelves, thorough: bool, jobs: int | None, progress: Progress | None
) -> tuple[pa.Table, pa.Table]:
    """Return the records that may share something with a reference, and what their fingerprints alone say of that."""
    parts = catalogue.rows(
        store,
        "select path, rows from parts where kind = 'fingerprints' and group_id = ? and withdrawn_at is null "
        "order by path",
        [scan_id],
    )
    total, done, count = sum(part["rows"] for part in parts), 0, 0
    tasks = [PartTask(store.root / part["path"], scan_id, new, thorough) for part in parts]
    suspects, estimated = [SUSPECTS.empty_table()], [MATCH_COLUMNS.empty_table()]
    with closing(run(search_part, tasks, _jobs(jobs, total))) as events:
        for event in events:
            if isinstance(event, Failed):
                raise StoreError(
                    f"Stored fingerprints can't be searched: {event.error}",
                    place=str(tasks[event.task].path),
                    next_step="Run `provenance verify`",
                )
            if isinstance(event, Yielded):
                suspects.append(event.value.suspects)
                estimated.append(event.value.estimated)
                done, count = done + event.value.rows, count + event.value.suspects.num_rows
                if progress is not None:
                    progress(done, total, count)
    return pa.concat_tables(suspects), pa.concat_tables(estimated)


def _jobs(wanted: int | None, fingerprints: int) -> int:
    if wanted is not None:
        return wanted
    return default_jobs() if fingerprints >= _WORTH_A_PROCESS else 1


def _verified(
    tasks: Sequence[SourceTask],
    chosen: pa.ChunkedArray,
    estimated: pa.Table,
    jobs: int | None,
    unreadable: list[str],
) -> pa.Table:
    """Replace what fingerprints estimated by what the texts say, for every chosen record that reads as it did."""
    kept, verified = [MATCH_COLUMNS.empty_table()], [pa.array([], pa.string())]
    reading = [replace(task, records=_among(task.records, chosen)) for task in tasks]
    reading = [task for task in reading if task.records.num_rows]
    with closing(run(verify_source, reading, _jobs(jobs, 10 * len(chosen)))) as events:
        for event in events:  # a source whose worker fails is one that can't be read
            if isinstance(event, Yielded):
                kept.append(event.value.matches)
                verified.append(event.value.record_ids)
    left = _among(estimated, pa.chunked_array(verified), invert=True)
    for task in tasks:
        of_source = _among(left, task.records.column("record_id"))
        asked = _among(of_source, chosen).column("verified")
        if not pc.all(asked, min_count=0).as_py():
            unreadable.append(str(task.source["uri"]))
        kept.append(of_source)
    return pa.concat_tables(kept)


def _among(rows: pa.Table, record_ids: pa.ChunkedArray, invert: bool = False) -> pa.Table:
    """Return the rows of these records, or of all others."""
    inside = pc.is_in(rows.column("record_id"), value_set=record_ids.combine_chunks())
    return rows.filter(pc.invert(inside) if invert else inside)


def _source_tasks(store: Store, scan_id: str, index: Shelves, suspects: pa.Table) -> Iterator[SourceTask]:
    options = ReadOptions(**catalogue.read_options(catalogue.scan_row(store, scan_id) or {}))
    with store.read() as connection:
        connection.register("suspects", suspects)
        places = connection.sql(
            "select source_id, record_id, position, content_check from observations join suspects using (record_id) "
            "where scan_id = $1 order by source_id, position",
            params=[scan_id],
        ).to_arrow_table()
    by_source: dict[str, list[int]] = defaultdict(list)
    for row, source_id in enumerate(places.column("source_id").to_pylist()):
        by_source[source_id].append(row)
    records = places.select(["record_id", "position", "content_check"])
    # A source that a running scan has not finished is left out: the scan looks again when it ends.
    for source in catalogue.tried_sources(store, scan_id):
        if source["source_id"] in by_source:
            yield SourceTask(source, scan_id, options, records.take(by_source[source["source_id"]]), index)


def _new_only(store: Store, scan_id: str, found: pa.Table) -> pa.Table:
    """Leave out what the store says already: a pair that is verified, or unverified and found so again."""
    if not found.num_rows:
        return found
    with store.read() as connection:
        return _unknown(connection, scan_id, found)


def _unknown(connection: duckdb.DuckDBPyConnection, scan_id: str, found: pa.Table) -> pa.Table:
    connection.register("found", found)
    unknown: pa.Table = connection.sql(
        "select found.* from found where not exists (select 1 from matches as known where known.scan_id = $1 "
        "and known.record_id = found.record_id and known.reference_id = found.reference_id "
        "and known.set_id = found.set_id and (known.verified or not found.verified)) "
        "order by record_id, set_id, reference_id",
        params=[scan_id],
    ).to_arrow_table()
    connection.unregister("found")
    return unknown.cast(MATCH_COLUMNS)


def _publish(
    store: Store, found: pa.Table, segments: Sequence[str], cause: str, cause_id: str | None
) -> tuple[pa.Table, tuple[Any, ...]]:
    """Publish findings; return those that nobody published meanwhile, and whose tags they change."""
    if not found.num_rows:
        return found, ()
    name = hashlib.sha256("\0".join(segments).encode()).hexdigest()[:16]
    with store.commit("rematch") as commit:
        # A scan and a registration that end together both find the same pairs: here, only one of them writes.
        scans = found.column("scan_id").unique().to_pylist()
        new = {
            scan_id: _unknown(commit.connection, scan_id, found.filter(pc.equal(found.column("scan_id"), scan_id)))
            for scan_id in scans
        }
        published = pa.concat_tables(list(new.values()))
        with recorded(commit, cause, cause_id, found=published) as changes:
            for scan_id, table in new.items():
                if table.num_rows:
                    commit.add_part(write_part(store.root, "matches", scan_id, f"rematch-{name}", table))
    return published, tuple(changes)
