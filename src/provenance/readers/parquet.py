"""Parquet: row groups streamed, columns cast and combined without touching a row in Python."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from provenance import schema
from provenance.errors import SourceError, UsageError
from provenance.readers.batches import at_positions, declaration_lists
from provenance.readers.card import card_declarations
from provenance.readers.cells import as_strings, as_text, values_of
from provenance.readers.columns import Columns, declaration, resolve
from provenance.readers.dates import EPOCH, FIRST_PAGE, LAST, parse_date
from provenance.readers.marks import Span
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.pages import PagesRefused, chunks_of, rows_at_once
from provenance.readers.pieces import opened
from provenance.readers.remote import is_remote

DAMAGE: Final = (OSError, pa.ArrowException, UnicodeDecodeError, RuntimeError)
"""What Arrow raises on a damaged file; the last two for names of columns that are no UTF-8, and for lying metadata."""

_MAX_DECLARATIONS: Final = 32
_SMALL: Final = 256
"""Batches of fewer rows are joined."""

_FREE: Final = 256 << 20
"""Bytes that the rows of a row group may come to whatever their ratio."""


def open_parquet(source: Source) -> pq.ParquetFile:
    """Open a file so that it is read page by page.

    Raises:
        SourceError: Its footer is missing or broken.
    """
    try:
        file = pq.ParquetFile(_opened(source), pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True)
        _ = file.schema_arrow.names
        return file
    except DAMAGE as error:
        raise SourceError(
            f"The Parquet footer can't be read: {_first_line(error)}",
            place=source.uri,
            next_step="The file is truncated or damaged; write or download it again",
        ) from error


def _opened(source: Source) -> Any:
    return opened(source.location) if is_remote(source.location) else source.location


def read_parquet(
    source: Source, options: ReadOptions, tally: Tally, only: Positions | None = None, span: Span | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of the rows of a Parquet file, or of a span of its row groups.

    A row group with a damaged page loses its remaining rows to rejects.
    """
    with open_parquet(source) as file:
        if file.metadata.num_rows == 0 and options.text_column is None:
            return
        names = file.schema_arrow.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(
                f"Two columns are named {twice!r}",
                place=source.uri,
                next_step="Rename one of them and write the file again",
            )
        columns = columns_of(file.schema_arrow, options, source.uri)
        card = card_declarations(source)
        for first, rows in table_batches(file, source, columns.top_level, options, tally, only, span):
            positions = np.arange(first, first + rows.num_rows, dtype=np.int64)
            for batch in raw_batches(rows, positions, columns, card, options, tally):
                tally.bytes_read = min(tally.bytes_read, source.bytes)
                kept = batch if only is None else at_positions(batch, only)
                if kept.num_rows:
                    yield kept


def columns_of(arrow: pa.Schema, options: ReadOptions, place: str) -> Columns:
    """Choose columns by name from a schema; a text column has to be of a string type."""
    typed = dict(_leaves(arrow, ""))
    texts = [path for path, kind in typed.items() if _is_text(kind)]
    columns = resolve(typed, texts, options, place)
    if not _is_text(typed[columns.text]):
        raise UsageError(
            f"Column {columns.text!r} holds {typed[columns.text]}, not text", place=place, next_step="Name another"
        )
    return columns


def table_batches(
    file: pq.ParquetFile,
    source: Source,
    paths: list[str] | None,
    options: ReadOptions,
    tally: Tally,
    only: Positions | None = None,
    span: Span | None = None,
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of a file with the number of their first row; what can't be decoded becomes rejects.

    Row groups, and batches of them, without any of the positions ``only`` are left out.
    """
    span = span or Span()
    first = span.first.row
    groups: int = file.metadata.num_row_groups
    for group in range(span.first.offset, groups if span.stop is None else min(span.stop, groups)):
        metadata = file.metadata.row_group(group)
        done = 0
        if not _any_between(only, first, first + metadata.num_rows):
            first += metadata.num_rows
            continue
        try:
            size, most = bounds(file, group, paths, options, source)
            decoded = file.iter_batches(size, row_groups=[group], columns=paths, use_threads=False)
            while (batch := _decoded(decoded, first + done, size, options, tally)) is not None:
                most -= batch.nbytes
                if most < 0:
                    raise PagesRefused("ratio", f"more than {options.max_ratio} times its size")
                if _any_between(only, first + done, first + done + batch.num_rows):
                    yield first + done, batch
                done += batch.num_rows
        except (PagesRefused, *DAMAGE) as error:
            reason, detail = ("damaged-row-group", _first_line(error))
            if isinstance(error, PagesRefused):
                reason, detail = error.args
            for row in range(first + done, first + metadata.num_rows):
                tally.reject(row, reason, f"row group {group}: {detail}", options)
        first += metadata.num_rows
        # Sizes as stored stand in the columns' metadata, and where that lies, Arrow ends the process.
        tally.bytes_read += metadata.total_byte_size


def bounds(
    file: pq.ParquetFile, group: int, paths: list[str] | None, options: ReadOptions, source: Source
) -> tuple[int, int]:
    """Rows of a row group to decode at once, and bytes that all of them may come to.

    Args:
        file: The file, open.
        group: Number of the row group.
        paths: Top-level columns that are read; None for all.
        options: The caps.
        source: The file.

    Raises:
        PagesRefused: The row group can't be decoded within the caps.
        OSError: Its metadata is broken.
    """
    size = batch_size(file.metadata.row_group(group), options)
    if is_remote(source.location):  # to look at its pages is to transfer the file twice
        return size, options.max_source_bytes
    leaves = [file.schema.column(index) for index in range(len(file.schema))]
    chunks = chunks_of(source.location)[group : group + 1]
    if [len(each) for each in chunks] != [len(leaves)]:  # a footer that is broken can be read in two ways
        raise OSError("the row group has other columns than the schema")
    named = [
        (chunk, leaf.max_repetition_level > 0)
        for chunk, leaf in zip(chunks[0], leaves, strict=True)
        if paths is None or any(f"{leaf.path}.".startswith(f"{path}.") for path in paths)
    ]
    rows, most = rows_at_once(source.location, named, size, options)
    return rows, max(_FREE, most)


def _decoded(
    batches: Iterator[pa.RecordBatch], row: int, size: int, options: ReadOptions, tally: Tally
) -> pa.RecordBatch | None:
    """The next batch. Its unit is told from the rows by its sign: what breaks the decoder breaks it for all of them."""
    unit = -1 - row
    tally.watch(unit)
    if unit in tally.given_up:
        raise OSError(": ".join(tally.given_up[unit]))
    batch = next(batches, None)
    if size < _SMALL and batch is not None:
        batch = _joined(batch, batches, options)
    tally.rests()
    return batch


def _joined(batch: pa.RecordBatch, batches: Iterator[pa.RecordBatch], options: ReadOptions) -> pa.RecordBatch:
    """The batch with those behind it, up to the size of one, where they had to be decoded a few rows at a time."""
    found, rows, size = [batch], batch.num_rows, batch.nbytes
    while rows < options.batch_rows and size < options.batch_bytes and (more := next(batches, None)) is not None:
        found.append(more)
        rows, size = rows + more.num_rows, size + more.nbytes
    table = pa.Table.from_batches(found).combine_chunks()
    return table.to_batches()[0] if rows else batch


def _any_between(only: Positions | None, first: int, end: int) -> bool:
    return only is None or bool(np.searchsorted(only, first) < np.searchsorted(only, end))


def batch_size(group: pq.RowGroupMetaData, options: ReadOptions) -> int:
    """Rows to decode at once, so that a batch of long rows stays near ``options.batch_bytes``."""
    bytes_per_row: int = max(1, group.total_byte_size // max(1, group.num_rows))
    return max(1, min(options.batch_rows, options.batch_bytes // bytes_per_row))


def raw_batches(
    rows: pa.RecordBatch,
    positions: Positions,
    columns: Columns,
    card: list[tuple[str, str, str]],
    options: ReadOptions,
    tally: Tally,
) -> Iterator[pa.RecordBatch]:
    """Rows of a table as batches of `schema.RAW`; what has no text, or too much, becomes a reject."""
    text = _column(rows, columns.text)
    if isinstance(text.type, pa.DictionaryType):
        text = text.dictionary_decode()
    text, bad_bytes = as_text(text)
    sizes = pc.fill_null(pc.binary_length(text), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    missing = pc.is_null(text).to_numpy(zero_copy_only=False)
    overlong = sizes > options.max_record_bytes
    own_id = _strings(rows, columns.id)
    url = _strings(rows, columns.url)
    if columns.url is None and columns.id is not None:
        url = pc.if_else(pc.match_substring_regex(own_id, "^https?://"), own_id, pa.scalar(None, pa.string()))
    moments, origins = _dates(rows, columns)
    arrays = [
        pa.array(positions),
        own_id,
        url,
        moments,
        origins,
        text,
        _declared(rows, columns, card),
        pa.repeat(False, rows.num_rows),
    ]
    given_up = np.isin(positions, list(tally.given_up))
    dropped = missing | overlong | given_up
    for index in np.flatnonzero(dropped):
        if given_up[index]:
            tally.reject(int(positions[index]), *tally.given_up[int(positions[index])], options)
            continue
        reason = "too-long" if overlong[index] else "bad-utf8" if index in bad_bytes else "no-text"
        detail = f"{sizes[index]} bytes" if overlong[index] else f"column {columns.text!r}"
        tally.reject(int(positions[index]), reason, detail, options)
    if dropped.any():
        kept = pa.array(~dropped)
        arrays, sizes = [array.filter(kept) for array in arrays], sizes[~dropped]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema.RAW)
    for start, stop in _cuts(sizes, options.batch_bytes):
        tally.records += stop - start
        yield batch.slice(start, stop - start)


def _cuts(sizes: np.ndarray[Any, np.dtype[np.int64]], limit: int) -> Iterator[tuple[int, int]]:
    """Bounds of runs of rows whose text has about ``limit`` bytes, the last row counted whole."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + limit, side="left")) + 1
        yield start, min(stop, len(sizes))
        start = stop


def _strings(rows: pa.RecordBatch, path: str | None) -> pa.Array:
    if path is None:
        return pa.nulls(rows.num_rows, pa.string())
    column = _column(rows, path)
    try:
        cast = column.cast(pa.string())
        cast.validate(full=True)
        return cast
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Ids are kept even where their bytes are no UTF-8 or their type has no cast: they only have to be stable.
        return as_strings(column)


def _dates(rows: pa.RecordBatch, columns: Columns) -> tuple[pa.Array, pa.Array]:
    moments = pa.nulls(rows.num_rows, schema.TIMESTAMP)
    origins = pa.nulls(rows.num_rows, pa.string())
    for paths, origin in ((columns.captured, "column"), (columns.published, "page")):
        for path in paths:
            found = _moments(_column(rows, path))
            unbelievable = pc.or_(pc.equal(found, _scalar(EPOCH)), pc.greater_equal(found, _scalar(LAST)))
            if origin == "column":
                unbelievable = pc.or_(unbelievable, pc.less(found, _scalar(FIRST_PAGE)))
            judged = pc.if_else(unbelievable, pa.scalar("implausible"), pa.scalar(origin))
            origins = pc.if_else(pc.is_null(moments), judged, origins)
            moments = pc.coalesce(moments, found)
    return moments, origins


def _scalar(moment: object) -> pa.Scalar:
    return pa.scalar(moment, schema.TIMESTAMP)


def _moments(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        naive = column.cast(pa.timestamp("us"), safe=False) if pa.types.is_date(kind) or kind.tz is None else column
        return naive.cast(schema.TIMESTAMP, safe=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Arrow's parser reads ISO 8601 to the second or finer; the rest goes through the documented Python form.
        shaped = pc.match_substring_regex(column, r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ$")
        if pc.all(shaped, min_count=0).as_py():
            try:
                return column.cast(schema.TIMESTAMP)
            except pa.ArrowInvalid:
                pass
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or isinstance(kind, pa.DictionaryType)):
        return pa.nulls(len(column), schema.TIMESTAMP)
    encoded = column if isinstance(kind, pa.DictionaryType) else column.dictionary_encode()
    parsed = [parse_date(value) for value in values_of(encoded.dictionary)]
    return pa.array(parsed, schema.TIMESTAMP).take(encoded.indices)


def _declared(rows: pa.RecordBatch, columns: Columns, card: list[tuple[str, str, str]]) -> pa.Array:
    if not columns.declaring:
        return declaration_lists([card] * rows.num_rows)
    fields = []
    for path in columns.declaring:
        encoded = _column(rows, path)
        if not isinstance(encoded.type, pa.DictionaryType):
            if pa.types.is_nested(encoded.type):
                encoded = as_strings(encoded)
            encoded = encoded.dictionary_encode()
        values = [declaration(path, value) for value in values_of(encoded.dictionary)]
        fields.append([None if index is None else values[index] for index in encoded.indices.to_pylist()])
    lists = [[*card, *(field for field in row if field)][:_MAX_DECLARATIONS] for row in zip(*fields, strict=True)]
    return declaration_lists(lists)


def _leaves(fields: Any, prefix: str) -> Iterator[tuple[str, pa.DataType]]:
    for field in fields:
        yield prefix + field.name, field.type
        if pa.types.is_struct(field.type) and not prefix:
            yield from _leaves(field.type, f"{field.name}.")


def _column(rows: pa.RecordBatch, path: str) -> pa.Array:
    if path in rows.schema.names:
        return rows.column(path)
    outer, *inner = path.split(".")
    return reduce(lambda column, name: pc.struct_field(column, name), inner, rows.column(outer))


def _is_text(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
