"""Run a generator function over tasks, in this process or in a few others, and stream what it yields.

Workers are spawned, not forked: Arrow, DuckDB and numba hold threads and locks that do not survive a
fork. A worker that dies (a crash in a native parser, the out-of-memory killer) fails only the task it
held; another is started in its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from provenance.errors import ProvenanceError


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
    """Task number ``task`` raised, or its worker died; ``trace`` is for a debug log, ``error`` for people."""

    task: int
    error: str
    trace: str = ""


Event = Yielded | Done | Failed


def run(function: Callable[[Any], Iterator[Any]], tasks: Sequence[Any], jobs: int = 1) -> Generator[Event, None, None]:
    """Run ``function(task)`` for every task and stream the events, in no particular order across tasks.

    Args:
        function: A module-level generator function. It runs in a spawned process when ``jobs > 1``.
        tasks: Picklable arguments, one for each call.
        jobs: How many processes. One means this process, with no process started.

    Yields:
        `Yielded` for every value, then one `Done` or `Failed` for each task.
    """
    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        for number, task in enumerate(tasks):
            yield from _run_one(function, number, task)
    else:
        yield from _run_many(function, tasks, jobs)


def _run_one(function: Callable[[Any], Iterator[Any]], number: int, task: Any) -> Iterator[Event]:
    try:
        for value in function(task):
            yield Yielded(number, value)
    except GeneratorExit:
        raise
    except Exception as error:
        yield Failed(number, _message(error), traceback.format_exc())
    else:
        yield Done(number)


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, ProvenanceError) else f"{type(error).__name__}: {error}"


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: a killed scan must not leave processes that wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _work(function: Callable[[Any], Iterator[Any]], inbox: Any, outbox: Any, parent: int) -> None:
    # The parent decides what an interrupt means; a worker that dies of it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    while True:
        item = inbox.get()
        if item is None:
            return
        number, task = item
        for event in _run_one(function, number, task):
            outbox.put(event)


class _Worker:
    """One process and the pair of queues that only it uses, so that its death can't corrupt another's."""

    def __init__(self, context: Any, function: Callable[[Any], Iterator[Any]]) -> None:
        self.inbox = context.Queue()
        # Bounded: a worker waits when the committer is slower, instead of filling memory.
        self.outbox = context.Queue(maxsize=8)
        self.process = context.Process(target=_work, args=(function, self.inbox, self.outbox, os.getpid()), daemon=True)
        with _without_main(function):
            self.process.start()
        # With this copy of the writing end closed, a message cut off by the worker's death reads as an end of
        # file instead of blocking for ever.
        self.outbox._writer.close()
        self.task: int | None = None

    def give(self, number: int, task: Any) -> None:
        self.task = number
        self.inbox.put((number, task))

    def events(self) -> Iterator[Event]:
        while True:
            try:
                yield self.outbox.get_nowait()
            except (queue.Empty, EOFError, OSError):
                return

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()


@contextlib.contextmanager
def _without_main(function: Callable[..., Any]) -> Iterator[None]:
    """Hide the program's main module while a process is spawned.

    A spawned process imports it anew, so a user's script without ``if __name__ == "__main__"`` would run again
    in every worker, and fail there.
    """
    main = sys.modules.get("__main__")
    if main is None or function.__module__ == "__main__":
        yield
        return
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _run_many(function: Callable[[Any], Iterator[Any]], tasks: Sequence[Any], jobs: int) -> Iterator[Event]:
    context = multiprocessing.get_context("spawn")
    waiting = list(enumerate(tasks))[::-1]
    workers = [_Worker(context, function) for _ in range(jobs)]
    try:
        for worker in workers:
            worker.give(*waiting.pop())
        while any(worker.task is not None for worker in workers):
            busy = [worker for worker in workers if worker.task is not None]
            wait([*(w.outbox._reader for w in busy), *(w.process.sentinel for w in busy)], timeout=1.0)
            for place, worker in enumerate(workers):
                if worker.task is None:
                    continue
                dead = not worker.process.is_alive()
                for event in worker.events():
                    if isinstance(event, Done | Failed):
                        worker.task = None
                    yield event
                if worker.task is not None and dead:
                    yield Failed(worker.task, _death(worker.process.exitcode))
                    worker.task = None
                if worker.task is None and waiting:
                    if dead or not worker.process.is_alive():
                        workers[place] = worker = _Worker(context, function)
                    worker.give(*waiting.pop())
    finally:
        for worker in workers:
            worker.stop()


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
