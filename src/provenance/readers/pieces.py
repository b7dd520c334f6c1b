"""Decompressed bytes in pieces, with the places where compressed members begin and where bytes are missing.

Libraries that decompress streams hide both. A reader of crawl files needs them: a record of a record-wise
compressed file is addressed by its member, and damage must become a reject instead of a quiet end.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias, cast

from provenance.errors import SourceError
from provenance.readers import remote
from provenance.readers.inflate import GZIP, PLAIN_HEADER, Errors, inflater, whole_member
from provenance.readers.options import ReadOptions
from provenance.readers.streams import Stream

CHUNK: Final = 1 << 15
PIECE: Final = 1 << 20
_WHOLE: Final = 4 << 20
_HELD: Final = 1 << 18
"""Members that are longer, inflated or stored, are read in pieces."""

LOOK_BACK: Final = 1 << 18
MAX_FAULTS: Final = 1_000
_MAGIC: Final = b"\x1f\x8b\x08"
_FREE: Final = 256 << 20
"""Bytes that a stream may decompress to whatever their ratio."""

Place: TypeAlias = str | Callable[[], BinaryIO]
"""A path or URL, or what opens a part of a file."""

Progress: TypeAlias = Callable[[int], None]


class Piece(NamedTuple):
    """Some bytes of the decompressed stream, in order.

    Attributes:
        data: The bytes, at most 4 MiB; may be empty where the piece only carries a mark.
        member: Offset, in the file, of the compressed member that begins with this piece; None within one.
        fault: What went wrong right behind these bytes; None almost always.
        clean: False if the member was found by searching behind a fault.
        whole: It is all of its member, which is sound.
    """

    data: bytes
    member: int | None = None
    fault: str | None = None
    clean: bool = True
    whole: bool = False


class Meter:
    """Counts what a source decompresses to, against its caps."""

    def __init__(self, caps: ReadOptions) -> None:
        self._caps = caps
        self._total = self._expanded = self._base = 0

    def affords(self, size: int, consumed: int) -> bool:
        """Whether `charge` would find nothing wrong."""
        expanded, total = self._expanded + size, self._total + size
        return total <= self._caps.max_source_bytes and self._affords(expanded, consumed)

    def _affords(self, expanded: int, consumed: int) -> bool:
        return expanded <= _FREE + self._caps.max_ratio * max(0, consumed - self._base)

    def charge(self, size: int, consumed: int) -> str | None:
        """Count ``size`` bytes decompressed by offset ``consumed`` of the file; the fault if the ratio is absurd.

        Raises:
            SourceError: The source decompresses to more than ``max_source_bytes``.
        """
        self._total += size
        self._expanded += size
        if self._total > self._caps.max_source_bytes:
            raise SourceError(
                f"The source decompresses to more than {self._caps.max_source_bytes} bytes",
                place=f"byte {consumed}",
                next_step="Split it, if it is what it should be",
            )
        if self._affords(self._expanded, consumed):
            return None
        self._expanded, self._base = 0, consumed
        return f"decompresses to more than {self._caps.max_ratio} times its size"


def fault_reason(message: str) -> str:
    """The reason of a reject, from the fault of a piece."""
    if "times its size" in message:
        return "ratio"
    return "truncated" if "ends" in message or "incomplete" in message else "damaged-member"


def opened(place: Place) -> BinaryIO:
    """Open a file, a remote object or a part of either, to be read from any offset."""
    if not isinstance(place, str):
        return place()
    return remote.open_remote(place) if remote.is_remote(place) else Path(place).open("rb")


def pieces(
    location: Place, compression: str, progress: Progress, start: int = 0, caps: ReadOptions | None = None
) -> Iterator[Piece]:
    """Decompress a file.

    Args:
        location: The file: a path, a URL, or what opens it.
        compression: ``""``, ``gz``, ``zst``, ``lz4``, ``bz2``, ``xz``, or several with dots, the outermost last.
        progress: Told how many bytes of the file have been consumed.
        start: Offset in the file to begin at: any for a plain file, that of a member for gzip, else 0.
        caps: Bounds of what it may decompress to; the defaults if left out.

    Raises:
        SourceError: The file can't be opened or read, or decompresses to too much.
    """
    meter = Meter(caps or ReadOptions())
    inner, _, outer = compression.rpartition(".")
    try:
        with opened(location) as file:
            file.seek(start)
            found = _decompressed(file, outer, meter, progress, caps or ReadOptions())
            while inner:
                inner, _, next_outer = inner.rpartition(".")
                found = _nested(found, next_outer, caps or ReadOptions())
            yield from found
    except OSError as error:
        place = remote.without_secrets(location) if isinstance(location, str) else ""
        raise SourceError(
            f"Reading failed: {error.strerror or error}",
            place=place,
            next_step="Check the connection and try again"
            if isinstance(location, str) and remote.is_remote(location)
            else "Check the disk and try again",
        ) from error


def _decompressed(
    file: BinaryIO, compression: str, meter: Meter, progress: Progress, caps: ReadOptions
) -> Iterator[Piece]:
    if compression == "gz":
        yield from _gzip(file, meter, progress)
    elif compression:
        from provenance.readers.members import members

        yield from members(file, compression, meter, progress, caps)
    else:
        while data := file.read(PIECE):
            progress(file.tell())
            yield Piece(data)


def _nested(found: Iterator[Piece], compression: str, caps: ReadOptions) -> Iterator[Piece]:
    """Decompress what was decompressed. A fault of the outer stream is passed on where it ends the inner one."""
    faults: list[str] = []

    def chunks() -> Iterator[bytes]:
        for piece in found:
            yield piece.data
            if piece.fault is not None:
                faults.append(piece.fault)
                return

    inner = cast("BinaryIO", Stream(chunks()))
    told = False
    for piece in _decompressed(inner, compression, Meter(caps), lambda _: None, caps):
        told = told or bool(faults and piece.fault)
        yield piece._replace(fault=faults[0]) if piece.fault is not None and faults else piece
    if faults and not told:
        yield Piece(b"", fault=faults[0])


def _gzip(file: BinaryIO, meter: Meter, progress: Progress) -> Iterator[Piece]:
    faults = 0
    member: _Member | None = None
    data, clean = file.read(CHUNK), True
    while data:
        if clean and data.startswith(PLAIN_HEADER):
            data = yield from _whole_members(file, data, meter, progress)
            if not data:
                return
        begin = file.tell() - len(data)
        if not data.strip(b"\0"):
            data = file.read(CHUNK)  # zeros behind the last member are padding
            continue
        if not _MAGIC.startswith(data[:3]):
            yield Piece(b"", begin, "bytes that are no gzip member", clean)
            fault: str | None = "no gzip"
            member = None
        else:
            member = _Member(file, begin, data, clean, meter, progress)
            yield from member
            data, fault = member.rest, member.fault
        if fault is not None:
            # A damaged member can seem to last until the file ends: those inside it are looked for all the same.
            faults += 1
            if faults > MAX_FAULTS and member is not None and member.ended:
                return
            if faults > MAX_FAULTS:
                raise SourceError(f"More than {MAX_FAULTS} damaged gzip members", place=f"byte {begin}")
            end = file.tell() - len(data)
            data, clean = _next_member(file, max(begin + 1, end - LOOK_BACK)), False
        elif not data:
            data, clean = file.read(CHUNK), True
        else:
            clean = True


def _whole_members(file: BinaryIO, data: bytes, meter: Meter, progress: Progress) -> Generator[Piece, None, bytes]:
    """Members at the head of ``data`` and behind, as long as they are short, sound and like most; returns what is left.

    Nothing is left at the end of the file, else at least a chunk or all there is.
    """
    at = 0
    begin = file.tell() - len(data)
    while True:
        found = whole_member(data, at, _WHOLE)
        if found is not None and meter.affords(len(found[0]), begin + found[1]):
            content, end = found
            meter.charge(len(content), begin + end)
            yield Piece(content, begin + at, None, True, True)
            at = end
            if at < len(data):
                continue
        elif len(data) - at >= _HELD:
            return data[at:]
        progress(begin + at)
        more = file.read(_HELD)
        if not more:
            return data[at:]
        data = data[at:] + more
        begin, at = begin + at, 0


class _Member:
    """One gzip member: iterate it for its pieces, then ``rest`` and ``fault`` say how it ended."""

    def __init__(self, file: BinaryIO, begin: int, data: bytes, clean: bool, meter: Meter, progress: Progress) -> None:
        self.file, self.begin, self.clean, self.meter, self.progress = file, begin, clean, meter, progress
        self.rest = data
        self.ended = False
        self.fault: str | None = None

    def __iter__(self) -> Iterator[Piece]:
        stream = inflater(GZIP, self.rest)
        data, mark, delivered = self.rest, self.begin, 0
        first = True
        while True:
            try:
                out = stream.decompress(data, PIECE)
            except Errors as error:
                saved, self.fault = self._salvage(delivered, str(error))
                self.rest = data
                yield Piece(saved, mark if first else None, self.fault, self.clean)
                return
            self.fault = self.meter.charge(len(out), self.file.tell())
            if self.fault is not None:
                self.rest = stream.unconsumed_tail
                yield Piece(b"", mark if first else None, self.fault, self.clean)
                return
            if out or stream.eof:
                delivered += len(out)
                yield Piece(out, mark if first else None, None, self.clean)
                first = False
            if stream.eof:
                self.rest = stream.unused_data
                self.progress(self.file.tell() - len(self.rest))
                return
            data = stream.unconsumed_tail
            if not data and len(out) < PIECE:
                data = self.file.read(CHUNK)
                self.progress(self.file.tell())
                if not data:
                    self.fault, self.rest, self.ended = "gzip: the file ends inside a member", b"", True
                    yield Piece(b"", mark if first else None, self.fault, self.clean)
                    return

    def _salvage(self, delivered: int, message: str) -> tuple[bytes, str]:
        """What stands before the damage and the failed call did not hand out (less than one chunk's worth); the fault.

        The fault is zlib's, whoever found it.
        """
        end = self.file.tell()
        try:
            self.file.seek(self.begin)
        except OSError:  # a stream that can't go back so far
            return b"", f"gzip: {message}"
        inflater, done, saved = zlib.decompressobj(GZIP), 0, bytearray()
        remaining = end - self.begin
        step = CHUNK
        try:
            while remaining > 0:
                here = self.file.tell()
                data = self.file.read(min(step, remaining))
                before = inflater.copy() if step > 1 else inflater
                try:
                    out = inflater.decompress(data, 2 * PIECE)
                except zlib.error as error:
                    if step == 1:
                        message = str(error)
                        break
                    inflater, step = before, step >> 5 or 1
                    self.file.seek(here)
                    continue
                remaining -= len(data)
                saved += out[max(0, delivered - done) :]
                done += len(out)
                if inflater.eof or inflater.unconsumed_tail or len(saved) > PIECE:
                    break
        finally:
            self.file.seek(end)
        return bytes(saved), f"gzip: {message}"


def _next_member(file: BinaryIO, offset: int) -> bytes:
    """Seek to the next place from ``offset`` on that inflates like a member; its first bytes, or none."""
    file.seek(offset)
    data = file.read(CHUNK)
    while data:
        here = file.tell() - len(data)
        at = data.find(_MAGIC)
        while at >= 0:
            file.seek(here + at)
            candidate = file.read(CHUNK)
            if _inflates(candidate):
                return candidate
            at = data.find(_MAGIC, at + 1)
        file.seek(here + len(data))
        more = file.read(CHUNK)
        if not more:
            break
        file.seek(here + len(data) - 2)
        data = file.read(CHUNK)
    return b""


def _inflates(candidate: bytes) -> bool:
    try:
        return bool(zlib.decompressobj(31).decompress(candidate, 256))
    except zlib.error:
        return False
