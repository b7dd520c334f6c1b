"""Shards: a large source cut into parts that are read at the same time and give what the whole would give.

Where a part of a table or of lines begins is certain. Where a record of a crawl file begins is not: a payload can
forge a record, or a compressed member that holds one. So a part of a crawl file begins at a guess, and whoever
puts the parts together believes it only if the part before ended at that very place (`Mark.meets`); otherwise
it is read again from there.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from provenance.errors import ProvenanceError
from provenance.readers.detect import detect
from provenance.readers.marks import START, Mark, Span
from provenance.readers.open import open_records
from provenance.readers.options import ReadOptions, Source, Tally
from provenance.readers.pieces import opened

_BLOCK: Final = 1 << 20
_MEMBER: Final = b"\x1f\x8b\x08"
_RECORD: Final = re.compile(rb"[\r\n]{0,8}WARC/[0-9]")
_PLAIN_RECORD: Final = re.compile(rb"(?<=[\r\n])WARC/[0-9]\.[0-9]{1,3}[ \t]{0,32}\r?\n[^\r\n:]{1,80}:")
_OVERLAP: Final = 256
_LONGEST_FIRST_MEMBER: Final = 4 << 20


@dataclass(frozen=True)
class Plan:
    """How a source is read.

    Attributes:
        spans: Its parts, in order; together they are the whole.
        chained: Where a part begins is known when the one before has begun: `foresee` tells.
    """

    spans: tuple[Span, ...]
    chained: bool = False


def plan(source: Source, shard_bytes: int, begin: Mark = START) -> Plan:
    """Cut what a source holds from ``begin`` on into parts of about ``shard_bytes`` (as stored).

    A source that can't be cut, or can't be opened, is one part.
    """
    whole = Plan((Span(begin),))
    try:
        form = detect(source)
        if form.container == "parquet":
            return Plan(tuple(_row_groups(source, shard_bytes, begin)))
        if form.container == "jsonl" and not form.compression:
            return Plan(tuple(_cuts(source, shard_bytes, begin)), chained=True)
        if form.container == "warc" and (not form.compression or _is_recordwise(source, form.compression)):
            return Plan(tuple(_cuts(source, shard_bytes, begin)))
    except (ProvenanceError, OSError):
        pass
    return whole


def open_shard(source: Source, span: Span, options: ReadOptions, tally: Tally) -> Iterator[pa.RecordBatch]:
    """Read a part of a source, as `open_records` reads the whole. Afterwards ``span`` says where it began and ended.

    Raises:
        SourceError: The source can't be read.
        UsageError: As for `open_records`.
        Misled: It was begun at a guess that can't be upheld.
    """
    if span.whole:
        yield from open_records(source, options, tally)
        return
    form = detect(source)
    tally.format = form.name
    if form.container == "parquet":
        from provenance.readers.parquet import read_parquet

        yield from read_parquet(source, options, tally, span=span)
    elif form.container == "jsonl":
        from provenance.readers.jsonl import read_jsonl

        yield from read_jsonl(source, form, options, tally, span=span)
    else:
        from provenance.readers.crawl import read_crawl

        if span.begin is None:
            span.begin, span.guessed = _guess(source, form.compression, span), True
        if span.begin is None or (span.stop is not None and span.begin.offset >= span.stop):
            span.end = span.begin
            return
        yield from read_crawl(source, form.compression, options, tally, span=span)


def foresee(source: Source, span: Span) -> None:
    """Set the end of a part of lines, at the cost of counting them, which is little beside reading them."""
    begin = span.first
    span.end = None
    if span.stop is None:
        return
    row, at = begin.row, begin.offset
    with opened(source.location) as file:
        file.seek(at)
        while block := file.read(_BLOCK):
            # The last line end before ``stop`` ends a line of this part, however far the line reaches.
            found = block.find(b"\n", max(0, span.stop - 1 - at))
            if found >= 0 and at + found >= span.stop - 1:
                end = at + found + 1
                row += block.count(b"\n", 0, found + 1)
                span.end = Mark(end, row, end) if end < source.bytes else None
                return
            row += block.count(b"\n")
            at += len(block)


def _cuts(source: Source, shard_bytes: int, begin: Mark) -> Iterator[Span]:
    """Equal parts, the first of which begins where it is known to."""
    size = max(1, shard_bytes)
    count = max(1, round((source.bytes - begin.offset) / size))
    places = [begin.offset + index * size for index in range(count)]
    for place, stop in zip(places, [*places[1:], None], strict=True):
        yield Span(begin, stop=stop) if place == begin.offset else Span(None, place, stop)


def _row_groups(source: Source, shard_bytes: int, begin: Mark) -> Iterator[Span]:
    from provenance.readers.parquet import open_parquet

    with open_parquet(source) as file:
        metadata = file.metadata
        sizes = []
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            sizes.append((group.num_rows, group.total_byte_size))
        # Sizes as stored stand in the columns' metadata, and where that lies, Arrow ends the process.
        whole = max(1, sum(size for _, size in sizes))
        sizes = [(rows, size * source.bytes // whole) for rows, size in sizes]
    here, row, size = begin, begin.row, 0
    for number in range(begin.offset, len(sizes)):
        if size >= shard_bytes:
            there = Mark(number, row)
            yield Span(here, stop=number, end=there)
            here, size = there, 0
        row, size = row + sizes[number][0], size + sizes[number][1]
    yield Span(here)


def _is_recordwise(source: Source, compression: str) -> bool:
    """Whether a second member begins with a record, as in a file that is compressed record by record."""
    if compression != "gz":
        return False
    with opened(source.location) as file:
        inflater, size = zlib.decompressobj(31), 0
        try:
            while not inflater.eof and size < _LONGEST_FIRST_MEMBER and (block := file.read(1 << 16)):
                size += len(block)
                inflater.decompress(block)
        except zlib.error:
            return False
        return inflater.eof and _holds_record(inflater.unused_data + file.read(1 << 12))


def _holds_record(member: bytes) -> bool:
    try:
        return _RECORD.match(zlib.decompressobj(31).decompress(member[: 1 << 12], 64)) is not None
    except zlib.error:
        return False


def _guess(source: Source, compression: str, span: Span) -> Mark | None:
    """The first place at or behind ``sought`` that looks like the start of a record."""
    before = 0 if compression else 1  # a line end, in front of a plain record
    with opened(source.location) as file:
        at = span.sought - before
        file.seek(at)
        held = b""
        while (block := file.read(_BLOCK)) and (span.stop is None or at < span.stop):
            held += block
            place = _member_in(held) if compression else _record_in(held)
            if place is not None:
                return Mark(at + place, 0, 0 if compression else at + place)
            keep = min(len(held), 1 << 13 if compression else _OVERLAP)
            at, held = at + len(held) - keep, held[len(held) - keep :]
    return None


def _member_in(held: bytes) -> int | None:
    at = held.find(_MEMBER)
    while at >= 0:
        if _holds_record(held[at : at + (1 << 12)]):
            return at
        at = held.find(_MEMBER, at + 1)
    return None


def _record_in(held: bytes) -> int | None:
    found = _PLAIN_RECORD.search(held)
    return found.start() if found else None
