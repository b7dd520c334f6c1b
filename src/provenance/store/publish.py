"""The publish protocol: the next catalogue is built beside the current one, synced, and named by an atomic rename.

Everything that a catalogue names is synced before ``CURRENT`` moves, file and folder. A process that dies anywhere
leaves the old pointer or the new one; what it had written besides is swept by `provenance.store.verify`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from provenance.errors import StoreError
from provenance.store import catalogue, layout

_OF_THE_DISK: Final = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException)
"""What DuckDB raises when the disk refuses, or when it finds its own files half written after that."""


@contextlib.contextmanager
def next_catalogue(root: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, int]]:
    """Open a writable copy of the current catalogue in a transaction, and publish it when the block ends.

    The caller holds the writers' lock. Yields the connection and the number of the catalogue that is being made.

    Raises:
        StoreError: If the disk refuses. The store is as it was, unless the very last step failed: forcing the renamed
            pointer to the disk.
    """
    current = layout.read_pointer(root)
    number, waiting = _next(root, current)
    with _building(root, waiting):
        shutil.copyfile(current, waiting)
        connection = catalogue.connect(waiting, read_only=False)
        try:
            connection.execute("begin")
            yield connection, number
            connection.execute("commit")
            connection.execute("checkpoint")
        finally:
            connection.close()
        _publish(root, waiting, number)


@contextlib.contextmanager
def rebuilt_catalogue(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty catalogue, and publish it as the next one when the block ends.

    The caller holds the writers' lock.
    """
    number, waiting = _next(root, layout.read_pointer(root))
    with _building(root, waiting):
        catalogue.build(waiting, root)
        with catalogue.quiet(waiting) as connection:
            yield connection
            connection.execute("checkpoint")
        _publish(root, waiting, number)


def first_catalogue(root: Path) -> None:
    """Publish an empty catalogue. The caller holds the writers' lock."""
    for begun in layout.catalogues(root):  # by a process that was killed before it came to the pointer
        begun.unlink()
    number, waiting = _next(root, None)
    with _building(root, waiting):
        catalogue.build(waiting, root)
        _publish(root, waiting, number)


@contextlib.contextmanager
def _building(root: Path, waiting: Path) -> Iterator[None]:
    """Say what the disk refuses in words of this program, and leave no unfinished catalogue."""
    try:
        yield
    except duckdb.Error as error:
        damaged = "Corrupt database file" in str(error)
        if damaged or isinstance(error, _OF_THE_DISK) or _known_failure(error) is not None:
            raise refused(error, root) from error
        raise
    finally:
        _clear(waiting)


def _next(root: Path, current: Path | None) -> tuple[int, Path]:
    there = [*layout.catalogues(root), *([current] if current else [])]
    number = max((int(path.stem) for path in there), default=0) + 1
    waiting = root / layout.STAGING / f"catalogue-{number}-{os.getpid()}.tmp"
    _clear(waiting)
    return number, waiting


def _publish(root: Path, waiting: Path, number: int) -> None:
    layout.sync_file(waiting)
    final = root / layout.CATALOGUES / layout.catalogue_name(number)
    waiting.replace(final)
    try:
        layout.sync_folder(final.parent)
        layout.write_pointer(root, final.name, ours=True)
    except OSError:
        with contextlib.suppress(OSError, StoreError):
            if layout.pointed(root) != final:
                final.unlink()
        raise


def _clear(waiting: Path) -> None:
    for leftover in (waiting, waiting.with_name(waiting.name + ".wal")):
        with contextlib.suppress(OSError):  # a disk that refuses this too leaves it for `verify --repair`
            leftover.unlink(missing_ok=True)


def refused(error: duckdb.Error, root: Path) -> StoreError:
    """Turn DuckDB's word for a refusal by the disk into one that says what to do about it."""
    number = _known_failure(error)
    if number is not None:
        return layout.failure(OSError(number, os.strerror(number)), root)
    if "fsync failed" in str(error):  # DuckDB does not say why
        return StoreError(
            "The disk did not take what was written",
            place=str(root),
            next_step="Check that it has space and is sound, then run the command again",
        )
    return StoreError(
        f"The store can't be used: {str(error).splitlines()[0]}",
        place=str(root),
        next_step="Check the disk, then run `provenance verify`",
    )


def _known_failure(error: duckdb.Error) -> int | None:
    """Return the errno that DuckDB's message tells of; a failed write may come as almost any of its exceptions."""
    text = str(error).lower()
    return next((number for number in layout.KNOWN_FAILURES if os.strerror(number).lower() in text), None)
