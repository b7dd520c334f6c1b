"""Checking that the store is what its catalogue says, and sweeping what no catalogue names."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import SegmentError, StoreError
from provenance.store import catalogue, layout, locks
from provenance.store.parts import file_checksum

KEPT: Final = 3
"""Catalogues that stay whether or not anybody reads them, so that a slow opener rarely has to try again."""


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
    """

    parts: int = 0
    segments: int = 0
    records: int = 0
    problems: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    swept: list[str] = field(default_factory=list)

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
    _check_parts(root, connection, report)
    _check_segments(root, connection, report)
    if not report.problems:  # counting needs every part to be readable
        report.problems.extend(_miscounts(connection))
        ((report.records,),) = connection.execute("select count(*) from observations").fetchall()
    with contextlib.ExitStack() as held:
        free = repair and held.enter_context(locks.no_sessions(root))
        if free:
            held.enter_context(locks.writers_lock(root, 60.0))
            retire(root)
        elif repair:
            report.problems.append("a scan or registration is writing, so nothing was swept; repeat when it has ended")
        report.orphans = sorted(path.relative_to(root).as_posix() for path in _orphans(root))
        for name in report.orphans if free else ():
            _remove(root / name)
            report.swept.append(name)
    return report


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


def _miscounts(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    for (problem,) in connection.execute(catalogue.sql_text("store/verify.sql")).fetchall():
        yield problem


def retire(root: Path) -> None:
    """Remove catalogues that are not among the newest few and that no other process has open."""
    current = layout.read_pointer(root)
    for path in layout.catalogues(root)[:-KEPT]:
        if path != current and not locks.held_by_a_reader(path):
            path.unlink(missing_ok=True)


def recover(root: Path) -> None:
    """Point ``CURRENT`` at the newest catalogue that can be opened, if it names none."""
    with contextlib.suppress(StoreError):
        if layout.read_pointer(root).exists():
            return
    for path in reversed(layout.catalogues(root)):
        try:
            catalogue.connect(path, read_only=True).close()
        except (StoreError, FileNotFoundError):
            continue
        layout.write_pointer(root, path.name)
        return
    raise StoreError(
        "None of the store's catalogues can be read", place=str(root), next_step="Restore it from a backup"
    )


def _orphans(root: Path) -> Iterator[Path]:
    named = _named(layout.catalogues(root))
    staging = root / layout.STAGING
    yield from staging.iterdir() if staging.is_dir() else ()
    for path in (root / layout.PARTS).rglob("*"):
        if path.is_file() and path.relative_to(root).as_posix() not in named:
            yield path
    segments = root / layout.SEGMENTS
    for path in segments.iterdir() if segments.is_dir() else ():
        if path.relative_to(root).as_posix() not in named:
            yield path


def _named(catalogues: Iterable[Path]) -> set[str]:
    named: set[str] = set()
    for path in catalogues:
        # A withdrawn row names its file no longer; the catalogues before it still do, until they are retired.
        try:
            connection = catalogue.connect(path, read_only=True)
        except FileNotFoundError:
            continue
        with connection:
            rows = connection.execute(
                "select path from parts where withdrawn_at is null union all "
                "select path from segments where withdrawn_at is null"
            ).fetchall()
            named.update(name for (name,) in rows)
    return named


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
