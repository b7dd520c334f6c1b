"""What a process does to find newly registered texts late: search a part of fingerprints, verify records of a source.

Neither opens the database, so both run wherever the engine puts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import ProvenanceError
from provenance.index import Index
from provenance.pipeline.observe import fingerprinted_text, with_record_ids
from provenance.pipeline.reread import reread
from provenance.pipeline.suspects import KeyFilter, suspects
from provenance.readers import ReadOptions

_BATCH: Final = 65_536

SUSPECTS: Final = pa.schema(
    [
        pa.field("record_id", pa.string()),
        pa.field("content_check", pa.binary(16)),
        pa.field("reach", pa.int64()),
    ]
)
"""A record that may hold a registered text; ``reach`` is how many tokens it can share with one text at most."""


@dataclass(frozen=True)
class Shelves:
    """Which snapshot of the reference index to open."""

    root: Path
    segments: tuple[str, ...]
    withdrawn: tuple[str, ...]


@dataclass(frozen=True)
class PartTask:
    """A part of stored fingerprints to be searched.

    Attributes:
        path: The file.
        scan_id: The scan that it belongs to.
        new: The segments to look for.
        thorough: Suspect every record that shares one passage, as a scan would look at it.
    """

    path: Path
    scan_id: str
    new: Shelves
    thorough: bool


@dataclass(frozen=True)
class Searched:
    """What a batch of fingerprints gave.

    Attributes:
        rows: Fingerprints looked at.
        suspects: Rows of `SUSPECTS`.
        estimated: What the fingerprints alone say: rows of `schema.MATCHES` without ``recorded_at``.
    """

    rows: int
    suspects: pa.Table
    estimated: pa.Table


@dataclass(frozen=True)
class SourceTask:
    """Records of one source to be read again and matched.

    Attributes:
        source: The row of ``sources``.
        scan_id: The scan that read it.
        options: The reader's options of that scan.
        records: ``record_id``, ``position`` and ``content_check`` of each.
        index: All segments that count.
    """

    source: Mapping[str, Any]
    scan_id: str
    options: ReadOptions
    records: pa.Table
    index: Shelves


@dataclass(frozen=True)
class Verified:
    """Records whose text was read again as it was scanned, and what they share with references."""

    record_ids: pa.Array
    matches: pa.Table


@lru_cache(maxsize=2)
def _opened(shelves: Shelves) -> Index:
    return Index.open(shelves.root, shelves.segments, shelves.withdrawn)


@lru_cache(maxsize=1)
def _filter(shelves: Shelves) -> KeyFilter:
    return KeyFilter.of(_opened(shelves))


def search_part(task: PartTask) -> Iterator[Searched]:
    """Search a part of fingerprints for the texts of some segments."""
    from provenance import fingerprint

    index, keys = _opened(task.new), _filter(task.new)
    with pq.ParquetFile(task.path) as file:
        for batch in file.iter_batches(_BATCH, use_threads=False):
            flagged = keys.rows(batch)
            some = batch.take(pa.array(flagged))
            stored = fingerprint.unpack(some)
            rows, reach = suspects(stored, index)
            chosen = pa.array(rows)
            estimated = index.match_packed(some.take(chosen))
            estimated = with_record_ids(estimated, some.column("record_id").take(chosen), task.scan_id)
            if task.thorough:
                every = index.worth_matching(stored)
                reach = np.zeros(len(every), dtype=np.int64)
                chosen = pa.array(every)
            columns = [some.column(name).take(chosen) for name in SUSPECTS.names[:2]]
            yield Searched(batch.num_rows, pa.table([*columns, pa.array(reach)], schema=SUSPECTS), estimated)


def verify_source(task: SourceTask) -> Iterator[Verified]:
    """Read records again and match those whose text is still what was scanned; none if the source can't be read."""
    index = _opened(task.index)
    positions = task.records.column("position").to_pylist()
    known = dict(
        zip(
            positions,
            zip(
                task.records.column("record_id").to_pylist(),
                task.records.column("content_check").to_pylist(),
                strict=True,
            ),
            strict=True,
        )
    )
    try:
        for batch in reread(task.source, task.options, positions):
            seen = fingerprinted_text(batch.column("raw"))
            names = [known[position] for position in batch.column("position").to_pylist()]
            same = [check == seen.content_checks[row] for row, (_, check) in enumerate(names)]
            ids = pa.array([name for name, _ in names], pa.string())
            found = index.match(seen.fingerprints, seen.content_ids, seen.content_checks)
            kept = found.filter(pa.array(same).take(found.column("row").combine_chunks()))
            yield Verified(ids.filter(pa.array(same)), with_record_ids(kept, ids, task.scan_id))
    except (OSError, ProvenanceError):
        return  # what was read until here stands; the caller knows the rest is not verified
