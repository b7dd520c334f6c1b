"""The directory of a ZIP archive, read without believing it: counts, names, places and sizes are checked first.

APPNOTE.TXT of PKWARE, sections 4.3 and 4.5. Nothing is ever unpacked to disk. `zipfile` would build the whole
directory in memory before any of it can be looked at, and trusts the count that it states.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple, cast

from provenance.errors import SourceError
from provenance.readers.options import ReadOptions
from provenance.readers.pieces import CHUNK, PIECE
from provenance.readers.streams import Slice

STORED, DEFLATED = 0, 8
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64: Final = struct.Struct("<4sIQI")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
_MAX_COMMENT: Final = (1 << 16) - 1
_UNKNOWN: Final = 0xFFFFFFFF
_BAD_NAME: Final = re.compile(r"(?:^|/)\.\.(?:/|$)|^/|^[A-Za-z]:|[\\\x00-\x1f\x7f]")


class Entry(NamedTuple):
    """One file of an archive, as its directory describes it.

    Attributes:
        number: Its place in the directory, from 0.
        name: Its path in the archive.
        flags: General purpose bits.
        method: How it is compressed.
        crc: CRC-32 of its bytes.
        compressed: Bytes as stored.
        size: Bytes decompressed.
        header: Offset of its local header in the file.
    """

    number: int
    name: str
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    header: int


class EntryRefused(ValueError):  # noqa: N818 - becomes a reject
    """The entry is not read; arguments are reason and detail."""


def entries(file: BinaryIO, size: int, options: ReadOptions) -> list[Entry]:
    """The directory of an archive.

    Raises:
        SourceError: It has more than ``options.max_members`` entries, or is damaged.
        EOFError: It is not there; the archive is cut, or is none.
    """
    at, count, length, start = _end(file, size)
    if count > options.max_members:
        raise SourceError(f"The archive says it has {count} members, more than {options.max_members}")
    if length > at:
        raise SourceError("The archive's directory does not fit into the file")
    file.seek(at - length)
    directory = io.BufferedReader(Slice(file, at - length, length), CHUNK)
    shift = at - length - start  # bytes that stand before the archive proper
    found: list[Entry] = []
    consumed = 0
    while consumed < length:
        if len(found) == options.max_members:
            raise SourceError(f"The archive has more than {options.max_members} members")
        raw = directory.read(_CENTRAL.size)
        if len(raw) < _CENTRAL.size or not raw.startswith(b"PK\x01\x02"):
            raise SourceError(f"The archive's directory is damaged behind its entry {len(found)}")
        fields = _CENTRAL.unpack(raw)
        name_length, extra_length, comment_length = fields[10:13]
        name, extra = directory.read(name_length), directory.read(extra_length)
        directory.read(comment_length)
        consumed += _CENTRAL.size + name_length + extra_length + comment_length
        size_, compressed, header = _wide(extra, fields[9], fields[8], fields[16])
        shown = name.decode("utf-8" if fields[3] & 0x800 else "cp437", "replace")
        found.append(Entry(len(found), shown, fields[3], fields[4], fields[7], compressed, size_, header + shift))
    return found


def walk(file: BinaryIO, size: int, options: ReadOptions) -> Iterator[Entry]:
    """The entries of an archive whose directory is missing, by their local headers, as far as these say their sizes."""
    at = number = 0
    while at + _LOCAL.size <= size and number < options.max_members:
        file.seek(at)
        raw = file.read(_LOCAL.size)
        if not raw.startswith(b"PK\x03\x04"):
            return
        fields = _LOCAL.unpack(raw)
        if fields[2] & 8 and not fields[7]:  # the sizes stand behind the bytes
            return
        name, extra = file.read(fields[9]), file.read(fields[10])
        full, compressed, _ = _wide(extra, fields[8], fields[7], 0)
        shown = name.decode("utf-8" if fields[2] & 0x800 else "cp437", "replace")
        yield Entry(number, shown, fields[2], fields[3], fields[6], compressed, full, at)
        at += _LOCAL.size + fields[9] + fields[10] + compressed
        number += 1


def check(entry: Entry, options: ReadOptions) -> None:
    """Refuse an entry by what the directory says of it.

    Raises:
        EntryRefused: Its name leads elsewhere or is too long, it is encrypted, of another compression than deflate, or
            grows too much.
    """
    if len(entry.name.encode("utf-8", "replace")) > options.max_path_bytes:
        raise EntryRefused("member-name", f"a name of more than {options.max_path_bytes} bytes")
    if _BAD_NAME.search(entry.name):
        raise EntryRefused("member-name", f"{entry.name[:200]!r} leads out of the archive")
    if entry.flags & 0x41:
        raise EntryRefused("encrypted", entry.name[:200])
    if entry.method not in (STORED, DEFLATED):
        raise EntryRefused(
            "member-compression", f"{entry.name[:200]}: method {entry.method} is neither stored nor deflated"
        )
    if entry.method == STORED and entry.compressed != entry.size:
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: stored, but of two sizes")
    if entry.size > max(256 << 20, options.max_ratio * entry.compressed):
        raise EntryRefused("ratio", f"{entry.name[:200]}: {entry.size} bytes out of {entry.compressed}")


def place(file: BinaryIO, entry: Entry, size: int) -> tuple[int, int]:
    """Offset and length of an entry's bytes as stored; the length is cut where the file ends before them.

    Raises:
        EntryRefused: Its local header is missing or says something else than the directory.
    """
    if not 0 <= entry.header < size:
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: it should begin at byte {entry.header}")
    file.seek(entry.header)
    raw = file.read(_LOCAL.size)
    if len(raw) < _LOCAL.size or not raw.startswith(b"PK\x03\x04"):
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: no local header at byte {entry.header}")
    fields = _LOCAL.unpack(raw)
    name = file.read(fields[9]).decode("utf-8" if fields[2] & 0x800 else "cp437", "replace")
    if name != entry.name or fields[3] != entry.method:
        raise EntryRefused("damaged-member", f"{entry.name[:200]}: the local header names {name[:200]!r}")
    start = entry.header + _LOCAL.size + fields[9] + fields[10]
    return start, min(entry.compressed, max(0, size - start))


class Bytes:
    """The decompressed bytes of an entry, in chunks; afterwards ``fault`` says what was wrong with them."""

    def __init__(self, file: BinaryIO, entry: Entry, start: int, length: int) -> None:
        self._file, self._entry, self._start, self._length = file, entry, start, length
        self.fault: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        stored = Slice(self._file, self._start, self._length)
        inflater = zlib.decompressobj(-15)
        data, crc, size = stored.read(CHUNK), 0, 0
        while data and not inflater.eof:
            try:
                out = inflater.decompress(data, PIECE)
            except zlib.error as error:
                self.fault = f"deflate: {error}"
                return
            crc, size = zlib.crc32(out, crc), size + len(out)
            if size > self._entry.size:
                self.fault = f"more than the {self._entry.size} bytes it should have"
                return
            if out:
                yield out
            data = inflater.unconsumed_tail or stored.read(CHUNK)
        while not inflater.eof and not self.fault:
            out = inflater.decompress(b"", PIECE)
            crc, size = zlib.crc32(out, crc), size + len(out)
            if size > self._entry.size or not out:
                break
            yield out
        if not inflater.eof:
            self.fault = "it ends before its deflate stream does"
        elif size != self._entry.size or crc != self._entry.crc:
            self.fault = "its checksum is wrong"


class Checked(Slice):
    """The bytes of a stored entry, with a checksum over those read in order."""

    def __init__(self, file: BinaryIO, entry: Entry, start: int, length: int) -> None:
        super().__init__(file, start, length)
        self._entry, self._crc, self._seen = entry, 0, 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes."""
        at = self.tell()
        found = super().read(size)
        if at <= self._seen < at + len(found):
            self._crc = zlib.crc32(found[self._seen - at :], self._crc)
            self._seen = at + len(found)
        return found

    @property
    def fault(self) -> str | None:
        """What was wrong, where all of it was read."""
        if self._seen == self._entry.size and self._crc != self._entry.crc:
            return "its checksum is wrong"
        return None


def _end(file: BinaryIO, size: int) -> tuple[int, int, int, int]:
    """Where the directory ends, how many entries it says it has, its length, and the offset that it claims."""
    tail = min(size, _END.size + _MAX_COMMENT)
    file.seek(size - tail)
    raw = file.read(tail)
    at = raw.rfind(b"PK\x05\x06")
    while at >= 0:
        if len(raw) - at >= _END.size:
            fields = _END.unpack_from(raw, at)
            if at + _END.size + fields[7] <= len(raw):
                return _end64(file, size - tail + at, fields)
        at = raw.rfind(b"PK\x05\x06", 0, at)
    raise EOFError("no end of central directory")


def _end64(
    file: BinaryIO, at: int, fields: tuple[bytes, int, int, int, int, int, int, int]
) -> tuple[int, int, int, int]:
    if at >= _LOCATOR64.size:
        file.seek(at - _LOCATOR64.size)
        locator = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
        # Where something stands before the archive proper, the locator says too little.
        for place in (locator[2], at - _LOCATOR64.size - _END64.size):
            if locator[0] != b"PK\x06\x07" or not 0 <= place < at:
                continue
            file.seek(place)
            raw = file.read(_END64.size)
            if len(raw) == _END64.size and raw.startswith(b"PK\x06\x06"):
                wide = _END64.unpack(raw)
                return place, wide[7], wide[8], wide[9]
    return at, fields[4], fields[5], fields[6]


def _wide(extra: bytes, size: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Sizes and offset, from the ZIP64 field where the narrow ones are full."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            size = next(values, size) if size == _UNKNOWN else size
            compressed = next(values, compressed) if compressed == _UNKNOWN else compressed
            header = next(values, header) if header == _UNKNOWN else header
        at += 4 + length
    return size, compressed, header


def as_file(stream: io.RawIOBase) -> BinaryIO:
    """A raw stream as what readers take."""
    return cast("BinaryIO", stream)
