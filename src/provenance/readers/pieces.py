"""Decompressed bytes in pieces, with the places where compressed members begin and where bytes are missing.

Libraries that decompress streams hide both. A reader of crawl files needs them: a record of a record-wise
compressed file is addressed by its member, and damage must become a reject instead of a quiet end.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from provenance.errors import SourceError

_CHUNK: Final = 1 << 15
_PIECE: Final = 1 << 20
_MAGIC: Final = b"\x1f\x8b\x08"
_LOOK_BACK: Final = 1 << 18
_MAX_FAULTS: Final = 1_000


class Piece(NamedTuple):
    """Some bytes of the decompressed stream, in order.

    Attributes:
        data: The bytes, at most 1 MiB; may be empty where the piece only carries a mark.
        member: Offset, in the file, of the compressed member that begins with this piece; None within one.
        fault: What went wrong right behind these bytes; None almost always.
        clean: False if the member was found by searching behind a fault.
    """

    data: bytes
    member: int | None = None
    fault: str | None = None
    clean: bool = True


def pieces(location: str, compression: str, progress: Callable[[int], None], start: int = 0) -> Iterator[Piece]:
    """Decompress a file.

    Args:
        location: The file.
        compression: ``""``, ``gz``, ``zst`` or ``lz4``.
        progress: Told how many bytes of the file have been consumed.
        start: Offset in the file to begin at: any for a plain file, that of a member for gzip, else 0.

    Raises:
        SourceError: The file can't be opened or read.
    """
    try:
        with Path(location).open("rb") as file:
            file.seek(start)
            if compression == "gz":
                yield from _gzip(file, progress)
            elif compression:
                yield from _library(file, compression, progress)
            else:
                while data := file.read(_PIECE):
                    progress(file.tell())
                    yield Piece(data)
    except OSError as error:
        raise SourceError(
            f"Reading failed: {error.strerror or error}", place=location, next_step="Check the disk and try again"
        ) from error


def _library(file: BinaryIO, compression: str, progress: Callable[[int], None]) -> Iterator[Piece]:
    from fastwarc.stream_io import Lz4Reader, ZstdReader

    reader = (ZstdReader if compression == "zst" else Lz4Reader)(file)
    try:
        while data := reader.read(_PIECE):
            progress(file.tell())
            yield Piece(data)
    except (OSError, EOFError, ValueError) as error:
        yield Piece(b"", fault=f"{compression}: {error}")


def _gzip(file: BinaryIO, progress: Callable[[int], None]) -> Iterator[Piece]:
    faults = 0
    data, clean = file.read(_CHUNK), True
    while data:
        begin = file.tell() - len(data)
        if not data.strip(b"\0"):
            data = file.read(_CHUNK)  # zeros behind the last member are padding
            continue
        if not _MAGIC.startswith(data[:3]):
            yield Piece(b"", begin, "bytes that are no gzip member", clean)
            fault: str | None = "no gzip"
        else:
            member = _Member(file, begin, data, clean, progress)
            yield from member
            data, fault = member.rest, member.fault
            if fault is not None and not data:
                return
        if fault is not None:
            faults += 1
            if faults > _MAX_FAULTS:
                raise SourceError(f"More than {_MAX_FAULTS} damaged gzip members", place=f"byte {begin}")
            end = file.tell() - len(data)
            data, clean = _next_member(file, max(begin + 1, end - _LOOK_BACK)), False
        elif not data:
            data, clean = file.read(_CHUNK), True
        else:
            clean = True


class _Member:
    """One gzip member: iterate it for its pieces, then ``rest`` and ``fault`` say how it ended."""

    def __init__(self, file: BinaryIO, begin: int, data: bytes, clean: bool, progress: Callable[[int], None]) -> None:
        self.file, self.begin, self.clean, self.progress = file, begin, clean, progress
        self.rest = data
        self.fault: str | None = None

    def __iter__(self) -> Iterator[Piece]:
        inflater = zlib.decompressobj(31)
        data, mark, delivered = self.rest, self.begin, 0
        first = True
        while True:
            try:
                out = inflater.decompress(data, _PIECE)
            except zlib.error as error:
                self.fault, self.rest = f"gzip: {error}", data
                yield Piece(self._salvage(delivered), mark if first else None, self.fault, self.clean)
                return
            if out or inflater.eof:
                delivered += len(out)
                yield Piece(out, mark if first else None, None, self.clean)
                first = False
            if inflater.eof:
                self.rest = inflater.unused_data
                self.progress(self.file.tell() - len(self.rest))
                return
            data = inflater.unconsumed_tail
            if not data and len(out) < _PIECE:
                data = self.file.read(_CHUNK)
                self.progress(self.file.tell())
                if not data:
                    self.fault, self.rest = "gzip: the file ends inside a member", b""
                    yield Piece(b"", mark if first else None, self.fault, self.clean)
                    return

    def _salvage(self, delivered: int) -> bytes:
        """What stands before the damage and the failed call did not hand out (less than one chunk's worth)."""
        end = self.file.tell()
        self.file.seek(self.begin)
        inflater, done, saved = zlib.decompressobj(31), 0, bytearray()
        remaining = end - self.begin
        step = _CHUNK
        try:
            while remaining > 0:
                here = self.file.tell()
                data = self.file.read(min(step, remaining))
                before = inflater.copy() if step > 1 else inflater
                try:
                    out = inflater.decompress(data, 2 * _PIECE)
                except zlib.error:
                    if step == 1:
                        break
                    inflater, step = before, step >> 5 or 1
                    self.file.seek(here)
                    continue
                remaining -= len(data)
                saved += out[max(0, delivered - done) :]
                done += len(out)
                if inflater.eof or inflater.unconsumed_tail or len(saved) > _PIECE:
                    break
        finally:
            self.file.seek(end)
        return bytes(saved)


def _next_member(file: BinaryIO, offset: int) -> bytes:
    """Seek to the next place from ``offset`` on that inflates like a member; its first bytes, or none."""
    file.seek(offset)
    data = file.read(_CHUNK)
    while data:
        here = file.tell() - len(data)
        at = data.find(_MAGIC)
        while at >= 0:
            file.seek(here + at)
            candidate = file.read(_CHUNK)
            if _inflates(candidate):
                return candidate
            at = data.find(_MAGIC, at + 1)
        file.seek(here + len(data))
        more = file.read(_CHUNK)
        if not more:
            break
        file.seek(here + len(data) - 2)
        data = file.read(_CHUNK)
    return b""


def _inflates(candidate: bytes) -> bool:
    try:
        return bool(zlib.decompressobj(31).decompress(candidate, 256))
    except zlib.error:
        return False
