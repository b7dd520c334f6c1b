"""One source put together from its parts, so that they give what the whole would have given.

Parts are read in any order and accepted in the order of the source. One that was begun at a guess is accepted if the
part before it ended there; else it is read again from where that one ended. A part whose worker died is read again
without the record that did it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from provenance.engine import Failed, Phase
from provenance.pipeline.identity import Input
from provenance.pipeline.worker import Counts, EndKnown, PlanTask, Scanning, ShardRead, ShardTask, Task, discard
from provenance.readers.marks import START, Mark, Span
from provenance.readers.shards import Plan

_log: Final = logging.getLogger(__name__)

MAX_SETBACKS: Final = 64
"""A source of which one part brings workers down so often is given up."""

_CERTAIN: Final = frozenset({"error", "timeout", "memory"})
"""Causes that are the unit's own. A crash can also be the machine's: it takes two to believe it."""


@dataclass
class _Part:
    """A part that is waited for.

    Attributes:
        span: What is to be read.
        task: Number of the task that reads it now.
        result: What came of it.
        given_up: Units not to be parsed any more.
        careful: Batches to be looked at row by row.
        crashes: How often each unit brought a worker down.
        setbacks: How often it had to be read again for that.
    """

    span: Span
    task: int | None = None
    result: ShardRead | None = None
    given_up: dict[int, tuple[str, str]] = field(default_factory=dict)
    careful: set[int] = field(default_factory=set)
    crashes: Counter[tuple[Phase, int]] = field(default_factory=Counter)
    setbacks: int = 0


@dataclass(frozen=True)
class Accepted:
    """A part that counts: where it began and ended, and what it held. ``end`` is None at the source's end."""

    begin: Mark
    end: Mark | None
    read: ShardRead


class Assembly:
    """A source that is being read.

    Attributes:
        item: The source.
        counts: What has been accepted of it so far.
        error: Why it can't be read on.
        ended: Nothing more is to come.

    Args:
        item: The source.
        scanning: The scan.
        shard_bytes: Size of a part; a source that is not larger is one part.
        begin: Where to go on, if a part of it was accepted by an earlier attempt.
        counts: What that part held.
    """

    def __init__(
        self, item: Input, scanning: Scanning, shard_bytes: int, begin: Mark = START, counts: Counts | None = None
    ) -> None:
        self.item, self.counts = item, counts or Counts()
        self.error: str | None = None
        self.ended = False
        self._scanning, self._shard_bytes = scanning, shard_bytes
        self._mark = begin
        self._parts: list[_Part] | None = None
        self._chained = False
        self._planning: int | None = None
        if begin == START and item.source.bytes <= shard_bytes:
            self._parts = [_Part(Span())]

    def next_task(self, number: int, ahead: int) -> Task | None:
        """Return what should be done next, if anything can be done now.

        Args:
            number: Number that the task gets.
            ahead: Parts that may be read or wait in front of the first one that is not accepted.
        """
        if self._parts is None:
            if self._planning is not None:
                return None
            self._planning = number
            return PlanTask(self.item.source, self._mark, self._shard_bytes)
        for part in self._parts[:ahead]:
            if part.task is None and part.result is None and (part.span.begin is not None or not self._chained):
                part.task = number
                return self._task(part, number)
        return None

    def _task(self, part: _Part, number: int) -> ShardTask:
        return ShardTask(
            scanning=self._scanning,
            source=self.item.source,
            source_id=self.item.source_id,
            number=number,
            span=replace(part.span),
            stamp=self.item.stamp,
            chained=self._chained,
            given_up=dict(part.given_up),
            careful=frozenset(part.careful),
        )

    def planned(self, plan: Plan) -> None:
        """Take note of how the source is cut."""
        self._parts, self._chained = [_Part(span) for span in plan.spans], plan.chained

    def foreseen(self, number: int, known: EndKnown) -> None:
        """Take note of where the part behind that of this task begins."""
        parts = self._parts or []
        place = next((place for place, part in enumerate(parts) if part.task == number), None)
        if place is None:
            return
        while len(parts) > place + 1:
            behind = parts[place + 1]
            if known.end is not None and not _reached(known.end, behind.span):
                behind.span.begin = known.end
                return
            self._drop(behind)

    def finished(self, number: int, read: ShardRead) -> Iterator[Accepted]:
        """Take note of a part, and yield the parts that count because of it."""
        part = self._part_of(number)
        if part is None:
            self._withdraw(read)
            return
        part.task, part.result = None, read
        yield from self._accept()

    def _accept(self) -> Iterator[Accepted]:
        while self._parts and not self.ended:
            part = self._parts[0]
            if _reached(self._mark, part.span):
                self._drop(part)
                continue
            if part.result is None:
                return
            read, part.result = part.result, None
            if read.misled or not self._mark.meets(read.begin):
                self._withdraw(read)
                part.span = Span(self._mark, stop=part.span.stop)
                return
            self._parts.pop(0)
            yield self._count(read)
        self._end()

    def _count(self, read: ShardRead) -> Accepted:
        begin, end = self._mark, read.end
        self.counts += read.counts
        self.error = read.error
        if end is not None and read.begin is not None:
            end = end._replace(stream=begin.stream + end.stream - read.begin.stream)
            self._mark = end
        if end is None or read.error is not None:
            self._end()
        return Accepted(begin, end, read)

    def failed(self, number: int, event: Failed) -> None:
        """Take note that a worker did not come through a part: it is read again, or the source given up."""
        if number == self._planning:
            self._parts = [_Part(Span(self._mark))]
            return
        part = self._part_of(number)
        if part is None:
            return
        part.task = None
        part.setbacks += 1
        counters = {
            "uri": self.item.source.uri,
            "cause": event.cause,
            "phase": event.at.phase.name,
            "position": event.at.place,
        }
        _log.info("worker failed", extra={"counters": counters})
        self.discard_leftovers(number)
        if part.setbacks > MAX_SETBACKS or not self._learn(part, event):
            self.error = event.error
            self._end()

    def _learn(self, part: _Part, event: Failed) -> bool:
        """Change how a part is read so that it comes further. Returns whether there is hope."""
        phase, place = event.at.phase, event.at.place
        part.crashes[phase, place] += 1
        again = event.cause == "crash" and part.crashes[phase, place] < 2
        if phase is Phase.UNIT:
            if not again:
                part.given_up[place] = (event.cause, event.error)
            return True
        if phase is Phase.BATCH and place not in part.careful:
            part.careful.add(place)
            return True
        return again

    def discard_leftovers(self, number: int) -> None:
        """Remove what a worker that died had written for a task."""
        scan_id, attempt = self._scanning.scan_id, self._scanning.attempt
        for path in self._scanning.store_root.glob(f"parts/*/{scan_id}/{self.item.source_id}-{attempt}-{number:06d}-*"):
            path.unlink(missing_ok=True)

    def _part_of(self, number: int) -> _Part | None:
        return next((part for part in self._parts or [] if part.task == number), None)

    def _drop(self, part: _Part) -> None:
        if part.result is not None:
            self._withdraw(part.result)
        if self._parts is not None:
            self._parts.remove(part)

    def _end(self) -> None:
        self.ended = True
        for part in list(self._parts or []):
            self._drop(part)

    def _withdraw(self, read: ShardRead) -> None:
        discard(self._scanning.store_root, read.parts)


def _reached(mark: Mark, span: Span) -> bool:
    """Whether nothing of a span is left behind a mark."""
    return span.stop is not None and mark.offset >= span.stop
