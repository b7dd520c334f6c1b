"""JSON Lines: one object a line; a bad line is a reject, and its neighbours are read.

Parsed line by line with the standard library: 280 MB/s here against 150 for Arrow's JSON reader, which gives
a whole block up for one bad line and can't tell which it was; orjson's 460 are not worth a dependency yet.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, Final

import pyarrow as pa

from provenance.errors import SourceError
from provenance.readers.batches import Gatherer
from provenance.readers.card import card_declarations
from provenance.readers.columns import Columns, Extension, declaration, lookup, paths_of, resolve
from provenance.readers.dates import origin_of, parse_date
from provenance.readers.detect import Form
from provenance.readers.lines import Line, lines
from provenance.readers.marks import Span
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.pieces import pieces

_HEAD_ROWS: Final = 64
_HEAD_BYTES: Final = 16 << 20
"""Columns are chosen from so many rows at the head, or so many bytes; what a later row has besides is added for it."""

_MAX_VALUES: Final = 1_000_000
"""Objects, arrays and their members in one line: parsed, each takes up to 240 bytes."""

_MAX_ARRAY_VALUES: Final = 4_000_000
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_CHECKED_BYTES: Final = 1 << 20

_MAX_DECLARATIONS: Final = 32

_DECODER: Final = json.JSONDecoder()
Row = tuple[Line, dict[str, Any]]


def read_jsonl(
    source: Source,
    form: Form,
    options: ReadOptions,
    tally: Tally,
    only: Positions | None = None,
    span: Span | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of the rows of a JSONL source, of a span of one, or of a file that is one JSON array of objects."""

    def progress(offset: int) -> None:
        tally.bytes_read = max(tally.bytes_read, offset)
        tally.rests()

    stream = pieces(source.location, form.compression, progress, caps=options)
    if form.container == "json":
        rows = _array(b"".join(_bounded(stream, source, options)), source, options, tally)
    else:
        rows = _objects(lines(stream, options.max_line_bytes), options, tally, only)
    if span is not None and not span.whole:
        # Its columns are those of the source, whatever stands at the head of this part.
        head = _head(source, form, options)
        rows = _objects(_within(source, form, options, span, progress), options, tally)
    else:
        head = _first(rows)
        rows = chain(head, rows)
    if not head:
        deque(rows, maxlen=0)
        return
    seen = [path for _, row in head for path in paths_of(row)]
    columns = resolve(
        dict.fromkeys(path for path, _ in seen), (path for path, is_text in seen if is_text), options, source.uri
    )
    card = card_declarations(source)
    gatherer = Gatherer(options, tally)
    wanted = None if only is None else frozenset(only.tolist())
    extension = Extension(columns, (path for path, _ in seen), options)
    for line, row in rows:
        if wanted is not None and line.number not in wanted:
            continue
        _add(line, row, extension.of(row), card, gatherer)
        if gatherer.full:
            yield gatherer.take()
    if gatherer.positions:
        yield gatherer.take()


def _head(source: Source, form: Form, options: ReadOptions) -> list[Row]:
    stream = pieces(source.location, form.compression, lambda _: None, caps=options)
    rows = _objects(lines(stream, options.max_line_bytes), options, Tally())
    return _first(rows)


def _first(rows: Iterator[Row]) -> list[Row]:
    """The rows that columns are chosen from."""
    found: list[Row] = []
    total = 0
    for line, row in rows:
        found.append((line, row))
        total += len(line.content)
        if len(found) == _HEAD_ROWS or total > _HEAD_BYTES:
            break
    return found


def _within(
    source: Source, form: Form, options: ReadOptions, span: Span, progress: Callable[[int], None]
) -> Iterator[Line]:
    begin = span.first
    stream = pieces(source.location, form.compression, progress, begin.offset, options)
    for line in lines(stream, options.max_line_bytes, begin.row, begin.stream):
        # A byte order mark is no reason for the first line to begin behind ``stop``.
        if span.stop is not None and line.offset >= span.stop and line.number > begin.row:
            return
        yield line


def _objects(found: Iterator[Line], options: ReadOptions, tally: Tally, only: Positions | None = None) -> Iterator[Row]:
    wanted = None if only is None else frozenset(only.tolist())
    last = max(wanted, default=-1) if wanted is not None else None
    parsed = 0
    for line in found:
        if wanted is not None and parsed >= _HEAD_ROWS and line.number not in wanted:
            if last is not None and line.number > last:
                return
            continue
        if not tally.takes(line.number, options):
            continue
        if line.fault is not None:
            tally.reject(line.number, line.fault, line.detail, options)
            continue
        if (values := _values(line.content)) > _MAX_VALUES:
            detail = f"byte {line.offset}: {values} values, more than {_MAX_VALUES}"
            tally.reject(line.number, "too-many-values", detail, options)
            continue
        try:
            row = _parsed(line.content.decode())
        except (ValueError, RecursionError) as error:
            what = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error) or "nested too deeply"
            tally.reject(line.number, "bad-json", f"byte {line.offset}: {what}", options)
            continue
        if isinstance(row, dict):
            parsed += 1
            yield line, row
        else:
            tally.reject(line.number, "bad-json", f"byte {line.offset}: a {type(row).__name__}, not an object", options)


def _parsed(text: str) -> Any:
    """What JSON says, without looking for white space around it first: there is none as a rule."""
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError:
        return _DECODER.decode(text)
    return value if end == len(text) else _DECODER.decode(text)


def _values(content: bytes) -> int:
    """How many values a long line of JSON holds; 0 for one too short to hold too many."""
    if len(content) < _CHECKED_BYTES:
        return 0
    structure = _STRING.sub(b"", content)
    return structure.count(b"{") + structure.count(b"[") + structure.count(b",")


def _bounded(stream: Iterator[Any], source: Source, options: ReadOptions) -> Iterator[bytes]:
    total = 0
    for piece in stream:
        total += len(piece.data)
        if piece.fault is not None or total > options.max_line_bytes:
            cause = piece.fault or f"The file is one JSON array of more than {options.max_line_bytes} bytes"
            raise SourceError(cause, place=source.uri, next_step="Write it as JSONL: jq -c '.[]' FILE > FILE.jsonl")
        yield piece.data


def _array(content: bytes, source: Source, options: ReadOptions, tally: Tally) -> Iterator[Row]:
    try:
        if (values := _values(content)) > _MAX_ARRAY_VALUES:
            raise ValueError(f"{values} values, more than {_MAX_ARRAY_VALUES}")
        rows = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"The file begins like a JSON array but can't be read as one: {error}",
            place=source.uri,
            next_step="Repair it, or write it as JSONL",
        ) from error
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            yield Line(number, 0, b""), row
        else:
            tally.reject(number, "bad-json", f"a {type(row).__name__}, not an object", options)


def _add(
    line: Line, row: dict[str, Any], columns: Columns, card: list[tuple[str, str, str]], gatherer: Gatherer
) -> None:
    options, tally = gatherer.options, gatherer.tally
    text = row.get(columns.text) or lookup(row, columns.text)
    if not isinstance(text, str):
        what = "is missing" if text is None else f"is a {type(text).__name__}"
        tally.reject(line.number, "no-text", f"byte {line.offset}: column {columns.text!r} {what}", options)
        return
    if len(text) > options.max_record_bytes:
        tally.reject(line.number, "too-long", f"byte {line.offset}: {len(text)} characters", options)
        return
    own_id = _string(lookup(row, columns.id)) if columns.id else None
    url = _string(lookup(row, columns.url)) if columns.url else None
    if url is None and own_id is not None and own_id.startswith(("http://", "https://")):
        url = own_id
    declared = card
    if columns.declaring:
        fields = (declaration(path, lookup(row, path)) for path in columns.declaring)
        declared = [*card, *(field for field in fields if field)][:_MAX_DECLARATIONS]
    gatherer.add(line.number, own_id, url, _date(row, columns), text, declared)


def _date(row: dict[str, Any], columns: Columns) -> tuple[datetime | None, str | None]:
    for paths, origin in ((columns.captured, "column"), (columns.published, "page")):
        for path in paths:
            moment = parse_date(row.get(path) or lookup(row, path))
            if moment is not None:
                return moment, origin_of(moment, origin)
    return None, None


def _string(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
