"""Reading all sources of a scan: who does what next, what becomes of it, and what is published when."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from provenance.engine import Crew, Done, Event, Failed, Watch, Yielded, serve
from provenance.errors import StoreError
from provenance.pipeline.assembly import Assembly
from provenance.pipeline.identity import Input
from provenance.pipeline.publisher import Publisher, accepted_before
from provenance.pipeline.worker import Advanced, EndKnown, Scanning, ShardRead, StoreRefused, Task
from provenance.readers import Source
from provenance.readers.marks import START
from provenance.readers.pieces import opened
from provenance.readers.shards import Plan
from provenance.store import Store

Progress = Callable[[int, int, int], None]

SMALLEST_SHARD: Final = 8 << 20
LARGEST_SHARD: Final = 128 << 20
_SHARDS_PER_JOB: Final = 4
"""A part is as large as leaves each worker a few of them, so that all end at about the same time; not so small that
opening it costs, not so large that much is lost when the scan is killed."""

WATCH: Final = Watch()


@dataclass
class _Tracker:
    """How far things are, for people."""

    total: int
    report: Progress | None
    records: int = 0
    done: int = 0
    under_way: dict[int, tuple[int, int]] = field(default_factory=dict)

    def advanced(self, task: int, records: int, bytes_read: int) -> None:
        self.under_way[task] = (records, bytes_read)
        self.tell()

    def ended(self, task: int) -> None:
        self.under_way.pop(task, None)

    def tell(self) -> None:
        if self.report is not None:
            records, read = map(sum, zip((self.records, self.done), *self.under_way.values(), strict=True))
            self.report(min(read, self.total), self.total, records)


class _Desk:
    """Hands out tasks and takes what comes back."""

    def __init__(self, sources: Sequence[Assembly], publisher: Publisher, tracker: _Tracker, jobs: int) -> None:
        self._sources, self._publisher, self._tracker, self._jobs = list(sources), publisher, tracker, jobs
        self._of: dict[int, Assembly] = {}
        self._given = 0

    def feed(self) -> Task | None:
        """The next task. Sources are taken in order; the next is begun where those before leave a worker idle."""
        for place, source in enumerate(self._sources):
            task = source.next_task(self._given, 2 * self._jobs + 2)
            if task is not None:
                self._of[self._given] = source
                self._given += 1
                return task
            if place >= 2 * self._jobs:
                break
        return None

    def take(self, event: Event) -> None:
        """Take what a worker said."""
        source = self._of[event.task]
        if isinstance(event, Done):
            self._tracker.ended(event.task)
        elif isinstance(event, Failed):
            self._tracker.ended(event.task)
            source.failed(event.task, event)
        elif isinstance(event, Yielded):
            self._take_value(event.task, source, event.value)
        if source.ended and source in self._sources:
            self._sources.remove(source)
            self._publisher.end(source)
        self._publisher.publish_if_due()

    def _take_value(self, task: int, source: Assembly, value: Any) -> None:
        if isinstance(value, Plan):
            source.planned(value)
        elif isinstance(value, EndKnown):
            source.foreseen(task, value)
        elif isinstance(value, Advanced):
            self._tracker.advanced(task, value.records, value.bytes_read)
        elif isinstance(value, ShardRead):
            self._tracker.ended(task)
            for part in source.finished(task, value):
                self._publisher.accept(source.item, part)
                self._tracker.records += part.read.counts.records
                reached = source.item.source.bytes if part.end is None else part.end.offset
                self._tracker.done += max(0, reached - part.begin.offset)
            self._tracker.tell()
        elif isinstance(value, StoreRefused):
            raise StoreError(value.cause, place=value.place, next_step=value.next_step)


def read_sources(
    function: Callable[[Any], Iterator[Any]],
    store: Store,
    scanning: Scanning,
    inputs: Sequence[Input],
    jobs: int,
    report: Progress | None = None,
    shard_bytes: int | None = None,
    watch: Watch | None = None,
    crew: Crew | None = None,
) -> int:
    """Read sources to their ends and publish what was seen. Returns the number of files published.

    Args:
        function: What a worker does: `scan_shard`.
        store: Where to publish.
        scanning: The scan.
        inputs: The sources. Those that an earlier attempt has read a part of are read on from there.
        jobs: Worker processes.
        report: Told how many bytes are done, of how many, and how many records were seen.
        shard_bytes: Size of the parts that sources are cut into. What is seen does not depend on it.
        watch: Bounds beyond which a worker is ended; `WATCH` if left out.
        crew: Workers that run already, from `crew_for`.
    """
    before = accepted_before(store, scanning.scan_id)
    size = shard_bytes or _shard_bytes([item.source for item in inputs], jobs)
    sources = [Assembly(item, scanning, size, *before.get(item.source_id, (START, None))) for item in inputs]
    tracker = _Tracker(sum(item.source.bytes for item in inputs), report)
    for mark, counts in before.values():
        tracker.done, tracker.records = tracker.done + mark.offset, tracker.records + counts.records
    publisher = Publisher(store, scanning.scan_id)
    desk = _Desk(sources, publisher, tracker, jobs)
    processes = _processes([item.source for item in inputs], jobs, size)
    with contextlib.closing(serve(function, desk.feed, processes, watch or WATCH, crew)) as events:
        try:
            for event in events:
                desk.take(event)
        except KeyboardInterrupt:
            publisher.publish()  # what is finished need not be read again
            raise
    publisher.publish()
    return publisher.published


def crew_for(
    function: Callable[[Any], Iterator[Any]],
    prepare: Callable[[], None],
    sources: Sequence[Source],
    jobs: int,
    shard_bytes: int | None = None,
) -> Crew:
    """Start the workers that `read_sources` will have tasks for, so that they load their libraries meanwhile.

    Args:
        function: As for `read_sources`.
        prepare: Loads what a worker needs; called there.
        sources: All sources that there are.
        jobs: As for `read_sources`.
        shard_bytes: Likewise.
    """
    crew = Crew(function, prepare)
    size = shard_bytes or _shard_bytes(sources, jobs)
    at_once = sum(-(-source.bytes // size) for source in sources)
    for _ in range(min(_processes(sources, jobs, size), at_once)):
        crew.start()
    return crew


def _shard_bytes(sources: Sequence[Source], jobs: int) -> int:
    total = sum(source.bytes for source in sources)
    return max(SMALLEST_SHARD, min(LARGEST_SHARD, total // (_SHARDS_PER_JOB * jobs)))


def _processes(sources: Sequence[Source], jobs: int, shard_bytes: int) -> int:
    """How many workers; none where one would do and no native parser has to be guarded against."""
    one = jobs == 1 or (len(sources) == 1 and sources[0].bytes <= shard_bytes)
    return 0 if one and all(_is_plain_json(source) for source in sources) else jobs


def _is_plain_json(source: Source) -> bool:
    try:
        with opened(source.location) as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"", b"{", b"[")
    except OSError:
        return True
