"""Erasing: rows leave the store's bytes, not only its views.

A part that holds such rows is written again without them and takes the old one's place in the catalogue; the
catalogue is written again as a new file, because DuckDB leaves deleted rows in the free blocks of an old one; then
everything goes that the new catalogue does not name.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import StoreError
from provenance.store import catalogue, layout, locks, publish
from provenance.store.parts import PartFile, write_part
from provenance.store.store import LOCK_TIMEOUT, Commit, Store

_ROWS: Final = 65_536

Kept = Callable[[pa.RecordBatch], pa.RecordBatch]
"""What is kept of some rows of a part."""


@contextlib.contextmanager
def alone(store: Store) -> Iterator[None]:
    """Hold while erasing: nobody scans, registers or repairs meanwhile.

    Raises:
        StoreError: If somebody does now.
    """
    with locks.no_sessions(store.root) as free:
        if not free:
            raise StoreError(
                "A scan or registration is writing to the store",
                place=str(store.root),
                next_step="Wait until it has ended, or end it, and run the command again",
            )
        yield


def rewrite_part(store: Store, path: str, kept: Kept) -> PartFile | None:
    """Write a part again with what is kept of its rows; None if that is nothing. No catalogue names it yet."""
    _, kind, group_id, name = layout.part_path(path).split("/")
    with pq.ParquetFile(store.root / path) as file:
        batches = (kept(batch) for batch in file.iter_batches(_ROWS, use_threads=False))
        part = write_part(store.root, kind, group_id, name.rsplit("-", 1)[0], (b for b in batches if b.num_rows))
    if not part.rows:
        (store.root / part.path).unlink(missing_ok=True)
        return None
    return part


def replace_part(commit: Commit, path: str, part: PartFile | None) -> None:
    """Let the catalogue name a rewritten part in place of the old one, from the same time on."""
    if part is None:
        commit.execute("delete from parts where path = ?", [path])
    else:
        commit.execute(
            "update parts set path = $1, rows = $2, bytes = $3, checksum = $4 where path = $5 and withdrawn_at is null",
            [part.path, part.rows, part.bytes, part.checksum, path],
        )


def finish(store: Store, wait: float) -> list[str]:
    """Let go of everything that the catalogue does not name. The caller is `alone`.

    Args:
        store: The store.
        wait: Seconds to wait for readers of older catalogues.

    Returns:
        Catalogues that readers still hold, relative to the store. What only they name is still there.
    """
    with layout.refusals(store.root), locks.writers_lock(store.root, LOCK_TIMEOUT):
        rewrite_catalogue(store.root)
        held = _retire_all(store.root, wait)
        if not held:
            for path in _unnamed(store.root):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            _remove_empty(store.root / layout.PARTS)
    return [path.relative_to(store.root).as_posix() for path in held]


def rewrite_catalogue(root: Path) -> None:
    """Publish the current catalogue as a file that holds its rows and nothing else.

    The caller holds the writers' lock.
    """
    current = layout.read_pointer(root)
    with publish.rebuilt_catalogue(root) as connection:
        source = str(current).replace("'", "''")
        connection.execute(f"attach '{source}' as old (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() where not internal and database_name = current_database()"
        ).fetchall()
        there = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where not internal and database_name = 'old'"
            ).fetchall()
        }
        for (table,) in tables:
            if table in there:
                connection.execute(f'delete from "{table}"')  # noqa: S608 - a name from the catalogue
                connection.execute(f'insert into "{table}" by name select * from old."{table}" order by rowid')  # noqa: S608
        connection.execute("detach old")
        catalogue.define(connection, root)


def _retire_all(root: Path, wait: float) -> list[Path]:
    """Remove every catalogue but the current one, and backups; return those that a reader holds for longer."""
    current = layout.read_pointer(root)
    folders = (root / layout.CATALOGUES, root / layout.BACKUPS)
    old = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir()) if path != current]
    deadline = time.monotonic() + wait
    while True:
        old = [path for path in old if path.exists()]
        for path in old:
            if not locks.held_by_a_reader(path):
                path.unlink(missing_ok=True)
        old = [path for path in old if path.exists()]
        if not old or time.monotonic() >= deadline:
            return old
        time.sleep(0.2)


def _unnamed(root: Path) -> Iterator[Path]:
    with catalogue.connect(layout.read_pointer(root), read_only=True) as connection:
        named = {
            name
            for (name,) in connection.execute(
                "select path from parts where withdrawn_at is null union all "
                "select path from segments where withdrawn_at is null"
            ).fetchall()
        }
    yield from list((root / layout.STAGING).iterdir())
    parts = [path for path in (root / layout.PARTS).rglob("*") if not path.is_dir()]
    for path in [*parts, *(root / layout.SEGMENTS).iterdir()]:
        if path.relative_to(root).as_posix() not in named:
            yield path


def _remove_empty(folder: Path) -> None:
    """Remove folders that hold nothing any more: their names are ids of scans and sets."""
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()


def scrub_lines(folder: Path, gone: Callable[[bytes], bool]) -> int:
    """Take lines out of the files of a folder, and return how many; a file is replaced whole."""
    removed = 0
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not gone(line)]
        if len(kept) < len(lines):
            removed += len(lines) - len(kept)
            waiting = path.with_name(path.name + ".tmp")
            waiting.write_bytes(b"".join(kept))
            layout.sync_file(waiting)
            waiting.replace(path)
    return removed
