"""CSV and TSV: rows of text under a header; a bad row is a reject, and its neighbours are read.

Parsed by the standard library's `csv` in its strict mode, record by record, because Arrow's reader gives a file up for
a value that does not fit the type of its first block and counts rows differently around bad ones. Where a quote is
never closed, reading goes on at the line behind the one that opened it, not at the end of the file.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TextIO, cast

import numpy as np
import pyarrow as pa

from provenance.errors import SourceError
from provenance.readers.card import card_declarations
from provenance.readers.columns import TEXT, resolve
from provenance.readers.detect import detect
from provenance.readers.dialect import dialect_of
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.parquet import raw_batches
from provenance.readers.pieces import Piece, fault_reason, pieces
from provenance.readers.plain import encoding_of
from provenance.readers.streams import Stream

_PROBE: Final = 1 << 16
_MAX_REREAD: Final = 4


class Row(NamedTuple):
    """One record of the file behind its header.

    Attributes:
        number: From 0; bad rows count, blank lines do not.
        cells: As many as the header has; empty where ``reason`` is set.
        reason: Why it is a reject, or None.
        detail: The reason for a person, with the line it begins at.
    """

    number: int
    cells: list[str]
    reason: str | None = None
    detail: str = ""


def read_csv(
    source: Source, compression: str, options: ReadOptions, tally: Tally, only: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of the rows of a CSV or TSV file."""

    def progress(offset: int) -> None:
        tally.bytes_read = max(tally.bytes_read, offset)

    header, rows, delimiter = table_rows(source, compression, options, progress)
    if delimiter == "\t":
        tally.format = tally.format.replace("csv", "tsv", 1)
    if not header:
        return
    columns = resolve(header, header, options, source.uri)
    card = card_declarations(source)
    for numbers, cells in _chunks(_good(rows, options, tally, only), options):
        batch = _batch(header, cells, columns.top_level, columns.text)
        yield from raw_batches(batch, np.array(numbers, np.int64), columns, card, options, tally)


def csv_tables(
    source: Source, options: ReadOptions, positions: Positions
) -> tuple[pa.Schema, Iterator[tuple[Positions, pa.Table]]]:
    """Kept rows of a CSV or TSV source with all of its columns, as the text that stands there.

    Args:
        source: The file.
        options: Caps as at the scan.
        positions: Row numbers to keep, sorted and unique.

    Returns:
        The columns, and tables with the positions of their rows.
    """
    header, rows, _ = table_rows(source, detect(source, options).compression, options, lambda _: None)
    schema = pa.schema([pa.field(name, pa.large_string()) for name in header])
    return schema, _tables(header, _good(rows, options, Tally(), positions), options)


def _tables(header: list[str], rows: Iterator[Row], options: ReadOptions) -> Iterator[tuple[Positions, pa.Table]]:
    for numbers, cells in _chunks(rows, options):
        yield np.array(numbers, np.int64), pa.Table.from_batches([_batch(header, cells, header)])


def _good(rows: Iterator[Row], options: ReadOptions, tally: Tally, only: Positions | None) -> Iterator[Row]:
    wanted = None if only is None else frozenset(only.tolist())
    last = max(wanted, default=-1) if wanted is not None else -1
    for row in rows:
        if wanted is not None and row.number > last:
            return
        if row.reason is not None:
            tally.reject(row.number, row.reason, row.detail, options)
        elif wanted is None or row.number in wanted:
            yield row


def _chunks(rows: Iterator[Row], options: ReadOptions) -> Iterator[tuple[list[int], list[list[str]]]]:
    numbers: list[int] = []
    cells: list[list[str]] = []
    size = 0
    for row in rows:
        numbers.append(row.number)
        cells.append(row.cells)
        size += sum(map(len, row.cells))
        if len(numbers) >= options.batch_rows or size >= options.batch_bytes:
            yield numbers, cells
            numbers, cells, size = [], [], 0
    if numbers:
        yield numbers, cells


def _batch(header: list[str], cells: list[list[str]], names: list[str], text: str | None = None) -> pa.RecordBatch:
    """Columns of the rows; beside a named text, the empty cells of the others are none."""
    columns = []
    for name in names:
        place = header.index(name)
        found = [row[place] if text in (None, name) else row[place] or None for row in cells]
        columns.append(pa.array(found, pa.large_string()))
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def table_rows(
    source: Source, compression: str, options: ReadOptions, progress: Callable[[int], None]
) -> tuple[list[str], Iterator[Row], str]:
    """The header of a file, its rows, and what separates its cells; the header is empty where the file has none.

    Raises:
        SourceError: The header can't be read, or has more than ``options.max_columns`` columns.
    """
    start = _start(source, compression, options)
    encoding = encoding_of(start)
    likely = {*TEXT, (options.text_column or TEXT[0]).lower()}
    dialect = dialect_of(start.decode(encoding, "replace"), source.uri, likely, whole=len(start) < _PROBE)
    csv.field_size_limit(max(csv.field_size_limit(), options.max_line_bytes))
    stream = pieces(source.location, compression, progress, caps=options)
    records = _records(stream, encoding, dialect, options.max_line_bytes)
    first = next(records, None)
    if first is None:
        return [], iter(()), ""
    if first.fault is not None or len(first.cells) > options.max_columns:
        more = f"it has {len(first.cells)} columns, more than {options.max_columns}"
        raise SourceError(
            f"The header can't be read: {first.detail or more}",
            place=source.uri,
            next_step="Check the file's first line; it has to name the columns",
        )
    return _distinct(first.cells), _rows(records, len(first.cells)), dialect.delimiter


def _start(source: Source, compression: str, options: ReadOptions) -> bytes:
    found = bytearray()
    for piece in pieces(source.location, compression, lambda _: None, caps=options):
        found += piece.data
        if len(found) >= _PROBE or piece.fault is not None:
            break
    return bytes(found[:_PROBE])


def _distinct(header: list[str]) -> list[str]:
    """Names of columns, each once: a table of Arrow may have two of a name, but nobody could ask for either."""
    names: list[str] = []
    for cell in header:
        name, count = cell.strip(), 1
        while name in names:
            count += 1
            name = f"{cell.strip()}_{count}"
        names.append(name)
    return names


class _Record(NamedTuple):
    cells: list[str]
    line: int
    fault: str | None = None
    detail: str = ""


def _rows(records: Iterator[_Record], width: int) -> Iterator[Row]:
    for number, record in enumerate(records):
        cells, place = record.cells, f"line {record.line}"
        if record.fault is not None:
            yield Row(number, [], record.fault, f"{place}: {record.detail}")
        elif len(cells) == width + 1 and not cells[-1]:
            yield Row(number, cells[:-1])  # the line ends in a delimiter
        elif len(cells) != width:
            yield Row(number, [], "bad-row", f"{place}: {len(cells)} fields where the header has {width}")
        else:
            yield Row(number, cells)


def _records(stream: Iterator[Piece], encoding: str, dialect: type[csv.Dialect], limit: int) -> Iterator[_Record]:
    """Records of a file; behind damage to its compression reading goes on at the next line."""
    lines = _Lines(limit)
    while True:
        feed = _Feed(stream)
        errors = "surrogatepass" if encoding == "utf-16" else "surrogateescape"
        raw = cast("Any", Stream(iter(feed)))
        text = io.TextIOWrapper(io.BufferedReader(raw, 1 << 16), encoding, errors, newline="")
        lines.text, lines.feed = text, feed
        yield from _parsed(lines, dialect)
        if lines.cut is not None:
            yield _Record([], lines.number, fault_reason(lines.cut), lines.cut)
        if feed.fault is None or encoding == "utf-16":
            return
        lines.cut, lines.skip_one = None, True


class _Feed:
    """The bytes of a stream up to its next fault."""

    def __init__(self, stream: Iterator[Piece]) -> None:
        self._stream = stream
        self.fault: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            if piece.data:
                yield piece.data
            if piece.fault is not None:
                self.fault = piece.fault
                return


class _TooLong(Exception):  # noqa: N818 - control flow within this module
    """The record has more characters than its cap."""


class _Lines:
    """Lines for a parser that remembers those of the record at hand, so that they can be read once more."""

    def __init__(self, limit: int) -> None:
        self.text: TextIO = io.StringIO()
        self.feed: _Feed | None = None
        self.number = 0
        self.cut: str | None = None
        self.skip_one = False
        self.taken: list[str] = []
        self._again: deque[str] = deque()
        self._limit = limit
        self._size = 0
        self._reread = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line)
        if self._size > self._limit:
            self._skip_rest(line)
            raise _TooLong
        self.taken.append(line)
        return line

    def _read(self) -> str:
        try:
            line = self.text.readline(self._limit + 1)
            if self.skip_one:  # it began before the damage
                self.skip_one = False
                while line and not line.endswith(("\n", "\r")):
                    line = self.text.readline(self._limit + 1)
                line = self.text.readline(self._limit + 1)
        except UnicodeDecodeError as error:
            self.cut = f"the text ends inside a character ({error.reason})"
            return ""
        if self.feed is not None and self.feed.fault is not None and not line.endswith(("\n", "\r")):
            self.cut = self.feed.fault
            return ""
        return line

    def _skip_rest(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self.text.readline(self._limit + 1)

    def begin(self) -> int:
        """A record begins; returns the number of its line, from 1."""
        self.taken, self._size = [], 0
        return self.number + 1

    def again(self) -> None:
        """Read all lines of the record but its first once more, if that has not been asked for too often."""
        rest = self.taken[1:]
        self._reread += sum(map(len, rest))
        if self._reread <= _MAX_REREAD * self._limit:
            self._again.extendleft(reversed(rest))
            self.number -= len(rest)


def _parsed(lines: _Lines, dialect: type[csv.Dialect]) -> Iterator[_Record]:
    reader = csv.reader(lines, dialect)
    while True:
        line = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong:
            several = len(lines.taken)
            yield _Record([], line, "line-too-long", "a row longer than its cap, or a quote that is never closed")
            if several > 1:
                lines.again()
            continue
        except csv.Error as error:
            if lines.cut is not None:
                return
            yield _Record([], line, "bad-row", str(error))
            lines.again()
            continue
        if not cells:
            continue
        if any(not taken.isascii() and _undecoded(taken) for taken in lines.taken):
            yield _Record(cells, line, "bad-utf8", "bytes that are no text in the file's encoding")
        else:
            yield _Record(cells, line)


def _undecoded(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return True
    return False
