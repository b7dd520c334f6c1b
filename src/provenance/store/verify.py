"""Checking that the store is what its catalogue says, and sweeping what no catalogue names."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import SegmentError, StoreError
from provenance.store import catalogue, layout, locks
from provenance.store.audit import audit
from provenance.store.parts import file_checksum
from provenance.store.recount import recount

KEPT: Final = 3
"""Catalogues that stay whether or not anybody reads them, so that a slow opener rarely has to try again."""

_OF_THE_QUERY: Final = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException),
    *(duckdb.NotSupportedError, duckdb.InterruptException),
)

SEARCHED: Final = 1 << 30
"""Bytes of parts that are read to find the one that made a query fail without being named."""


@dataclass
class VerifyReport:
    """What was checked, and what is wrong.

    Attributes:
        parts: Live parts whose bytes were read and compared.
        segments: Live index segments, likewise.
        records: Observations counted.
        problems: One sentence for each thing that is wrong.
        orphans: Files, relative to the store, that no catalogue names; gone if they are in ``swept``.
        swept: What was removed.
        mended: What was done about a pointer that named no sound catalogue.
    """

    parts: int = 0
    segments: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong. Orphans are no harm: a killed writer leaves some."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {"sound": self.sound, **asdict(self)}


def verify(root: Path, connection: duckdb.DuckDBPyConnection, *, repair: bool) -> VerifyReport:
    """Check a store's snapshot against its files.

    Args:
        root: The store's folder.
        connection: A snapshot of it.
        repair: Sweep what no catalogue on disk names, unless some process is writing.
    """
    report = VerifyReport()
    _check_catalogue(root, connection, report)
    if not report.problems:
        _check_parts(root, connection, report)
        _check_segments(root, connection, report)
    if not report.problems:  # counting needs everything to be readable
        report.problems.extend(recount(root, connection))
        ((report.records,),) = connection.execute("select count(*) from observations").fetchall()
    with contextlib.ExitStack() as held:
        free = repair and held.enter_context(locks.no_sessions(root))
        if free:
            held.enter_context(locks.writers_lock(root, 60.0))
            retire(root)
        elif repair:
            report.problems.append("a scan or registration is writing, so nothing was swept; repeat when it has ended")
        named, unreadable = _named(root)
        report.problems.extend(f"catalogue {path.relative_to(root)} can't be read" for path in unreadable)
        if unreadable:
            free = False  # what only that one names would be taken for an orphan
        report.orphans = sorted(path.relative_to(root).as_posix() for path in _orphans(root, named))
        for name in report.orphans if free else ():
            _remove(root / name)
            report.swept.append(name)
    return report


def _check_catalogue(root: Path, connection: duckdb.DuckDBPyConnection, report: VerifyReport) -> None:
    """Read every row of the catalogue: DuckDB checks a block's checksum when it reads the block."""
    try:
        ((name,),) = connection.execute("select current_database()").fetchall()
        _read_all(connection, name)
        audit(layout.read_pointer(root))
    except StoreError as error:
        report.problems.append(error.cause)
    except duckdb.Error as error:
        name = layout.read_pointer(root).relative_to(root)
        report.problems.append(f"catalogue {name} is damaged: {str(error).splitlines()[0]}")


def _read_all(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    own = "database_name = $1 and not internal"
    tables = connection.execute(f"select table_name from duckdb_tables() where {own}", [database]).fetchall()  # noqa: S608
    for (table,) in tables:
        name = table.replace('"', '""')
        connection.execute(f'select bit_xor(hash(whole)) from "{database}".main."{name}" as whole').fetchall()  # noqa: S608
    connection.execute(f"select count(sql) from duckdb_views() where {own}", [database]).fetchall()  # noqa: S608


def _check_parts(root: Path, connection: duckdb.DuckDBPyConnection, report: VerifyReport) -> None:
    live = connection.execute(
        "select path, rows, bytes, checksum from parts where withdrawn_at is null order by path"
    ).fetchall()
    for name, rows, size, checksum in live:
        report.parts += 1
        problem = _part_problem(root / name, rows, size, checksum)
        if problem:
            report.problems.append(f"part {name} {problem}")


def _part_problem(path: Path, rows: int, size: int, checksum: str) -> str | None:
    try:
        if path.stat().st_size != size:
            return f"has {path.stat().st_size} bytes instead of {size}"
        if file_checksum(path) != checksum:
            return "is damaged: its checksum differs"
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != rows:
                return f"holds {file.metadata.num_rows} rows instead of {rows}"
    except FileNotFoundError:
        return "is missing"
    except (OSError, pa.ArrowException) as error:
        return f"can't be read: {error}"
    return None


def damaged(root: Path, connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> StoreError | None:
    """Return an error that names the damaged file that a query met; nothing if the query failed for another reason."""
    if isinstance(error, _OF_THE_QUERY):
        return None
    if "Corrupt database file" in str(error):
        return StoreError(
            "The store's catalogue is damaged",
            place=str(layout.pointed(root) or root),
            next_step="Run `provenance verify --repair`",
        )
    try:
        live = connection.execute(
            "select path, rows, bytes, checksum from parts where withdrawn_at is null and rows > 0 order by path"
        ).fetchall()
    except duckdb.Error:
        return None
    text, left = str(error), SEARCHED
    for name, rows, size, checksum in sorted(live, key=lambda part: part[0] not in text):
        left -= size
        problem = _part_problem(root / name, rows, size, checksum) if left > 0 or name in text else None
        if problem:
            return StoreError(
                f"A part of the store {problem}",
                place=name,
                next_step="Restore it from a backup, or scan its source again in a new store; `provenance verify` "
                "lists all that is damaged",
            )
    return None


def _check_segments(root: Path, connection: duckdb.DuckDBPyConnection, report: VerifyReport) -> None:
    live = connection.execute(
        "select segment_id, path from segments where withdrawn_at is null order by path"
    ).fetchall()
    for segment_id, name in live:
        report.segments += 1
        path = root / name
        if not path.exists():
            report.problems.append(f"segment {name} is missing")
            continue
        from provenance.index.segment import verify as verify_segments

        try:
            verify_segments(path.parent, [segment_id])
        except SegmentError as error:
            report.problems.append(f"segment {name}: {error}")


def retire(root: Path) -> None:
    """Remove catalogues that are not among the newest few and that no other process has open."""
    current = layout.read_pointer(root)
    for path in layout.catalogues(root)[:-KEPT]:
        if path != current and not locks.held_by_a_reader(path):
            path.unlink(missing_ok=True)


def recover(root: Path) -> list[str]:
    """Point ``CURRENT`` at the newest sound catalogue, if it names none; say what was done. The caller holds the lock.

    A damaged catalogue is kept under another name: with an older one, the store is as it was some commits ago.
    """
    named = layout.pointed(root)
    if named is not None and _is_sound(named):
        return []
    mended = ["CURRENT was lost or torn" if named is None else f"CURRENT names {named.name}, which can't be read"]
    for path in reversed(layout.catalogues(root)):
        if _is_sound(path):
            layout.write_pointer(root, path.name)
            return [*mended, f"{path.name} is current now: what was committed after it, if anything, is lost"]
        path.replace(path.with_suffix(".damaged"))
        mended.append(f"{path.name} is damaged; it is kept as {path.stem}.damaged")
    raise StoreError(
        "None of the store's catalogues can be read",
        place=str(root),
        next_step="Restore one from a backup"
        + (f", such as those in {layout.BACKUPS}/" if layout.backups(root) else ""),
    )


def _is_sound(path: Path) -> bool:
    try:
        with catalogue.apart(path) as connection:
            _read_all(connection, "theirs")
    except (StoreError, FileNotFoundError, duckdb.Error):
        return False
    return True


def _orphans(root: Path, named: set[str]) -> Iterator[Path]:
    staging = root / layout.STAGING
    yield from staging.iterdir() if staging.is_dir() else ()
    for path in (root / layout.PARTS).rglob("*"):
        if path.is_file() and path.relative_to(root).as_posix() not in named:
            yield path
    segments = root / layout.SEGMENTS
    for path in segments.iterdir() if segments.is_dir() else ():
        if path.relative_to(root).as_posix() not in named:
            yield path
    current = layout.read_pointer(root)
    # A catalogue that came to its name when the pointer did not come to it.
    yield from (path for path in layout.catalogues(root) if int(path.stem) > int(current.stem))


def _named(root: Path) -> tuple[set[str], list[Path]]:
    """Return the files that the catalogues on disk name, up to the current one, and catalogues that can't be read."""
    named: set[str] = set()
    unreadable: list[Path] = []
    current = int(layout.read_pointer(root).stem)
    older = [path for path in layout.catalogues(root) if int(path.stem) <= current]
    for path in [*older, *layout.backups(root)]:
        # A withdrawn row names its file no longer; the catalogues before it still do, until they are retired.
        try:
            with catalogue.apart(path) as connection:
                rows = connection.execute(
                    "select path from theirs.main.parts where withdrawn_at is null union all "
                    "select path from theirs.main.segments where withdrawn_at is null"
                ).fetchall()
        except FileNotFoundError:
            continue
        except (StoreError, duckdb.Error):
            unreadable.append(path)
            continue
        named.update(name for (name,) in rows)
    return named, unreadable


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
