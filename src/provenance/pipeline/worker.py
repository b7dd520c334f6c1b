"""What a worker does with one source: read, observe, write Parquet parts. It never opens the database."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa

from provenance import schema
from provenance.classifier import StyleModel
from provenance.errors import SourceError
from provenance.index import Index
from provenance.pipeline.observe import Detectors, Identity, observe
from provenance.readers import ReadOptions, Source, Tally, open_records
from provenance.store import PartFile, write_part

_PART_ROWS: Final = 65_536
_PART_SECONDS: Final = 20.0
"""A part is closed at so many rows, or after so long, so that a slow scan can be watched."""


@dataclass(frozen=True)
class SourceTask:
    """One source to be scanned, and everything a worker in another process needs to know."""

    source: Source
    scan_id: str
    source_id: str
    attempt: str
    store_root: Path
    index_root: Path
    segments: tuple[str, ...]
    withdrawn: tuple[str, ...]
    options: ReadOptions
    style_model: Path | None = None


@dataclass(frozen=True)
class PartsWritten:
    """Parts that hold whole batches of one source, and how far the source has been read."""

    parts: tuple[PartFile, ...]
    records: int
    bytes_read: int


@dataclass(frozen=True)
class SourceRead:
    """A source has been read to its end, or can't be read (``error``)."""

    parts: tuple[PartFile, ...]
    records: int
    rejects: int
    skipped: dict[str, int]
    read: int
    format: str
    error: str | None = None


@dataclass
class _Pending:
    """Tables waiting to be written as one part each."""

    observations: list[pa.Table] = field(default_factory=list)
    matches: list[pa.Table] = field(default_factory=list)
    fingerprints: list[pa.Table] = field(default_factory=list)
    rows: int = 0


@lru_cache(maxsize=2)
def detectors(
    index_root: Path, segments: tuple[str, ...], withdrawn: tuple[str, ...], style_model: Path | None = None
) -> Detectors:
    """Load the style model and open the index snapshot; once in each process, and let go of older snapshots."""
    index = Index.open(index_root, segments, withdrawn) if segments else None
    return Detectors(StyleModel.load(style_model), index)


def scan_source(task: SourceTask) -> Iterator[PartsWritten | SourceRead]:
    """Scan one source and yield what has been written, part by part.

    A source that can't be read at all gives one `SourceRead` with ``error``; a record that can't gives a
    row of rejects.
    """
    tally = Tally()
    looking = detectors(task.index_root, task.segments, task.withdrawn, task.style_model)
    identity = Identity(task.scan_id, task.source_id, task.source.uri)
    numbers = itertools.count()
    pending = _Pending()
    opened = time.monotonic()
    records = 0
    error: str | None = None
    try:
        for batch in open_records(task.source, task.options, tally):
            seen = observe(batch, identity, looking)
            pending.observations.append(seen.observations)
            pending.matches.append(seen.matches)
            pending.fingerprints.append(seen.fingerprints)
            pending.rows += batch.num_rows
            records += batch.num_rows
            if pending.rows >= _PART_ROWS or time.monotonic() - opened >= _PART_SECONDS:
                yield PartsWritten(_flush(task, pending, next(numbers)), records, tally.bytes_read)
                pending, opened = _Pending(), time.monotonic()
    except SourceError as failure:
        error = str(failure)
    parts = _flush(task, pending, next(numbers)) if pending.rows else ()
    yield SourceRead(
        parts + _write_rejects(task, tally),
        records,
        len(tally.rejects),
        dict(tally.skipped),
        tally.read,
        tally.format,
        error,
    )


def _flush(task: SourceTask, pending: _Pending, number: int) -> tuple[PartFile, ...]:
    matches = pa.concat_tables(pending.matches)
    # When a match was found is set by the clock of the commit's machine; everything else is a function of the input.
    now = pa.scalar(time.time_ns() // 1000, pa.int64()).cast(schema.TIMESTAMP)
    dated = matches.append_column(schema.MATCHES.field("recorded_at"), pa.repeat(now, matches.num_rows))
    tables = {
        "observations": pa.concat_tables(pending.observations),
        "matches": dated.cast(schema.MATCHES),
        "fingerprints": pa.concat_tables(pending.fingerprints),
    }
    return tuple(_write(task, kind, table, number) for kind, table in tables.items() if table.num_rows)


def _write_rejects(task: SourceTask, tally: Tally) -> tuple[PartFile, ...]:
    if not tally.rejects:
        return ()
    table = pa.table(
        {
            "scan_id": [task.scan_id] * len(tally.rejects),
            "source_id": [task.source_id] * len(tally.rejects),
            "position": [reject.position for reject in tally.rejects],
            "reason": [reject.reason for reject in tally.rejects],
            "detail": [reject.detail for reject in tally.rejects],
        },
        schema=schema.REJECTS,
    )
    return (_write(task, "rejects", table, 0),)


def _write(task: SourceTask, kind: str, table: pa.Table, number: int) -> PartFile:
    name = f"{task.source_id}-{task.attempt}-{number:06d}"
    return write_part(task.store_root, kind, task.scan_id, name, table, source_id=task.source_id)
