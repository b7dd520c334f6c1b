"""What a worker does with a shard of a source: read, observe, write Parquet parts. It never opens the database."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

from provenance import schema
from provenance.engine import Phase, beat
from provenance.errors import SourceError, StoreError, UsageError
from provenance.lean import leave_out_unused
from provenance.pipeline.identity import Stamp, stamp_of
from provenance.readers import ReadOptions, Source, Tally
from provenance.readers.marks import START, Mark, Misled, Span
from provenance.readers.shards import Plan, foresee, open_shard, plan
from provenance.store import PartFile, write_part

if TYPE_CHECKING:
    from provenance.classifier import StyleModel
    from provenance.pipeline.observe import Detectors, Identity, Observed

_PART_ROWS: Final = 65_536
_TELL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Scanning:
    """What all tasks of a scan have in common, and everything a worker in another process needs to know of it."""

    scan_id: str
    attempt: str
    store_root: Path
    index_root: Path
    segments: tuple[str, ...]
    withdrawn: tuple[str, ...]
    options: ReadOptions
    style_model: Path | None = None


@dataclass(frozen=True)
class PlanTask:
    """Cut a source from a mark on."""

    source: Source
    begin: Mark
    shard_bytes: int


@dataclass(frozen=True)
class ShardTask:
    """One part of a source to be scanned.

    Attributes:
        scanning: What it has in common with all others.
        source: The source.
        source_id: Its id.
        number: Number that sets the parts written here apart from those of other tasks.
        span: The part.
        stamp: What the source looked like when its digest was taken.
        chained: Say where the part ends as soon as that is known.
        given_up: Units that are not to be parsed, with reason and detail of their rejects.
        careful: Batches to be observed row by row, by the position of their first row.
    """

    scanning: Scanning
    source: Source
    source_id: str
    number: int
    span: Span
    stamp: Stamp | None = None
    chained: bool = False
    given_up: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    careful: frozenset[int] = frozenset()


Task: TypeAlias = PlanTask | ShardTask


@dataclass(frozen=True)
class EndKnown:
    """Where the next part begins."""

    end: Mark | None


@dataclass(frozen=True)
class Advanced:
    """How far a part has been read."""

    records: int
    bytes_read: int


@dataclass(frozen=True)
class ShardRead:
    """A part has been read to its end, or as far as the source can be read (``error``).

    Attributes:
        parts: Parts written.
        counts: What it held.
        begin: Where it began; None if no place to begin at was found.
        end: Where it ended; None: with the source.
        error: Why reading broke off.
        misled: It was begun at a guess that can't be upheld. Nothing else counts.
    """

    parts: tuple[PartFile, ...]
    counts: Counts
    begin: Mark | None = START
    end: Mark | None = None
    error: str | None = None
    misled: bool = False


@dataclass(frozen=True)
class Counts:
    """What was read: ``records + rejects + skipped = read``."""

    records: int = 0
    rejects: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    read: int = 0
    format: str = ""

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        kinds = dict(self.skipped)
        for kind, count in other.skipped.items():
            kinds[kind] = kinds.get(kind, 0) + count
        return Counts(
            self.records + other.records,
            self.rejects + other.rejects,
            kinds,
            self.read + other.read,
            self.format or other.format,
        )


@dataclass(frozen=True)
class StoreRefused:
    """The store can't be used, or does not take what was seen: no fault of a source, and the end of the scan.

    Attributes:
        cause: As of a `StoreError`.
        place: Likewise.
        next_step: Likewise.
    """

    cause: str
    place: str
    next_step: str


Result: TypeAlias = Plan | EndKnown | Advanced | ShardRead | StoreRefused


@lru_cache(maxsize=2)
def detectors(
    index_root: Path, segments: tuple[str, ...], withdrawn: tuple[str, ...], style_model: Path | None = None
) -> Detectors:
    """Load the style model and open the index snapshot; once in each process, and let go of older snapshots."""
    from provenance.index import Index
    from provenance.pipeline.observe import Detectors

    index = Index.open(index_root, segments, withdrawn) if segments else None
    return Detectors(_style(style_model), index)


@lru_cache(maxsize=2)
def _style(path: Path | None) -> StyleModel:
    from provenance.classifier import StyleModel

    return StyleModel.load(path)


def scan_shard(task: Task) -> Iterator[Result]:
    """Do one task, and yield what came of it, part by part.

    A source that can't be read at all gives one `ShardRead` with ``error``; a record that can't gives a
    row of rejects.
    """
    if isinstance(task, PlanTask):
        yield plan(task.source, task.shard_bytes, task.begin)
        return
    try:
        yield from _read_shard(task)
    except StoreError as failure:  # an exception that is left to the engine is taken for a fault of the record in hand
        yield StoreRefused(failure.cause, failure.place, failure.next_step)


def _read_shard(task: ShardTask) -> Iterator[Result]:
    from provenance.pipeline.observe import Identity

    scanning, span = task.scanning, task.span
    tally = Tally(watch=_watch, given_up=task.given_up)
    if task.chained:
        foresee(task.source, span)
        yield EndKnown(span.end)
    looking = detectors(scanning.index_root, scanning.segments, scanning.withdrawn, scanning.style_model)
    identity = Identity(scanning.scan_id, task.source_id, task.source.uri)
    writer = _Writer(task)
    records, told, error = 0, time.monotonic(), None
    try:
        for batch in open_shard(task.source, span, scanning.options, tally):
            for seen in _observed(batch, identity, looking, task.careful):
                writer.add(seen)
            records += batch.num_rows
            if time.monotonic() - told >= _TELL_SECONDS:
                told = time.monotonic()
                yield Advanced(records, max(0, tally.bytes_read - span.first.offset))
        beat(phase=Phase.BETWEEN)
        _refuse_if_changed(task)
    except (SourceError, UsageError) as failure:
        error = str(failure)
    except Misled:
        writer.discard()
        yield ShardRead((), Counts(), misled=True)
        return
    skipped = dict(tally.skipped)
    counts = Counts(records, len(tally.rejects), skipped, tally.read, tally.format)
    yield ShardRead(writer.close(tally), counts, span.begin, span.end, error)


def prepare(style_model: Path | None = None) -> None:
    """Load what any batch needs, in a worker process that has nothing to do yet."""
    leave_out_unused()
    from provenance.pipeline.observe import Detectors, Identity, observe

    rows = {"position": [0, 1], "raw": ["It rained.", "\u96e8"], "declarations": [[], []], "recovered": [False, False]}
    columns = [pa.array(rows.get(field.name, [None, None]), field.type) for field in schema.RAW]
    batch = pa.record_batch(columns, schema=schema.RAW)
    observe(batch, Identity("", "", ""), Detectors(_style(style_model)))


def _watch(unit: int | None) -> None:
    if unit is None:
        beat(phase=Phase.BETWEEN)
    else:
        beat(unit)


def _observed(
    batch: pa.RecordBatch, identity: Identity, looking: Detectors, careful: frozenset[int]
) -> Iterator[Observed]:
    """Observe a batch; one of which a row hung or crashed a worker before, row by row, to find which one it is."""
    from provenance.pipeline.observe import observe

    positions = batch.column("position")
    if not batch.num_rows or positions[0].as_py() not in careful:
        beat(positions[0].as_py() if batch.num_rows else 0, Phase.BATCH)
        yield observe(batch, identity, looking)
    else:
        beat(phase=Phase.BETWEEN)
        observe(batch.slice(0, 0), identity, looking)  # so that what is loaded at first use is no row's fault
        for row in range(batch.num_rows):
            beat(positions[row].as_py())
            yield observe(batch.slice(row, 1), identity, looking)
    beat(phase=Phase.BETWEEN)


def _refuse_if_changed(task: ShardTask) -> None:
    if task.stamp is not None and not task.stamp.same_content(stamp_of(task.source.location)):
        raise SourceError(
            "The source changed while it was scanned", place=task.source.uri, next_step="Scan it again when it is whole"
        )


class _Writer:
    """Gathers what was observed and writes it as parts of a bounded number of rows."""

    def __init__(self, task: ShardTask) -> None:
        self._task = task
        self._numbers = itertools.count()
        self._parts: list[PartFile] = []
        self._pending: list[Observed] = []

    def add(self, seen: Observed) -> None:
        """Take what was observed in some rows."""
        self._pending.append(seen)
        if sum(waiting.observations.num_rows for waiting in self._pending) >= _PART_ROWS:
            self._flush()

    def close(self, tally: Tally) -> tuple[PartFile, ...]:
        """Write the rest and the rejects, and return all parts."""
        self._flush()
        if tally.rejects:
            rows = {
                "scan_id": [self._task.scanning.scan_id] * len(tally.rejects),
                "source_id": [self._task.source_id] * len(tally.rejects),
                "position": [reject.position for reject in tally.rejects],
                "reason": [reject.reason for reject in tally.rejects],
                "detail": [reject.detail for reject in tally.rejects],
            }
            self._write("rejects", pa.table(rows, schema=schema.REJECTS), 0)
        return tuple(self._parts)

    def discard(self) -> None:
        """Remove what was written."""
        discard(self._task.scanning.store_root, self._parts)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        number = next(self._numbers)
        matches = pa.concat_tables([seen.matches for seen in pending])
        # When a match was found is set by the clock of the commit's machine; everything else is a function of the
        # input.
        now = pa.scalar(time.time_ns() // 1000, pa.int64()).cast(schema.TIMESTAMP)
        dated = matches.append_column(schema.MATCHES.field("recorded_at"), pa.repeat(now, matches.num_rows))
        self._write("observations", pa.concat_tables([seen.observations for seen in pending]), number)
        self._write("matches", dated.cast(schema.MATCHES), number)
        self._write("fingerprints", pa.concat_tables([seen.fingerprints for seen in pending]), number)

    def _write(self, kind: str, table: pa.Table, number: int) -> None:
        if not table.num_rows:
            return
        task, scanning = self._task, self._task.scanning
        name = f"{task.source_id}-{scanning.attempt}-{task.number:06d}-{number:04d}"
        self._parts.append(
            write_part(scanning.store_root, kind, scanning.scan_id, name, table, source_id=task.source_id)
        )


def discard(store_root: Path, parts: Iterator[PartFile] | list[PartFile] | tuple[PartFile, ...]) -> None:
    """Remove parts that were never published."""
    for part in parts:
        (store_root / part.path).unlink(missing_ok=True)
