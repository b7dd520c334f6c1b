"""The SQL door: one query from outside, answered by a process of its own, within limits.

That process (`provenance.store.answer`) reaches the live parts of one store and nothing else, and is ended when its
time is over. What it may be asked is decided by `provenance.store.screen`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from provenance.errors import UsageError

TIMEOUT: Final = 300.0
MEMORY: Final = 4_000_000_000
TEMPORARY_SPACE: Final = 20_000_000_000

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_LEAST_MEMORY: Final = 64 << 20
_KEPT_ENVIRONMENT: Final = ("PATH", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""What the process gets to know of the environment: no setting, no secret."""


@dataclass(frozen=True)
class Limits:
    """What one query may use.

    Attributes:
        timeout: Seconds until it is ended; time in which nobody takes its rows does not count.
        memory: Bytes of what DuckDB holds; the kernel ends the process at a quarter (and 256 MiB) more.
        temp: Bytes on the disk for what does not fit; they are gone when the query ends.
    """

    timeout: float = TIMEOUT
    memory: int = MEMORY
    temp: int = TEMPORARY_SPACE

    @classmethod
    def of(cls, timeout: float | None = None, memory: str | None = None, temp: str | None = None) -> Limits:
        """Return limits as options say them, such as ``memory="2GB"``; what is left out has its default.

        The default for memory is 4 GB, or half of what the machine has if that is less.

        Raises:
            UsageError: If one of them can't be understood, or leaves nothing to work with.
        """
        limits = cls(
            TIMEOUT if timeout is None else timeout,
            min(MEMORY, _installed() // 2) if memory is None else parse_size(memory),
            TEMPORARY_SPACE if temp is None else parse_size(temp),
        )
        if not 0 < limits.timeout < 10**9 or limits.memory < _LEAST_MEMORY:
            raise UsageError(
                "A query needs some time, and at least 64 MiB of memory", next_step="Give --timeout or --memory more"
            )
        return limits


def parse_size(text: str) -> int:
    """Return a number of bytes written as ``2GB``, ``512 MiB`` or ``1000000``.

    Raises:
        UsageError: If it is no such thing.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text, re.IGNORECASE)
    if found is None or found[2].lower() not in _UNITS:
        raise UsageError(f"{text!r} is no size", next_step="Write it as 2GB, 512MB or 4GiB")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _installed() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2 * MEMORY


@contextlib.contextmanager
def ask(root: Path, query: str, limits: Limits | None = None) -> Iterator[pa.RecordBatchReader | None]:
    """Answer a query from outside on the current snapshot, read-only, in a process of its own.

    Args:
        root: The store's folder.
        query: The SQL text: one SELECT (also ``from …``, ``show tables``, ``describe …``).
        limits: What it may use; the defaults if left out.

    Yields:
        The rows, computed while they are read; None if the text holds nothing to answer.

    Raises:
        UsageError: If the query is anything else, DuckDB refuses it, or it reaches a limit. Rows that were read
            before the limit was reached stand.
    """
    limits = limits or Limits.of()
    with tempfile.TemporaryDirectory(prefix="provenance-sql-", ignore_cleanup_errors=True) as temporary:
        request = {"root": str(root), "query": query, "temporary": temporary, **vars(limits)}
        process = _start(temporary)
        try:
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin is not None  # noqa: S101 - piped below
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.close()
            pipe = _Pipe(process, limits)
            if not pipe.begins():
                yield None
                return
            with pa.ipc.open_stream(pa.PythonFile(pipe, "r")) as stream:
                yield pa.RecordBatchReader.from_batches(stream.schema, _batches(stream, pipe))
        finally:
            process.kill()
            for file in (process.stdout, process.stderr):
                if file is not None:
                    file.close()
            process.wait()


def _start(temporary: str) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    environment |= {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        # Nothing of the user's: DuckDB looks for extensions and secrets there.
        "HOME": temporary,
        "MALLOC_ARENA_MAX": "4",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-B", "-m", "provenance.store.answer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=temporary,
        start_new_session=True,  # an interrupt is for this process to handle
    )


def _batches(stream: Any, pipe: _Pipe) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            batch = stream.read_next_batch()
        except StopIteration:
            break
        except (pa.ArrowException, OSError) as error:
            if pipe.stopped is not None:  # Arrow tells an error of its file in its own words
                raise pipe.stopped from None
            pipe.blame()
            raise UsageError("The answer broke off", next_step="Ask again") from error
        yield batch
    pipe.blame()


class _Pipe:
    """What the process writes, as a file that is read until the time is over."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        assert process.stdout is not None  # noqa: S101 - piped by `_start`
        self._process = process
        self._limits = limits
        self._out: IO[bytes] = process.stdout
        self._left = limits.timeout
        self._waiting = b""
        self.closed = False
        self.stopped: UsageError | None = None

    def begins(self) -> bool:
        """Wait for the first byte; False if the process ended well without one."""
        self._waiting = self._some(1)
        if not self._waiting:
            self.blame()
        return bool(self._waiting)

    def read(self, size: int) -> bytes:
        """Return as many bytes, or fewer at the end."""
        pieces, missing = [self._waiting[:size]], size
        self._waiting = self._waiting[size:]
        missing -= len(pieces[0])
        while missing > 0 and (piece := self._some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Called by Arrow when it is done."""
        self.closed = True

    def _some(self, size: int) -> bytes:
        began = time.monotonic()
        ready, _, _ = select.select([self._out], [], [], max(self._left, 0.0))
        self._left -= time.monotonic() - began
        if not ready:
            self._process.kill()
            self.stopped = UsageError(
                f"The query was stopped after {self._limits.timeout:g} s",
                next_step="Ask for less, or give it more time with --timeout",
            )
            raise self.stopped
        return os.read(self._out.fileno(), min(size, 1 << 20))

    def blame(self) -> None:
        """Raise what the process says went wrong, if anything did."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5.0)
        code = self._process.poll()
        if code in (0, None):
            return
        assert self._process.stderr is not None  # noqa: S101 - piped by `_start`
        # It was killed by the kernel, or by a library that got no memory, if it says nothing itself.
        said: dict[str, Any] = {"cause": "Answering broke off", "next_step": "", "memory": code < 0, "disk": False}
        for line in self._process.stderr.read(1 << 16).splitlines():
            if line.startswith(b'{"cause": '):
                said = json.loads(line)
        if said["disk"]:
            raise UsageError(
                f"The query was stopped: it needed more than {self._limits.temp:,} bytes of temporary space",
                next_step="Ask for less, or give it more with --temp-space",
            )
        if said["memory"]:
            raise UsageError(
                f"The query was stopped: it needed more than {self._limits.memory:,} bytes of memory",
                next_step="Ask for less, or give it more with --memory",
            )
        raise UsageError(said["cause"], next_step=said["next_step"])
