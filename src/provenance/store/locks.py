"""Locks between processes: one committer at a time, and no sweeping while anybody is writing.

Both are ``flock`` locks, which the kernel drops when a process ends however it ends, so a killed writer
blocks nobody.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from provenance.errors import StoreError
from provenance.store.layout import SESSION_LOCK, STAGING, WRITERS_LOCK, failure

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def writers_lock(root: Path, timeout: float) -> Iterator[None]:
    """Hold the lock that only one committer has.

    Raises:
        StoreError: If another writer has held it for longer than ``timeout`` seconds.
    """
    with _locked(root / WRITERS_LOCK, exclusive=True, timeout=timeout) as held:
        if not held:
            raise StoreError(
                f"Another process has been committing to the store for more than {timeout:.0f} s",
                place=str(root / WRITERS_LOCK),
                next_step="Wait for it to finish, or end it, and run the command again",
            )
        yield


@contextlib.contextmanager
def session(root: Path) -> Iterator[None]:
    """Say that files may be written under final names that no catalogue knows yet, so that nobody sweeps them."""
    with _locked(root / SESSION_LOCK, exclusive=False, timeout=60.0) as held:
        if not held:
            raise StoreError(
                "The store is being repaired", place=str(root), next_step="Run the command again when that is done"
            )
        yield


@contextlib.contextmanager
def claim(root: Path, name: str) -> Iterator[bool]:
    """Yield whether nobody else works on ``name`` inside the block. Wanted inside a session: no sweeping then."""
    path = root / STAGING / f"{name}.lock"
    with _locked(path, exclusive=True, timeout=0.0) as held:
        alone = held and path.exists()  # else its last holder has just removed it
        try:
            yield alone
        finally:
            if alone:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def no_sessions(root: Path, timeout: float = 0.0) -> Iterator[bool]:
    """Yield whether no session is open, or none after so many seconds; if so, none can begin inside the block."""
    with _locked(root / SESSION_LOCK, exclusive=True, timeout=timeout) as held:
        yield held


@contextlib.contextmanager
def _locked(path: Path, *, exclusive: bool, timeout: float) -> Iterator[bool]:
    if fcntl is None:
        raise StoreError("Stores can't be written on this system: it has no flock", place=str(path))
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise failure(error, path) from error
    try:
        yield _acquire(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, timeout)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, mode: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR):
                raise
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)


def held_by_a_reader(catalogue: Path) -> bool:
    """Tell whether another process has this catalogue open.

    DuckDB takes a POSIX read lock on a database that it opens read-only, so this sees plain ``duckdb`` shells
    too. Connections of this very process are not seen; for them an unlinked file stays readable.
    """
    if fcntl is None:
        return True
    try:
        with catalogue.open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
