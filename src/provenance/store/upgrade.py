"""Bringing a store that an older program made to this program's version, so that nothing is lost if it fails.

The old catalogue is copied to ``backup/`` first. A step ``migrations/NNNN.sql`` makes version NNNN out of the one
before; all run in one transaction on a copy, which is published like any other commit. Parts and segments stay.
"""

from __future__ import annotations

import datetime as dt
import errno
import logging
import os
import shutil
from pathlib import Path
from typing import Final

import duckdb

from provenance.errors import StoreError
from provenance.schema import SCHEMA_VERSION
from provenance.store import catalogue, layout, locks, publish

WAIT: Final = 10.0
"""Seconds to wait for another process that upgrades the same store."""

_log = logging.getLogger(__name__)


def upgrade(root: Path, timeout: float) -> None:
    """Bring the store's catalogue to this program's version, unless it has that.

    Args:
        root: The store's folder.
        timeout: Seconds to wait for a commit that is under way.

    Raises:
        StoreError: If some process is writing to the store, or it can't be written. The store is as it was then.
    """
    try:
        with layout.refusals(root), locks.no_sessions(root, WAIT) as free:
            if not free:
                raise _refused(root, "another process is writing to it", "Wait until that has ended")
            with locks.writers_lock(root, timeout):
                _upgrade(root)
    except StoreError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why, next_step = "it can't be written", "Let somebody who may write to it run `provenance status`"
            raise _refused(root, why, next_step) from error
        raise


def _upgrade(root: Path) -> None:
    current = layout.read_pointer(root)
    with catalogue.connect(current, read_only=True) as connection:
        before = catalogue.version(connection)
    if before >= SCHEMA_VERSION:
        return
    backup = _back_up(root, current, before)
    with publish.next_catalogue(root) as (connection, number):
        migrate(connection)
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        name = backup.relative_to(root).as_posix()
        connection.execute("insert into upgrades values (?, ?, ?, ?)", [before, SCHEMA_VERSION, name, now])
        note = f"upgrade from version {before} to {SCHEMA_VERSION}"
        connection.execute("insert into commits values (?, ?, ?)", [number, note, now])
        catalogue.define(connection, root)
    _log.warning("The store %s was upgraded to version %d; its catalogue as it was is %s", root, SCHEMA_VERSION, name)


def migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Run the steps that a catalogue lacks. Views and macros go: `catalogue.define` makes those of this program."""
    _drop_definitions(connection)
    for step in range(catalogue.version(connection) + 1, SCHEMA_VERSION + 1):
        connection.execute(catalogue.sql_text(f"store/migrations/{step:04d}.sql"))
        catalogue.set_meta(connection, "schema_version", str(step))


def _drop_definitions(connection: duckdb.DuckDBPyConnection) -> None:
    own = "database_name = current_database() and not internal"
    views = connection.execute(f"select view_name from duckdb_views() where {own}").fetchall()  # noqa: S608
    macros = connection.execute(
        "select distinct function_name, function_type from duckdb_functions() "  # noqa: S608 - a constant of this function
        f"where {own} and function_type in ('macro', 'table_macro')"
    ).fetchall()
    for (name,) in views:
        connection.execute(f'drop view "{name}"')
    for name, kind in macros:
        connection.execute(f'drop macro {"table " if kind == "table_macro" else ""}"{name}"')
    catalogue.set_meta(connection, "definitions", "")


def _back_up(root: Path, current: Path, version: int) -> Path:
    folder = root / layout.BACKUPS
    layout.make_folder(folder)
    backup = folder / f"{current.stem}-version-{version}.duckdb"
    waiting = root / layout.STAGING / f"{backup.name}.{os.getpid()}.tmp"
    try:
        shutil.copyfile(current, waiting)
        layout.sync_file(waiting)
        waiting.replace(backup)
    finally:
        waiting.unlink(missing_ok=True)
    layout.sync_folder(folder)
    return backup


def _refused(root: Path, why: str, next_step: str) -> StoreError:
    return StoreError(
        f"The store is of an older version and has to be upgraded to version {SCHEMA_VERSION}, but {why}",
        place=str(root),
        next_step=next_step,
    )
