"""The files of the gate: records concerned, the rows of a subset, weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from provenance.errors import UsageError
from provenance.escapes import csv_cell
from provenance.pipeline import catalogue, sinks
from provenance.pipeline.filter import kept_rows
from provenance.pipeline.reread import refuse_if_changed
from provenance.readers import ReadOptions

if TYPE_CHECKING:
    import duckdb

    from provenance.store import Store

_CSV = ".csv"


def write_table(path: Path, rows: pa.RecordBatchReader) -> int:
    """Write rows as they come to a Parquet, JSONL or CSV file (lists joined by ``;``), and return how many."""
    if path.suffix == _CSV:
        return _write_csv(path, rows)
    tables = (pa.Table.from_batches([batch]) for batch in rows)
    return sinks.write(path, sinks.form_of(path), tables, rows.schema)


def require_writable(path: Path) -> None:
    """Raise a `UsageError` if a file's name does not say what to write."""
    if path.suffix != _CSV:
        sinks.form_of(path, also=(_CSV,))


def _write_csv(path: Path, rows: pa.RecordBatchReader) -> int:
    fields = [pa.field(f.name, pa.string() if pa.types.is_list(f.type) else f.type) for f in rows.schema]
    schema = pa.schema(fields)
    waiting = sinks.unfinished(path)
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with csv.CSVWriter(str(waiting), schema) as writer:
            for batch in rows:
                columns = [pc.binary_join(c, ";") if pa.types.is_list(c.type) else c for c in batch.columns]
                columns = [_harmless(c) if pa.types.is_string(c.type) else c for c in columns]
                writer.write_batch(
                    pa.record_batch([c.cast(f.type) for c, f in zip(columns, fields, strict=True)], schema=schema)
                )
                count += batch.num_rows
        waiting.replace(path)
    except OSError as error:
        raise UsageError(f"The output can't be written: {error.strerror or error}", place=str(path)) from error
    finally:
        waiting.unlink(missing_ok=True)
    return count


def _harmless(column: pa.Array) -> pa.Array:
    """Return texts as cells that no spreadsheet runs."""
    return pa.array([csv_cell(value) for value in column.to_pylist()], pa.string())


def write_rows(store: Store, connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Write the rows of the members in ``kept`` from their sources, as `filter` does, and return how many.

    Raises:
        UsageError: If a source is gone or has changed since it was scanned.
    """
    return sinks.write(path, sinks.form_of(path), _rows(store, connection, path))


def _rows(store: Store, connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[sinks.Rows]:
    scans = connection.execute(
        "select distinct scan_id from member semi join kept on kept.record_id = member.record_id order by 1"
    ).fetchall()
    for (scan_id,) in scans:
        connection.execute(
            "create or replace temp table tagged as select member.*, true as keep from member "
            "semi join kept on kept.record_id = member.record_id where member.scan_id = $1",
            [scan_id],
        )
        held = {source for (source,) in connection.execute("select distinct source_id from tagged").fetchall()}
        sources = [source for source in catalogue.sources(store, scan_id) if source["source_id"] in held]
        for source in sources:
            refuse_if_changed(source)
        options = ReadOptions(**catalogue.read_options(catalogue.scan_row(store, scan_id) or {}))
        yield from kept_rows(connection, sources, options, sinks.form_of(path), False, None)
