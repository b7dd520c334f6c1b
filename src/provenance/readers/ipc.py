"""Arrow IPC: files (Feather version 2) and streams, plain or compressed, read batch by batch in one pass."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provenance.errors import SourceError
from provenance.readers.batches import at_positions
from provenance.readers.card import card_declarations
from provenance.readers.detect import Form, detect
from provenance.readers.messages import MessageRefused, Messages
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.parquet import DAMAGE, columns_of, raw_batches
from provenance.readers.pieces import fault_reason, pieces
from provenance.readers.streams import Stream

_DAMAGE: Final = (*DAMAGE, MessageRefused, ValueError, KeyError)
_FREE: Final = 1 << 30
"""Bytes of text that a source may hold whatever its size: beyond, dictionaries may not blow it up at will."""


def read_ipc(
    source: Source, form: Form, options: ReadOptions, tally: Tally, only: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of the rows of an Arrow IPC file or stream."""

    def progress(offset: int) -> None:
        tally.bytes_read = max(tally.bytes_read, offset)

    reader = _Reader(source, form, options, progress)
    names = reader.schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(
            f"Two columns are named {twice!r}", place=source.uri, next_step="Rename one of them and write it again"
        )
    columns = columns_of(reader.schema, options, source.uri)
    card = card_declarations(source)
    needed = [name for name in names if any(path == name or path.startswith(f"{name}.") for path in columns.top_level)]
    texts = 0
    for first, rows in reader.batches(tally, needed):
        for start, stop in _cuts(rows, columns.text, options):
            if only is not None and not np.searchsorted(only, first + start) < np.searchsorted(only, first + stop):
                continue
            part = _decoded(rows.slice(start, stop - start))
            positions = np.arange(first + start, first + stop, dtype=np.int64)
            for batch in raw_batches(part, positions, columns, card, options, tally):
                texts += batch.column("raw").nbytes
                if texts > max(_FREE, options.max_ratio * source.bytes):
                    raise SourceError(
                        f"Its texts are more than {options.max_ratio} times its size", place=source.uri,
                        next_step="It repeats values of a dictionary; write it as Parquet, if you trust it",
                    )  # fmt: skip
                kept = batch if only is None else at_positions(batch, only)
                if kept.num_rows:
                    yield kept


def ipc_tables(
    source: Source, options: ReadOptions, positions: Positions
) -> tuple[pa.Schema, Iterator[tuple[Positions, pa.Table]]]:
    """Kept rows of an Arrow IPC source with all of its columns, in its order and of its types.

    Args:
        source: The file.
        options: Caps as at the scan.
        positions: Row numbers to keep, sorted and unique.

    Returns:
        The source's schema, and tables with the positions of their rows.
    """
    reader = _Reader(source, detect(source, options), options, lambda _: None)
    return reader.schema, _tables(reader, options, positions)


def _tables(reader: _Reader, options: ReadOptions, positions: Positions) -> Iterator[tuple[Positions, pa.Table]]:
    from provenance.readers.rows import taken

    for first, rows in reader.batches(Tally(), reader.schema.names):
        for start in range(0, rows.num_rows, options.batch_rows):
            part = rows.slice(start, options.batch_rows)
            begin = first + start
            kept = positions[slice(*np.searchsorted(positions, [begin, begin + part.num_rows]))]
            if len(kept):
                yield kept, taken(pa.Table.from_batches([part]), kept - begin)


class _Reader:
    """One pass over the messages of a source."""

    def __init__(self, source: Source, form: Form, options: ReadOptions, progress: Callable[[int], None]) -> None:
        self._source, self._form, self._options = source, form, options
        self._fault: str | None = None
        stream = pieces(source.location, form.compression, progress, caps=options)

        def chunks() -> Iterator[bytes]:
            for piece in stream:
                yield piece.data
                if piece.fault is not None:
                    self._fault = piece.fault
                    return

        self._messages = Messages(cast("Any", io.BufferedReader(Stream(chunks()), 1 << 20)), options)
        try:
            self._arrow = pa.ipc.open_stream(pa.PythonFile(self._messages, mode="r"))
            _ = self._arrow.schema.names
        except _DAMAGE as error:
            raise SourceError(
                f"The Arrow schema can't be read: {_first_line(error)}",
                place=source.uri,
                next_step="The file is truncated or damaged; write or download it again",
            ) from error
        self.schema: pa.Schema = self._arrow.schema

    def batches(self, tally: Tally, names: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Record batches with the number of their first row; what can't be decoded becomes rejects."""
        first = 0
        while True:
            self._messages.rows, count = 0, self._messages.count
            unit = -1 - first
            tally.watch(unit)
            try:
                batch = self._arrow.read_next_batch()
                if unit in tally.given_up:
                    raise MessageRefused(": ".join(tally.given_up[unit]))
                batch = batch.select(names)
                batch.validate(full=True)
            except StopIteration:
                break
            except _DAMAGE as error:
                if self._messages.cut:
                    break
                tally.rests()
                self._messages.skip()
                for row in range(first, first + max(1, self._messages.rows)):
                    tally.reject(row, "damaged-batch", _first_line(error), self._options)
                first += max(1, self._messages.rows)
                if self._messages.ended or self._messages.count == count:  # Arrow reads no further either
                    return
                continue
            tally.rests()
            yield first, batch
            first += batch.num_rows
        tally.rests()
        if self._fault is not None or self._messages.cut:
            reason = fault_reason(self._fault) if self._fault else "truncated"
            tally.reject(first, reason, self._fault or "the file ends inside a batch", self._options)
        elif self._form.container == "arrow" and not self._messages.marked:
            tally.reject(first, "truncated", "the file ends before its end mark", self._options)


def _cuts(rows: pa.RecordBatch, path: str, options: ReadOptions) -> Iterator[tuple[int, int]]:
    """Bounds of runs of rows whose text, once taken from its dictionary, has about ``batch_bytes``."""
    column: pa.Array = rows.column(path) if path in rows.schema.names else rows.column(path.split(".")[0])
    if not isinstance(column.type, pa.DictionaryType):
        size = max(1, column.nbytes // max(1, len(column)))
        step = max(1, min(options.batch_rows, options.batch_bytes // size))
        yield from ((start, min(start + step, rows.num_rows)) for start in range(0, rows.num_rows, step))
        return
    lengths = pc.fill_null(pc.binary_length(column.dictionary).take(column.indices), 0)
    ends = np.cumsum(lengths.to_numpy(zero_copy_only=False).astype(np.int64))
    start = 0
    while start < len(ends):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + options.batch_bytes, side="left")) + 1
        stop = min(stop, start + options.batch_rows, len(ends))
        yield start, stop
        start = stop


def _decoded(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows without run-end encoding, which hardly any function of Arrow takes."""
    columns = [
        pc.run_end_decode(column) if isinstance(column.type, pa.RunEndEncodedType) else column
        for column in rows.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=rows.schema.names)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
