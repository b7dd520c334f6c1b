"""The original rows at given positions, for writing a part of a source out again as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from provenance.errors import SourceError
from provenance.readers.detect import detect
from provenance.readers.open import open_records
from provenance.readers.options import ReadOptions, Source, Tally

Positions = npt.NDArray[np.int64]


TABLES: Final = frozenset({"parquet", "csv", "tsv", "arrow", "arrows"})
"""Formats whose rows are copied with their own columns."""


def own_tables(
    source: Source, options: ReadOptions, positions: Positions
) -> tuple[pa.Schema, Iterator[tuple[Positions, pa.Table]]]:
    """Kept rows of a table (a format of `TABLES`) with its own columns, order and types, as from `parquet_tables`.

    The columns of a CSV or TSV file are text, as it stands there.
    """
    container = detect(source, options).container
    if container == "csv":
        from provenance.readers.delimited import csv_tables

        return csv_tables(source, options, positions)
    if container in ("arrow", "arrows"):
        from provenance.readers.ipc import ipc_tables

        return ipc_tables(source, options, positions)
    return parquet_tables(source, options, positions)


def parquet_tables(
    source: Source, options: ReadOptions, positions: Positions
) -> tuple[pa.Schema, Iterator[tuple[Positions, pa.Table]]]:
    """Kept rows of a Parquet source with all of its columns, in its order and of its types.

    Args:
        source: A Parquet file.
        options: ``batch_rows`` and ``batch_bytes`` bound the tables.
        positions: Row numbers to keep, sorted and unique. Row groups without any are not read.

    Returns:
        The file's schema, and tables with the positions of their rows.

    Raises:
        SourceError: The file can't be read, or a page with a kept row can't be decoded any more.
    """
    from provenance.readers.parquet import open_parquet

    with open_parquet(source) as file:
        return file.schema_arrow, _parquet_tables(source, options, positions)


def _parquet_tables(source: Source, options: ReadOptions, positions: Positions) -> Iterator[tuple[Positions, pa.Table]]:
    from provenance.readers.pages import PagesRefused
    from provenance.readers.parquet import DAMAGE, bounds, open_parquet

    first = 0
    with open_parquet(source) as file:
        for group in range(file.metadata.num_row_groups):
            metadata = file.metadata.row_group(group)
            wanted = positions[slice(*np.searchsorted(positions, [first, first + metadata.num_rows]))]
            at = first
            first += metadata.num_rows
            if not len(wanted):
                continue
            try:
                size, _ = bounds(file, group, None, options, source)
                for batch in file.iter_batches(size, row_groups=[group], use_threads=False):
                    kept = wanted[slice(*np.searchsorted(wanted, [at, at + batch.num_rows]))]
                    if len(kept):
                        yield kept, taken(pa.table(batch), kept - at)
                    at += batch.num_rows
            except (PagesRefused, *DAMAGE) as error:
                raise SourceError(
                    f"Row group {group} can't be read: {error}",
                    place=source.uri,
                    next_step="The file has changed since it was scanned; scan it again",
                ) from error


def taken(table: pa.Table, indices: Positions) -> pa.Table:
    """Return the rows of a table at these places."""
    if len(indices) == table.num_rows:
        return table
    try:
        return table.take(pa.array(indices))
    except pa.ArrowNotImplementedError:
        # Some types (string views) can be sliced but not taken from.
        runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
        return pa.concat_tables([table.slice(int(run[0]), len(run)) for run in runs])


def jsonl_lines(source: Source, options: ReadOptions, positions: Positions) -> Iterator[tuple[int, bytes]]:
    """Kept lines of a JSONL source as they stand there, without line ends; of a JSON array, its objects as lines.

    Args:
        source: A JSONL file, plain or compressed.
        options: ``max_line_bytes`` as at the scan.
        positions: Line numbers to keep, sorted and unique.
    """
    from provenance.readers.lines import lines
    from provenance.readers.pieces import pieces

    form = detect(source, options)
    stream = pieces(source.location, form.compression, lambda _: None, caps=options)
    wanted = iter(positions.tolist())
    position = next(wanted, None)
    if form.container == "json":
        import json

        rows = json.loads(b"".join(piece.data for piece in stream).removeprefix(b"\xef\xbb\xbf"))
        yield from ((index, json.dumps(rows[index], ensure_ascii=False).encode()) for index in positions.tolist())
        return
    for line in lines(stream, options.max_line_bytes):
        if position is None:
            return
        if line.number == position:
            if line.fault is None:
                yield line.number, line.content.removesuffix(b"\r")
            position = next(wanted, None)


def crawl_rows(source: Source, options: ReadOptions, positions: Sequence[int] | Positions) -> Iterator[pa.RecordBatch]:
    """Kept records of any source as batches of `schema.RAW`."""
    wanted = pa.array(np.asarray(positions, dtype=np.int64))
    for batch in open_records(source, options, Tally()):
        kept = batch.filter(pc.is_in(batch.column("position"), value_set=wanted))
        if kept.num_rows:
            yield kept
