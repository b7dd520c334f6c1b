"""Run a generator function over tasks, in this process or in a few others, and stream what it yields.

Workers are spawned, not forked: Arrow, DuckDB and numba hold threads and locks that do not survive a
fork. A worker that dies (a crash in a native parser, the out-of-memory killer), stands still or takes too much
memory fails only the task it held; another is started in its place. What it was at is known from its pulse.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Final, Literal, TypeAlias

from provenance.engine import pulse
from provenance.engine.process import WorkerProcess
from provenance.engine.pulse import NO_BEAT, Beat, Phase
from provenance.engine.vitals import Vitals
from provenance.errors import ProvenanceError

_LOOK_SECONDS: Final = 0.25
_WALL_FACTOR: Final = 6.0
"""A worker that uses no CPU at all is taken to stand still after so many times its allowance: a loaded machine is
slow, and a slow disk is no fault of the record."""

Cause: TypeAlias = Literal["error", "crash", "timeout", "memory"]
Function: TypeAlias = Callable[[Any], Iterator[Any]]


@dataclass(frozen=True)
class Yielded:
    """A value that the function yielded for task number ``task``."""

    task: int
    value: Any


@dataclass(frozen=True)
class Done:
    """Task number ``task`` ended normally."""

    task: int


@dataclass(frozen=True)
class Failed:
    """Task number ``task`` raised, or its worker died or was killed.

    Attributes:
        task: Its number.
        error: What happened, for people.
        trace: The traceback, for a debug log.
        cause: ``error`` (it raised), ``crash`` (its process died), ``timeout`` or ``memory`` (it was killed).
        at: Its last beat; what it was at.
    """

    task: int
    error: str
    trace: str = ""
    cause: Cause = "error"
    at: Beat = NO_BEAT


@dataclass(frozen=True)
class Watch:
    """What a worker may use before it is killed.

    Attributes:
        unit_seconds: CPU time for one unit (`Phase.UNIT`), or six times as long by the clock.
        other_seconds: Likewise for everything else between two beats.
        memory: Bytes of its own, mapped files aside.
    """

    unit_seconds: float = 10.0
    other_seconds: float = 120.0
    memory: int = 3 << 30


Event = Yielded | Done | Failed


def run(function: Function, tasks: Sequence[Any], jobs: int = 1) -> Generator[Event, None, None]:
    """Run ``function(task)`` for every task and stream the events, in no particular order across tasks.

    Args:
        function: A module-level generator function. It runs in a spawned process when ``jobs > 1``.
        tasks: Picklable arguments, one for each call.
        jobs: How many processes. One means this process, with no process started.

    Yields:
        `Yielded` for every value, then one `Done` or `Failed` for each task.
    """
    jobs = min(jobs, len(tasks))
    rest = iter(tasks)
    yield from serve(function, lambda: next(rest, None), 0 if jobs <= 1 else jobs)


def serve(
    function: Function,
    feed: Callable[[], Any | None],
    jobs: int,
    watch: Watch | None = None,
    crew: Crew | None = None,
) -> Generator[Event, None, None]:
    """Run tasks that are thought of while others run.

    Args:
        function: As for `run`.
        feed: Asked for the next task whenever a worker is free, so that what has been yielded before can decide; None
            if there is none now. It is over when nothing runs and there is none. Tasks are numbered from 0
            in the order they are given.
        jobs: How many processes at most; they are started as there are tasks. 0: this process.
        watch: Bounds beyond which a worker is killed.
        crew: Workers for this function that run already.

    Yields:
        As `run`. A worker waits when the consumer is slow, instead of filling memory.
    """
    if jobs > 0:
        yield from _serve_workers(crew or Crew(function), feed, jobs, watch)
        return
    number = 0
    while (task := feed()) is not None:
        yield from run_one(function, number, task)
        number += 1


def run_one(function: Function, number: int, task: Any) -> Iterator[Event]:
    """Run one task in this process."""
    pulse.beat(phase=Phase.BETWEEN)
    try:
        for value in function(task):
            yield Yielded(number, value)
    except GeneratorExit:
        raise
    except Exception as error:
        yield Failed(number, _message(error), traceback.format_exc(), "error", pulse.read())
    else:
        yield Done(number)


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, ProvenanceError) else f"{type(error).__name__}: {error}"


class _Worker:
    """A process and the task it holds, if any."""

    def __init__(self, function: Function, prepare: Callable[[], None] | None = None) -> None:
        self.process = WorkerProcess(run_one, function, prepare)
        self.task: int | None = None
        self._seen = NO_BEAT
        self._since = 0.0
        self._used = Vitals(0.0, 0)

    def give(self, number: int, task: Any) -> None:
        self.task = number
        self.process.give((number, task))

    def events(self) -> Iterator[Event]:
        """What has arrived, ending with the end of the task if it has come to one."""
        while self.task is not None and (event := self.process.take()) is not None:
            if isinstance(event, Done | Failed):
                self.task = None
            yield event

    def failure(self, watch: Watch | None) -> Failed | None:
        """Why the task will never end, if so; the process is dead then."""
        if self.task is None:
            return None
        at = self.process.pulse()
        if not self.process.is_alive():
            return Failed(self.task, _death(self.process.exit_code), cause="crash", at=at)
        excess = watch and self._excess(watch, at)
        if not excess:
            return None
        self.process.kill()
        return Failed(self.task, excess[1], cause=excess[0], at=at)

    def _excess(self, watch: Watch, at: Beat) -> tuple[Cause, str] | None:
        used, now = self.process.vitals(), time.monotonic()
        if used is None:
            return None
        if used.memory > watch.memory:
            return "memory", f"a worker took more than {watch.memory >> 20} MiB of memory and was ended"
        if at != self._seen:
            self._seen, self._since, self._used = at, now, used
            return None
        allowed = watch.unit_seconds if at.phase is Phase.UNIT else watch.other_seconds
        spent = max(used.cpu - self._used.cpu, (now - self._since) / _WALL_FACTOR)
        if at.phase is Phase.WAITING or spent <= allowed:
            return None
        return "timeout", f"a worker made no progress for {allowed:g} seconds and was ended"


class Crew:
    """Workers, which can be started while it is not yet known what they will do: they get ready meanwhile.

    Args:
        function: As for `serve`.
        prepare: Called in each worker before its first task; module-level.
    """

    def __init__(self, function: Function, prepare: Callable[[], None] | None = None) -> None:
        self._function, self._prepare = function, prepare
        self.workers: list[_Worker] = []

    def start(self) -> _Worker:
        """Start one more."""
        self.workers.append(worker := _Worker(self._function, self._prepare))
        return worker

    def close(self) -> None:
        """End all of them, whichever there are by then."""
        while self.workers:
            self.workers.pop().process.stop()


def _serve_workers(crew: Crew, feed: Callable[[], Any | None], jobs: int, watch: Watch | None) -> Iterator[Event]:
    workers = crew.workers
    given = 0
    with closing(crew):
        while True:
            while (free := next((w for w in workers if w.task is None), None)) or len(workers) < jobs:
                if free is not None and not free.process.is_alive():
                    workers.remove(free)
                    free.process.stop()
                    continue
                task = feed()
                if task is None:
                    break
                if free is None:
                    free = crew.start()
                free.give(given, task)
                given += 1
            busy = [worker for worker in workers if worker.task is not None]
            if not busy:
                return
            wait([source for worker in busy for source in worker.process.waitables], timeout=_LOOK_SECONDS)
            for worker in busy:
                # Asked before its events are taken: what it said before it died still counts.
                failed = worker.failure(watch)
                yield from worker.events()
                if failed is not None:
                    workers.remove(worker)
                    worker.process.stop()
                    if worker.task is not None:
                        yield failed


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"a worker was killed by {signal.Signals(-code).name} while it read this source"
    return f"a worker ended unexpectedly (exit code {code}) while it read this source"


def default_jobs() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1
