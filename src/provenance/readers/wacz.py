"""WACZ: the WARC (and ARC) files inside a ZIP archive, each read where it stands.

A record's position is its member's number in the archive's directory, times 2^40, plus its position in the member:
unique in the source, and enough to read the record again. Of a record that shares a gzip member with others,
2^62 stays on top, as in a file of its own. Everything else in the archive is counted as ``wacz-member``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, Final

import numpy as np
import pyarrow as pa

from provenance.errors import SourceError
from provenance.readers.archive import STORED, Bytes, Checked, Entry, EntryRefused, as_file, check, entries, place, walk
from provenance.readers.crawl import Part, read_part
from provenance.readers.detect import detect_place
from provenance.readers.open import grammar_of
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.pieces import opened
from provenance.readers.progress import SHARED_MEMBER
from provenance.readers.streams import Stream

MEMBER: Final = 1 << 40
"""Positions of one member lie below this; a longer member is refused."""

_CRAWL_NAME: Final = re.compile(r"\.w?arc(?:\.(?:gz|zst|lz4|bz2|xz|open))*$", re.IGNORECASE)


def read_wacz(
    source: Source, compression: str, options: ReadOptions, tally: Tally, only: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of the records of all crawl files in an archive.

    Raises:
        SourceError: It is compressed as a whole, its directory can't be read, or no crawl file is in it.
    """
    if compression:
        raise SourceError(
            "The archive is compressed as a whole", place=source.uri, next_step="Decompress it: a ZIP is read in place"
        )
    try:
        with opened(source.location) as file:
            yield from _read(file, source, options, tally, only)
    except OSError as error:
        raise SourceError(
            f"Reading failed: {error.strerror or error}", place=source.uri, next_step="Try again"
        ) from error


def _read(
    file: BinaryIO, source: Source, options: ReadOptions, tally: Tally, only: Positions | None
) -> Iterator[pa.RecordBatch]:
    directory, cut = _directory(file, source, options)
    crawls = [entry for entry in directory if _CRAWL_NAME.search(entry.name)]
    if not crawls:
        raise SourceError(
            "The archive holds no crawl file (no member's name ends in .warc, .warc.gz, .arc …)",
            place=source.uri,
            next_step="Unpack it and name the files in it",
        )
    free = _free(directory)
    for entry in directory:
        wanted = _within(entry, only)
        if wanted is not None and not len(wanted):
            continue
        tally.bytes_read = max(tally.bytes_read, min(entry.header, source.bytes))
        try:
            check(entry, options)
            if entry.number not in free:
                raise EntryRefused("damaged-member", f"{entry.name[:200]}: shares bytes with another member")
            if not _CRAWL_NAME.search(entry.name):
                tally.skipped["wacz-member"] += 1
                continue
            yield from _member(file, entry, source, options, tally, wanted)
        except EntryRefused as refused:
            tally.reject(entry.number * MEMBER, refused.args[0], refused.args[1], options)
    if cut and only is None:
        tally.reject(len(directory) * MEMBER, "truncated", "the archive ends before its directory", options)


def _directory(file: BinaryIO, source: Source, options: ReadOptions) -> tuple[list[Entry], bool]:
    try:
        return entries(file, source.bytes, options), False
    except EOFError:
        return list(walk(file, source.bytes, options)), True
    except SourceError as error:
        raise SourceError(
            error.cause, place=source.uri, next_step="Unpack it, if you trust it, and name the crawl files in it"
        ) from error


def _free(directory: list[Entry]) -> set[int]:
    """Numbers of the entries whose bytes begin behind the end of those before: an overlap makes a bomb of little."""
    found, end = set(), 0
    for entry in sorted(directory, key=lambda entry: entry.header):
        if entry.header >= end:
            found.add(entry.number)
            end = entry.header + 30 + entry.compressed
    return found


def _within(entry: Entry, only: Positions | None) -> Positions | None:
    """Of the wanted positions those of one entry, as positions in it."""
    if only is None:
        return None
    shared = only >= SHARED_MEMBER
    plain = np.where(shared, only - SHARED_MEMBER, only)
    here = plain // MEMBER == entry.number
    return np.sort(np.where(shared, SHARED_MEMBER, 0)[here] + plain[here] % MEMBER)


def _is_in(entry: Entry, position: int) -> bool:
    return position % SHARED_MEMBER // MEMBER == entry.number


def _shifted(position: int, entry: Entry) -> int:
    return position + entry.number * MEMBER


def _member(
    file: BinaryIO, entry: Entry, source: Source, options: ReadOptions, tally: Tally, only: Positions | None
) -> Iterator[pa.RecordBatch]:
    if max(entry.size, entry.compressed) >= MEMBER:
        raise EntryRefused("too-long", f"{entry.name[:200]}: {entry.size} bytes")
    start, length = place(file, entry, source.bytes)
    opens = partial(_open, file, entry, start, length)
    faults: list[Bytes | Checked] = []
    try:
        form = detect_place(lambda: opens([]), entry.name, options)
    except SourceError as error:
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: {error.cause}") from error
    if form.container == "empty":
        tally.skipped["empty"] += 1
        return
    if form.container not in ("warc", "arc"):
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: {form.name} inside")
    part = Part(lambda: opens(faults), entry.size, form.compression, grammar_of(form.container))
    shift = entry.number * MEMBER
    inner = Tally(
        watch=lambda unit: tally.watch(None if unit is None else unit + shift),
        given_up={at - shift: why for at, why in tally.given_up.items() if _is_in(entry, at)},
    )
    for batch in read_part(part, options, inner, only):
        _move(inner, tally, entry, options)
        tally.records += batch.num_rows
        moved = pa.array(batch.column("position").to_numpy() + shift, pa.int64())
        yield batch.set_column(0, batch.schema.field(0), moved)
    _move(inner, tally, entry, options)
    fault = next((checked.fault for checked in faults if checked.fault), None)
    if length < entry.compressed and fault is None:
        fault = "the archive ends inside it"
    if fault is not None and only is None:
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: {fault}")


def _open(file: BinaryIO, entry: Entry, start: int, length: int, opened_so_far: list[Bytes | Checked]) -> BinaryIO:
    if entry.method == STORED:
        checked = Checked(file, entry, start, length)
        opened_so_far.append(checked)
        return as_file(checked)
    inflated = Bytes(file, entry, start, length)
    opened_so_far.append(inflated)
    return as_file(Stream(iter(inflated)))


def _move(inner: Tally, tally: Tally, entry: Entry, options: ReadOptions) -> None:
    """Count for the source what one of its members held."""
    for reject in inner.rejects:
        tally.reject(_shifted(reject.position, entry), reject.reason, reject.detail, options)
    tally.skipped.update(inner.skipped)
    inner.rejects, inner.skipped = [], type(inner.skipped)()
