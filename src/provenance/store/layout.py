"""Where everything in a store's folder lives, and the file operations that survive a crash."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provenance.errors import StoreError

CURRENT: Final = "CURRENT"
CATALOGUES: Final = "catalogue"
PARTS: Final = "parts"
SEGMENTS: Final = "index/segments"
STAGING: Final = "staging"
BACKUPS: Final = "backup"
"""Catalogues as they were before an upgrade."""
WRITERS_LOCK: Final = "writers.lock"
SESSION_LOCK: Final = "sessions.lock"

KNOWN_FAILURES: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
"""What an operating system says when it can't write; each has a sentence in `failure`, or its own text is one."""

_CATALOGUE_NAME: Final = re.compile(r"[0-9]{6,18}\.duckdb")
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")


def make_folders(root: Path) -> None:
    """Create the folders of an empty store."""
    for folder in (CATALOGUES, PARTS, SEGMENTS, STAGING):
        make_folder(root / folder)


def make_folder(path: Path) -> None:
    """Create a folder, and those above it, so that they survive a power cut."""
    missing = [path, *path.parents]
    missing = missing[: next(place for place, folder in enumerate(missing) if folder.is_dir())]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def safe_name(name: str) -> str:
    """Return ``name`` if it can be a file name in the store.

    Raises:
        StoreError: If it holds anything but letters, digits, ``_``, ``-`` and ``.``: names become paths, and
            paths become SQL text in the views.
    """
    if not _SAFE_NAME.fullmatch(name) or ".." in name:
        raise StoreError(f"{name!r} cannot be the name of a part", next_step="Use letters, digits, _, - and .")
    return name


def part_path(path: str) -> str:
    """Return the path of a part, relative to the store, if it is one that this program gives.

    Raises:
        StoreError: If it is not. The catalogue may come from a stranger, and its paths are opened, and become SQL text.
    """
    steps = path.split("/")
    if (
        len(steps) != 4
        or steps[0] != PARTS
        or not all(_SAFE_NAME.fullmatch(step) and ".." not in step for step in steps)
    ):
        raise StoreError(
            "The catalogue names a part by a path that is none",
            place=repr(path[:200]),
            next_step="This store was not written by provenance alone: don't use it",
        )
    return path


def catalogue_name(number: int) -> str:
    """Return the file name of the catalogue with this number."""
    return f"{number:06d}.duckdb"


def pointed(root: Path) -> Path | None:
    """Return the catalogue file that ``CURRENT`` names, or nothing if that can't be told."""
    try:
        return read_pointer(root)
    except StoreError:
        return None


def at_home(path: str | Path) -> Path:
    """Return a path with the user's home in place of ``~``; what names nobody's home is a file of that name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def read_pointer(root: Path) -> Path:
    """Return the catalogue file that ``CURRENT`` names.

    Raises:
        StoreError: If there is no store here, or the pointer is absent or torn.
    """
    if not root.exists():
        raise StoreError(
            "There is no store here", place=str(root), next_step="Make one with `provenance init`, or name another"
        )
    pointer = root / CURRENT
    try:
        name, _, _ = pointer.read_text(encoding="ascii", errors="replace").strip().partition(" ")
    except FileNotFoundError as error:
        if any(int(path.stem) > 1 for path in catalogues(root)):
            raise StoreError(
                "The store has lost its CURRENT file", place=str(root), next_step="Run `provenance verify --repair`"
            ) from error
        if (root / CATALOGUES).is_dir():
            raise StoreError(
                "The making of this store was cut off",
                place=str(root),
                next_step="Run the command again that made it, or `provenance init`",
            ) from error
        raise StoreError(
            "This folder is not a store", place=str(root), next_step="Name a folder made by `provenance init`"
        ) from error
    except OSError as error:
        raise failure(error, pointer) from error
    if not _CATALOGUE_NAME.fullmatch(name):
        raise StoreError(
            "The store's CURRENT file is damaged", place=str(pointer), next_step="Run `provenance verify --repair`"
        )
    return root / CATALOGUES / name


def is_ours(root: Path, path: Path) -> bool:
    """Tell whether a catalogue is still the very file that this user's program published here.

    ``CURRENT`` holds its inode and the time of its last change, which nobody can give to a file: a catalogue that was
    unpacked, copied or changed has others, and so it may be a stranger's.
    """
    try:
        status = path.stat()
        name, _, mark = (root / CURRENT).read_text(encoding="ascii", errors="replace").strip().partition(" ")
    except OSError:
        return False
    user = getattr(os, "geteuid", lambda: status.st_uid)()
    return name == path.name and mark == _mark(status) and status.st_uid == user


def _mark(status: os.stat_result) -> str:
    return f"{status.st_ino}-{status.st_ctime_ns}"


def write_pointer(root: Path, name: str, *, ours: bool = False) -> None:
    """Make ``name`` the current catalogue: readers see the old one or the new one, never neither.

    Args:
        root: The store.
        name: Of a catalogue file.
        ours: This process wrote it, from one that had been audited: it need not be again.
    """
    mark = f" {_mark((root / CATALOGUES / name).stat())}" if ours else ""
    waiting = root / STAGING / f"{CURRENT}.{os.getpid()}.tmp"
    try:
        with waiting.open("w", encoding="ascii") as file:
            file.write(f"{name}{mark}\n")
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(root / CURRENT)
    except OSError:
        with contextlib.suppress(OSError):
            waiting.unlink(missing_ok=True)
        raise
    sync_folder(root)


def catalogues(root: Path) -> list[Path]:
    """Return all catalogue files, oldest first."""
    folder = root / CATALOGUES
    found = (path for path in (folder.iterdir() if folder.is_dir() else ()) if _CATALOGUE_NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: int(path.stem))


def backups(root: Path) -> list[Path]:
    """Return the catalogues that were kept when the store was upgraded."""
    return sorted((root / BACKUPS).glob("*.duckdb"))


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, so that a rename survives a power cut."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def failure(error: OSError, path: Path | str) -> StoreError:
    """Turn an operating system's refusal into one that says what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("The disk is full", place=str(path), next_step="Free some space and run the command again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            "The store can't be written" if error.errno == errno.EROFS else "Permission to the store is denied",
            place=str(path),
            next_step="Change the folder's permissions, or name another store",
        )
    return StoreError(
        f"The store can't be used: {error.strerror or error}",
        place=str(path),
        next_step="Check the path and the disk, then run `provenance verify`",
    )


@contextlib.contextmanager
def refusals(path: Path | str) -> Iterator[None]:
    """Raise `StoreError` for every ``OSError`` in the block."""
    try:
        yield
    except OSError as error:
        raise failure(error, error.filename or path) from error
