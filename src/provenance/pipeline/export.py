"""Write what a scan found as Parquet files for tools that don't read the store."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import UsageError
from provenance.pipeline.sinks import force, unfinished
from provenance.store import Store

_ROWS_PER_FILE: Final = 1_000_000
_BATCH: Final = 65_536


def write_scan(store: Store, scan_id: str, folder: Path) -> None:
    """Write ``records-*.parquet`` and ``rejects-*.parquet`` of a scan into a folder, in the order of the input.

    Each file appears whole or not at all; files of an earlier export stay until all new ones are written.

    Raises:
        UsageError: If the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("records", "rejects"):
            query = f"select * from {name} where scan_id = ? order by source_id, position"  # noqa: S608 - the two above
            _write(store, folder, name, query, scan_id)
    except OSError as error:
        raise UsageError(
            f"The output folder can't be written: {error.strerror or error}",
            place=str(folder),
            next_step="Name another with --out; the scan itself is in the store",
        ) from error


def _write(store: Store, folder: Path, name: str, query: str, scan_id: str) -> None:
    written: list[Path] = []
    try:
        with store.read() as connection:
            reader: pa.RecordBatchReader = connection.sql(query, params=[scan_id]).to_arrow_reader(_BATCH)
            for number, batches in enumerate(_files(reader)):
                written.append(unfinished(folder / f"{name}-{number:05d}.parquet"))
                with pq.ParquetWriter(written[-1], reader.schema, compression="zstd") as writer:
                    for batch in batches:
                        writer.write_batch(batch)
                force(written[-1])
        final = [folder / f"{name}-{number:05d}.parquet" for number in range(len(written))]
        for waiting, path in zip(written, final, strict=True):
            waiting.replace(path)
        for old in set(folder.glob(f"{name}-[0-9][0-9][0-9][0-9][0-9].parquet")) - set(final):
            old.unlink()
        force(folder)
    finally:
        for waiting in written:
            with contextlib.suppress(OSError):
                waiting.unlink(missing_ok=True)


def _files(reader: pa.RecordBatchReader) -> Iterator[Iterable[pa.RecordBatch]]:
    """Divide batches among files; the first one is there even without rows."""
    batches = iter(reader)
    first = next(batches, None)
    if first is None:
        yield ()
    while first is not None:
        yield itertools.chain((first,), _until_full(batches, first.num_rows))
        first = next(batches, None)


def _until_full(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    while rows < _ROWS_PER_FILE and (batch := next(batches, None)) is not None:
        rows += batch.num_rows
        yield batch
