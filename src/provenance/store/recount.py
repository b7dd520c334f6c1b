"""Recounting a store: sums that must agree, and things that must point to something that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import xxhash

from provenance.store import catalogue, layout

_BATCH = 65_536


def recount(root: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Yield one sentence for each thing that does not add up. Every part and segment must be readable.

    Args:
        root: The store's folder.
        connection: A snapshot of the store.
    """
    for (problem,) in connection.execute(catalogue.sql_text("store/verify.sql")).fetchall():
        yield problem
    yield from _unsealed(connection)
    yield from _without_reference(root, connection)


def _unsealed(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Compare the members of datasets with the digests that they were sealed with."""
    sealed = connection.execute(
        "select distinct dataset_id, digest, records, coalesce(forgotten, 0) from datasets left join ("
        "select dataset_id, sum(rows)::bigint as forgotten from tombstones where kind = 'dataset_records' group by all"
        ") using (dataset_id) where digest is not null order by dataset_id"
    ).fetchall()
    for dataset_id, digest, records, forgotten in sealed:
        members = connection.sql(
            "select record_id from dataset_records where dataset_id = $1 order by record_id", params=[dataset_id]
        ).to_arrow_reader(_BATCH)
        counted, found = xxhash.xxh3_128(), 0
        for batch in members:
            lines = "\n".join(batch.column(0).to_pylist())
            counted.update(("\n" + lines if found else lines).encode())
            found += batch.num_rows
        if found + forgotten != records:
            erased = f" and has forgotten {forgotten}" if forgotten else ""
            yield f"the dataset {dataset_id} was sealed with {records} records; the store holds {found}{erased}"
        elif not forgotten and counted.hexdigest() != digest:  # else the digest speaks of members that are gone
            yield f"the dataset {dataset_id} holds other records than it was sealed with"


def _without_reference(root: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Look for matches whose reference is in no segment. Sets that were withdrawn may have left the index."""
    segments = connection.execute(
        "select distinct segment_id from segments where withdrawn_at is null order by 1"
    ).fetchall()
    connection.execute(
        "create or replace temp table unseen as select distinct set_id, reference_id from matches "
        "where set_id in (select set_id from reference_sets where withdrawn_at is null)"
    )
    for (segment_id,) in segments:
        for table in _references(root / layout.SEGMENTS, segment_id):
            connection.register("seen", table)
            connection.execute(
                "delete from unseen where (set_id, reference_id) in (select (set_id, reference_id) from seen)"
            )
            connection.unregister("seen")
    for set_id, count, one in connection.execute(
        "select set_id, count(*), min(reference_id) from unseen group by set_id order by set_id"
    ).fetchall():
        yield f"matches name {count} references of the set {set_id} that the index does not hold, such as {one!r}"
    connection.execute("drop table unseen")


def _references(folder: Path, segment_id: str) -> Iterator[pa.Table]:
    """Yield set and id of the references of a segment."""
    from provenance.index.build import parameters
    from provenance.index.segment import open_segment

    segment = open_segment(folder, segment_id, parameters())
    sets = pa.array([entry.set_id for entry in segment.sets], pa.string())
    for start in range(0, segment.references, _BATCH):
        end = min(start + _BATCH, segment.references)
        ids = [segment.reference_id(reference) for reference in range(start, end)]
        of_set = sets.take(pa.array(segment["reference_sets"][start:end]))
        yield pa.table({"set_id": of_set, "reference_id": pa.array(ids, pa.string())})
