"""How many rows of a Parquet row group can be decoded at once, from the headers of its pages.

A footer can say anything, and a batch of 4,096 rows may be 4 GiB from a file of a kilobyte: values repeated from a
dictionary, zeros that compress ten-thousandfold. What a page says of itself binds, since it is decompressed into that
many bytes and no more. The format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.readers.options import ReadOptions
from provenance.readers.thrift import MalformedError, Wanted, read_struct

MOST_FOOTER_BYTES: Final = 32 << 20
MOST_REPEATED: Final = 1 << 25
"""Values of one repeated column in a row group: a single row may hold all of them."""

_AT_ONCE: Final = 128 << 20
"""Bytes of one column that a batch may come to."""

_WALKED: Final = 16 << 20
"""A larger dictionary is not looked through for its longest value: that may be all of it."""

_MOST_PAGES: Final = 200_000
_UNCOUNTED: Final = 100
"""Bytes that old writers leave out of a chunk's size: the header of its dictionary."""

_HEADER_STEPS: Final = (1 << 9, 1 << 13, 1 << 17, 1 << 24)
_FOOTER: Final[Wanted] = {4: {1: {3: {1: None, 3: None, 4: None, 5: None, 7: None, 9: None, 11: None}}}}
_PAGE: Final[Wanted] = {1: None, 2: None, 3: None, 5: {1: None, 2: None}, 7: {1: None}, 8: {1: None, 4: None}}
_DATA, _INDEX, _DICTIONARY, _DATA_2 = range(4)
_BYTE_ARRAY: Final = 6
_BY_DICTIONARY: Final = (2, 8)
_BY_PREFIX: Final = 7
_CODECS: Final = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}


class PagesRefused(ValueError):  # noqa: N818 - it is a refusal with a reason, which the caller turns into rejects
    """A row group can't be decoded within the caps; arguments are reason and detail."""


class Chunk(NamedTuple):
    """One column in one row group, as the footer says.

    Attributes:
        column: Name of the top-level column that it is part of.
        kind: Physical type.
        codec: Compression.
        values: How many values there are.
        offset: Where its first page begins.
        size: Bytes of all its pages as stored.
    """

    column: str
    kind: int
    codec: int
    values: int
    offset: int
    size: int


class _Page(NamedTuple):
    kind: int
    encoding: int
    values: int
    size: int
    stored: int
    body: int


def chunks_of(path: str) -> tuple[tuple[Chunk, ...], ...]:
    """The chunks of all columns, by row group, in the order of the leaves of the schema.

    Raises:
        PagesRefused: The footer is larger than 32 MiB.
        OSError: It can't be read.
    """
    status = Path(path).stat()
    return _chunks_of(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _chunks_of(path: str, size: int, _: int) -> tuple[tuple[Chunk, ...], ...]:
    with Path(path).open("rb") as stream:
        stream.seek(max(0, size - 8))
        length = int.from_bytes(stream.read(4), "little")
        if length > MOST_FOOTER_BYTES:
            raise PagesRefused("too-long", f"a footer of {length} bytes, more than {MOST_FOOTER_BYTES}")
        stream.seek(max(0, size - 8 - length))
        footer = stream.read(length)
    try:
        fields, _ = read_struct(footer, 0, _FOOTER)
        return tuple(tuple(_chunk(column.get(3, {})) for column in group.get(1, ())) for group in fields.get(4, ()))
    except (IndexError, AttributeError, TypeError) as error:  # a struct, list or number where another should be
        raise MalformedError("the footer's metadata is broken") from error


def _chunk(fields: dict[int, object]) -> Chunk:
    numbers = _numbers(fields)
    path = fields.get(3)
    first = path[0] if isinstance(path, list) and path and isinstance(path[0], bytes) else b""
    data, dictionary = numbers.get(9, 0), numbers.get(11, 0)
    offset = dictionary if 0 < dictionary < data else data
    name = first.decode("utf-8", "surrogateescape")
    return Chunk(name, numbers.get(1, -1), numbers.get(4, 0), numbers.get(5, 0), offset, numbers.get(7, 0))


def rows_at_once(path: str, columns: Sequence[tuple[Chunk, bool]], rows: int, options: ReadOptions) -> tuple[int, int]:
    """How many rows of a row group can be decoded at once, up to ``rows``, and how many bytes all of them may come to.

    Args:
        path: The file.
        columns: What is read of the row group, and whether it may have many values in a row.
        rows: As many as are wanted.
        options: The caps.

    Raises:
        PagesRefused: A page or a number of values is beyond its cap.
        OSError: A page header can't be read.
    """
    with Path(path).open("rb") as file:
        for chunk, many in columns:
            if many and chunk.values > MOST_REPEATED:
                raise PagesRefused("too-many-values", f"{chunk.values} values in column {chunk.column!r}")
            if chunk.kind == _BYTE_ARRAY or many:
                rows = _rows(file, chunk, rows, many, options)
            else:
                _pages(file, chunk, options)
    return rows, options.max_ratio * sum(max(0, chunk.size) for chunk, _ in columns)


def _rows(file: BinaryIO, chunk: Chunk, rows: int, many: bool, options: ReadOptions) -> int:
    counts, sizes, dictionary = [], [], None
    longest = 0
    for page in _pages(file, chunk, options):
        if page.kind == _DICTIONARY:
            dictionary = page
        elif page.kind != _INDEX:
            counts.append(page.values)
            by_dictionary = page.encoding in _BY_DICTIONARY
            sizes.append(0 if by_dictionary else page.size)
            if by_dictionary and dictionary is not None:
                longest = max(longest, _longest(file, chunk, dictionary, rows))
                dictionary = None
            if page.encoding == _BY_PREFIX:
                longest = max(longest, page.size)
    if many and sum(counts) > MOST_REPEATED:
        raise PagesRefused("too-many-values", f"{sum(counts)} values in column {chunk.column!r}")
    rows = max(1, min(rows, _AT_ONCE // max(1, longest)))
    return _within_pages(np.array(counts, np.int64), np.array(sizes, np.int64), rows)


def _within_pages(counts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], rows: int) -> int:
    """Halve the rows until those pages that so many of them can touch are small, or a single one is large by itself."""
    if not len(counts):
        return rows
    ends, total = np.cumsum(counts), np.concatenate([[0], np.cumsum(sizes)])
    begins = ends - counts
    first = np.arange(len(counts))
    most = max(_AT_ONCE, int(sizes.max()))
    while rows > 1:
        behind = np.searchsorted(begins, ends - 1 + rows, side="left")
        if int((total[behind] - total[first]).max()) <= most:
            break
        rows //= 2
    return rows


def _pages(file: BinaryIO, chunk: Chunk, options: ReadOptions) -> list[_Page]:
    """The headers of all pages of a chunk."""
    at, end, values = chunk.offset, chunk.offset + chunk.size, 0
    pages: list[_Page] = []
    while at < end and values < chunk.values:
        page = _page(file, at)
        if page.size > options.max_page_bytes:
            raise PagesRefused("too-long", f"a page of {page.size} bytes, more than {options.max_page_bytes}")
        beyond = page.body + page.stored > end + _UNCOUNTED
        if min(page.size, page.stored, page.values) < 0 or beyond or len(pages) == _MOST_PAGES:
            raise MalformedError(f"page headers of column {chunk.column!r} are broken")
        pages.append(page)
        values += page.values if page.kind in (_DATA, _DATA_2) else 0
        at = page.body + page.stored
    return pages


def _page(file: BinaryIO, at: int) -> _Page:
    for step in _HEADER_STEPS:
        file.seek(at)
        data = file.read(step)
        try:
            fields, length = read_struct(data, 0, _PAGE)
        except IndexError:
            if len(data) < step:
                break
            continue
        numbers = _numbers(fields)
        kind = numbers.get(1, -1)
        inner = _numbers(fields.get({_DATA: 5, _DICTIONARY: 7, _DATA_2: 8}.get(kind, 0)))
        encoding = inner.get(2 if kind == _DATA else 4, 0)
        return _Page(kind, encoding, inner.get(1, 0), numbers.get(2, -1), numbers.get(3, -1), at + length)
    raise MalformedError("a page header is broken")


def _numbers(fields: object) -> dict[int, int]:
    """Those fields of a struct that are numbers, as its bytes say; none if it is no struct."""
    if not isinstance(fields, dict):
        return {}
    return {number: value for number, value in fields.items() if isinstance(value, int)}


def _longest(file: BinaryIO, chunk: Chunk, page: _Page, rows: int) -> int:
    """The longest value of a dictionary, or more; looked for only where it matters."""
    if chunk.kind != _BYTE_ARRAY:
        return page.size // max(1, page.values)
    codec = _CODECS.get(chunk.codec)
    if page.size * rows <= _AT_ONCE or page.size > _WALKED or (codec is None and chunk.codec):
        return page.size
    file.seek(page.body)
    data = file.read(page.stored)
    if codec is not None:
        data = pa.Codec(codec).decompress(data, decompressed_size=page.size, asbytes=True)
    at = longest = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        longest = max(longest, size)
        at += 4 + size
    return min(longest, page.size)
