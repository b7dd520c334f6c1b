"""One worker process: a pipe for tasks, a pipe for what it yields, and memory for its pulse."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final

from provenance.engine import pulse
from provenance.engine.vitals import Vitals, vitals

_PR_SET_PDEATHSIG: Final = 1

Runner = Callable[[Callable[[Any], Iterator[Any]], int, Any], Iterator[Any]]


class WorkerProcess:
    """A spawned process that runs tasks one after the other. Nothing of it is shared with another one.

    Args:
        runner: Called there with function, number and task; what it yields arrives here.
        function: A module-level function.
        prepare: Called there before the first task, so that what every task needs is loaded by then.
    """

    def __init__(
        self, runner: Runner, function: Callable[[Any], Iterator[Any]], prepare: Callable[[], None] | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        tasks, self._tasks = context.Pipe(duplex=False)
        self._events, events = context.Pipe(duplex=False)
        self._memory = context.RawArray(ctypes.c_int64, 3)
        self._process = context.Process(
            target=_work, args=(runner, function, prepare, tasks, events, self._memory, os.getpid()), daemon=True
        )
        with _without_main(function):
            self._process.start()
        # With these copies closed, a message cut off by the worker's death reads as an end of file instead of
        # blocking for ever.
        tasks.close()
        events.close()

    @property
    def waitables(self) -> list[Any]:
        """What `multiprocessing.connection.wait` can wait on: for something yielded, or for its end."""
        return [self._events, self._process.sentinel]

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        return self._process.exitcode

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.is_alive()

    def give(self, task: Any) -> None:
        """Send a task. One that is dead already is noticed by `is_alive`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._tasks.send(task)

    def take(self) -> Any | None:
        """Return the next thing it yielded, if there is one."""
        try:
            return self._events.recv() if self._events.poll() else None
        except (EOFError, OSError):
            return None

    def pulse(self) -> pulse.Beat:
        """Read its pulse."""
        return pulse.read(self._memory)

    def vitals(self) -> Vitals | None:
        """Return what it has used."""
        return vitals(self._process.pid or 0)

    def kill(self) -> None:
        """End it at once, whatever it is at."""
        self._process.kill()
        self._process.join(timeout=5)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self.kill()
        self._tasks.close()
        self._events.close()


def _work(
    runner: Runner,
    function: Callable[[Any], Iterator[Any]],
    prepare: Callable[[], None] | None,
    tasks: Connection,
    events: Connection,
    memory: Any,
    parent: int,
) -> None:
    # The parent decides what an interrupt means; a worker that dies of it would look like a crash.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # ends one that hangs in native code too
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    pulse.share(memory)
    if prepare is not None:
        pulse.beat(phase=pulse.Phase.BETWEEN)
        with contextlib.suppress(Exception):  # the first task meets the same again, and says of what it is the fault
            prepare()
        pulse.beat(phase=pulse.Phase.WAITING)
    while True:
        try:
            task = tasks.recv()
        except EOFError:
            return
        for event in runner(function, *task):
            at = pulse.read()
            # It waits here when the parent is slower. The pipe holds but a few events.
            pulse.beat(at.place, pulse.Phase.WAITING)
            events.send(event)
            pulse.beat(at.place, at.phase)
        pulse.beat(phase=pulse.Phase.WAITING)


def _end_with(parent: int) -> None:
    """End this worker when its parent is gone: a killed scan must not leave processes that wait for it for ever."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


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
