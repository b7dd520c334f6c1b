"""Rematch: find newly registered texts in what was scanned before, from stored fingerprints.

Fingerprints say which records are worth another look. Where a record's source can still be read as it was,
the finding is verified on the text itself, exactly as a scan would have; where it can't, it stays
unverified and a policy threshold of its own decides what it counts for.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from provenance.errors import ProvenanceError
from provenance.index import Index
from provenance.pipeline import catalogue
from provenance.pipeline.observe import MATCH_COLUMNS, fingerprinted, record_ids, with_record_ids
from provenance.pipeline.results import RematchResult
from provenance.readers import ReadOptions, Source, Tally, open_records
from provenance.store import Store, write_part

if TYPE_CHECKING:
    import duckdb

_BATCH: Final = 16_384
_DIGEST_BLOCK: Final = 1 << 20

Progress = Callable[[int, int, int], None]


def rematch(
    *,
    store: str | Path = "provenance-store",
    scan: str | None = None,
    verify: bool = True,
    progress: Progress | None = None,
) -> RematchResult:
    """Match scans against every registered set again.

    Args:
        store: Folder of the store.
        scan: Name or id of one scan; all scans if left out.
        verify: Read sources again where fingerprints found something, to verify it.
        progress: Called with (fingerprints done, fingerprints in all, candidates so far).
    """
    opened = Store.open(store)
    scans = [catalogue.find_scan(opened, scan)["scan_id"]] if scan else catalogue.scan_ids(opened)
    segments, _ = catalogue.live_segments(opened)
    with opened.session():
        return rematch_segments(opened, scans, segments, verify=verify, progress=progress)


def rematch_segments(
    store: Store,
    scan_ids: Sequence[str],
    segments: Sequence[str],
    *,
    verify: bool,
    progress: Progress | None = None,
) -> RematchResult:
    """Match the stored fingerprints of some scans against the sets of some segments, and publish what is new.

    Records are picked by those segments alone, and verified against the whole index, as a scan asks it, because
    what counts as boilerplate depends on all of it; then only findings of the sets in question are kept.
    """
    if not scan_ids or not segments:
        return RematchResult(0, 0, 0)
    live, withdrawn = catalogue.live_segments(store)
    fresh = Index.open(catalogue.index_folder(store), segments, withdrawn)
    index = fresh if set(segments) == set(live) else Index.open(catalogue.index_folder(store), live, withdrawn)
    sets = catalogue.sets_of(store, segments)
    tables: list[pa.Table] = []
    unreadable: list[str] = []
    candidates = 0
    for scan_id in scan_ids:
        wanted, estimated = _candidates(store, scan_id, fresh, progress)
        candidates += len(wanted)
        if verify and len(wanted):
            estimated = _verified(store, scan_id, index, wanted, estimated, unreadable)
        estimated = _of_sets(estimated, sets)
        tables.append(_new_only(store, scan_id, estimated))
    found = _publish(store, pa.concat_tables(tables), segments)
    verified = pc.sum(found.column("verified").cast(pa.int64())).as_py() or 0
    return RematchResult(candidates, verified, found.num_rows - verified, tuple(scan_ids), tuple(unreadable))


def _of_sets(found: pa.Table, sets: Collection[str] | None) -> pa.Table:
    if sets is None:
        return found
    return found.filter(pc.is_in(found.column("set_id"), value_set=pa.array(sorted(sets), pa.string())))


def _candidates(
    store: Store, scan_id: str, index: Index, progress: Progress | None
) -> tuple[pa.ChunkedArray, pa.Table]:
    """Return the records that may share something with a reference, and what their fingerprints alone say of that."""
    parts = catalogue.rows(
        store,
        "select path, rows from parts where kind = 'fingerprints' and group_id = ? and withdrawn_at is null "
        "order by path",
        [scan_id],
    )
    total, done = sum(part["rows"] for part in parts), 0
    tables = [MATCH_COLUMNS.empty_table()]
    wanted: list[pa.Array] = []
    count = 0
    for part in parts:
        with pq.ParquetFile(store.root / part["path"]) as file:
            for batch in file.iter_batches(_BATCH):
                wanted.append(batch.column("record_id").take(pa.array(index.worth_matching(batch))))
                tables.append(with_record_ids(index.match_packed(batch), batch.column("record_id"), scan_id))
                done, count = done + batch.num_rows, count + len(wanted[-1])
                if progress is not None:
                    progress(done, total, count)
    return pa.chunked_array(wanted, pa.string()), pa.concat_tables(tables)


def _verified(
    store: Store, scan_id: str, index: Index, wanted: pa.ChunkedArray, estimated: pa.Table, unreadable: list[str]
) -> pa.Table:
    """Replace what fingerprints estimated by what the texts say, for every source that reads as it did."""
    options = ReadOptions(**catalogue.read_options(catalogue.scan_row(store, scan_id) or {}))
    kept = [MATCH_COLUMNS.empty_table()]
    for source, positions in _sources_of(store, scan_id, wanted):
        records = pa.array(list(positions), pa.string())
        of_source = estimated.filter(pc.is_in(estimated.column("record_id"), value_set=records))
        if not is_unchanged(source):
            if of_source.num_rows:
                unreadable.append(source["uri"])
            kept.append(of_source)
            continue
        try:
            # All of it or none: half a source verified and half estimated would name some pairs twice.
            kept.extend(list(_match_again(source, options, set(positions.values()), index, scan_id)))
        except (OSError, ProvenanceError):
            unreadable.append(source["uri"])
            kept.append(of_source)
    return pa.concat_tables(kept)


def _match_again(
    source: Mapping[str, Any], options: ReadOptions, positions: Collection[int], index: Index, scan_id: str
) -> Iterator[pa.Table]:
    for batch in reread(source, options, positions):
        seen = fingerprinted(batch)
        found = index.match(seen.fingerprints, seen.content_ids, seen.content_checks)
        yield with_record_ids(found, pa.array(record_ids(batch, source["uri"])), scan_id)


def reread(source: Mapping[str, Any], options: ReadOptions, positions: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Yield the records of a source (a row of ``sources``) at these positions, as `schema.RAW` batches."""
    wanted = np.sort(np.fromiter(positions, np.int64))
    for batch in open_records(Source(source["location"], source["uri"], source["bytes"]), options, Tally()):
        here = np.isin(batch.column("position").to_numpy(), wanted, assume_unique=False)
        if here.any():
            yield batch.filter(pa.array(here))


def is_unchanged(source: Mapping[str, Any]) -> bool:
    """Tell whether a source (a row of ``sources``) can be read and has the bytes that were scanned."""
    try:
        return file_digest(Path(source["location"])) == str(source["digest"])
    except OSError:
        return False


def file_digest(path: Path) -> str:
    """Return the XXH3-128 of a file's bytes, 32 hex digits."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _sources_of(store: Store, scan_id: str, wanted: pa.ChunkedArray) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Return the sources that hold these records, each with the position of every such record."""
    with store.read() as connection:
        connection.register("wanted", pa.table({"record_id": wanted}))
        places = connection.execute(
            "select source_id, record_id, position from observations join wanted using (record_id) where scan_id = ?",
            [scan_id],
        ).fetchall()
    by_source: dict[str, dict[str, int]] = defaultdict(dict)
    for source_id, record_id, position in places:
        by_source[source_id][record_id] = position
    # A source that a running scan has not finished is left out: the scan looks again when it ends.
    return [
        (row, by_source[row["source_id"]])
        for row in catalogue.tried_sources(store, scan_id)
        if row["source_id"] in by_source
    ]


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


def _publish(store: Store, found: pa.Table, segments: Sequence[str]) -> pa.Table:
    """Publish findings and return those that nobody published meanwhile."""
    if not found.num_rows:
        return found
    name = hashlib.sha256("\0".join(segments).encode()).hexdigest()[:16]
    published = [found.slice(0, 0)]
    with store.commit("rematch") as commit:
        for scan_id in found.column("scan_id").unique().to_pylist():
            of_scan = found.filter(pc.equal(found.column("scan_id"), scan_id))
            # A scan and a registration that end together both find the same pairs: here, only one of them writes.
            new = _unknown(commit.connection, scan_id, of_scan)
            if new.num_rows:
                commit.add_part(write_part(store.root, "matches", scan_id, f"rematch-{name}", new))
                published.append(new)
    return pa.concat_tables(published)
