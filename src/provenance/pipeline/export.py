"""Write what a scan found as Parquet files for tools that don't read the store."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import UsageError
from provenance.store import Store

_ROWS_PER_FILE: Final = 1_000_000
_BATCH: Final = 65_536


def write_scan(store: Store, scan_id: str, folder: Path) -> None:
    """Write ``records-*.parquet`` and ``rejects-*.parquet`` of a scan into a folder, in the order of the input.

    Raises:
        UsageError: If the folder can't be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(
            store, folder, "records", "select * from records where scan_id = ? order by source_id, position", scan_id
        )
        _write(
            store, folder, "rejects", "select * from rejects where scan_id = ? order by source_id, position", scan_id
        )
    except OSError as error:
        raise UsageError(
            f"The output folder can't be written: {error.strerror or error}",
            place=str(folder),
            next_step="Name another with --out; the scan itself is in the store",
        ) from error


def _write(store: Store, folder: Path, name: str, query: str, scan_id: str) -> None:
    for old in folder.glob(f"{name}-[0-9][0-9][0-9][0-9][0-9].parquet"):
        old.unlink()
    with store.read() as connection:
        reader: pa.RecordBatchReader = connection.sql(query, params=[scan_id]).to_arrow_reader(_BATCH)
        writer, written, number = None, 0, 0
        try:
            for batch in reader:
                if writer is None or written >= _ROWS_PER_FILE:
                    if writer is not None:
                        writer.close()
                    writer = pq.ParquetWriter(
                        folder / f"{name}-{number:05d}.parquet", reader.schema, compression="zstd"
                    )
                    written, number = 0, number + 1
                writer.write_batch(batch)
                written += batch.num_rows
            if writer is None:
                writer = pq.ParquetWriter(folder / f"{name}-00000.parquet", reader.schema, compression="zstd")
        finally:
            if writer is not None:
                writer.close()
