"""Members of bzip2, xz, Zstandard and LZ4 files, one after the other, with reading going on behind damage.

Zstandard files may begin with a dictionary in a skippable frame (IIPC, Zstandard Compression for WARC Files 1.0).
LZ4 frames are found by walking over their blocks, because the library that inflates them hides where they end.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, Final, Protocol, cast

from provenance.errors import SourceError
from provenance.readers.options import ReadOptions
from provenance.readers.pieces import CHUNK, LOOK_BACK, MAX_FAULTS, PIECE, Meter, Piece, Progress
from provenance.readers.streams import Slice

_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_DICTIONARY_FRAME: Final = b"\x5d\x2a\x4d\x18"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_LZ4_BLOCKS: Final = {4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 4 << 20}
_MAX_DICTIONARY: Final = 16 << 20
_MAGICS: Final = {
    "bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zst": re.compile(re.escape(_ZSTD_MAGIC)),
    "lz4": re.compile(re.escape(_LZ4_MAGIC)),
}
_MAGIC_BYTES: Final = 10


class _Decoder(Protocol):
    """What the decoders of bz2, lzma and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def zstd() -> Any:
    """The Zstandard module: the standard library's from Python 3.14 on, its backport before."""
    if sys.version_info >= (3, 14):
        from compression import zstd as module
    else:
        from backports import zstd as module
    return module


def members(file: BinaryIO, compression: str, meter: Meter, progress: Progress, caps: ReadOptions) -> Iterator[Piece]:
    """Decompress every member of a file from where it stands; behind damage, go on at the next member.

    Args:
        file: The file.
        compression: ``bz2``, ``xz``, ``zst`` or ``lz4``.
        meter: Bounds what it decompresses to.
        progress: Told how many bytes of the file have been consumed.
        caps: Bounds of the decoder's memory.
    """
    walk = _Walk(file, compression, meter, progress, caps)
    faults = 0
    at, clean = file.tell(), True
    while True:
        file.seek(at)
        head = file.read(CHUNK)
        if not head:
            return
        padding = len(head) - len(head.lstrip(b"\0"))
        if padding:
            at += padding
            continue
        fault: str | None
        if compression == "zst" and _SKIPPABLE.match(head):
            fault = walk.skip(at, head)
            if fault is not None:
                yield Piece(b"", at, fault, clean)
        elif not _MAGICS[compression].match(head):
            fault = f"bytes that are no {compression} member"
            yield Piece(b"", at, fault, clean)
        else:
            yield from walk.member(at, clean)
            fault = walk.fault
        if fault is None:
            at, clean = walk.next, True
            continue
        faults += 1
        if faults > MAX_FAULTS:
            raise SourceError(f"More than {MAX_FAULTS} damaged {compression} members", place=f"byte {at}")
        after = walk.search(max(at + 1, file.tell() - LOOK_BACK))
        if after is None:
            return
        at, clean = after, False


class _Walk:
    """One pass over a file: reads one member, then ``next`` and ``fault`` say how it ended."""

    def __init__(self, file: BinaryIO, compression: str, meter: Meter, progress: Progress, caps: ReadOptions) -> None:
        self.file, self.compression, self.meter, self.progress = file, compression, meter, progress
        self.next = 0
        self.fault: str | None = None
        self._caps = caps
        self._dictionary: Any = None
        self._make, self._errors = self._decoders()

    def _decoders(self) -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
        if self.compression == "bz2":
            import bz2

            return bz2.BZ2Decompressor, (OSError, EOFError, ValueError)
        if self.compression == "xz":
            import lzma

            memory = self._caps.max_window_bytes
            return partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=memory), (lzma.LZMAError, EOFError)
        if self.compression == "zst":
            module = zstd()
            window = {module.DecompressionParameter.window_log_max: self._caps.max_window_bytes.bit_length() - 1}
            return (
                lambda: cast("_Decoder", module.ZstdDecompressor(self._dictionary, options=window)),
                (module.ZstdError, EOFError, ValueError),
            )
        return cast("Any", None), (OSError, EOFError, ValueError)

    def member(self, begin: int, clean: bool) -> Iterator[Piece]:
        """Pieces of the member that begins at this offset."""
        self.fault = None
        if self.compression == "lz4":
            yield from self._lz4(begin, clean)
            return
        self.file.seek(begin)
        decoder, delivered, mark = self._make(), 0, begin
        data = self.file.read(CHUNK)
        while True:
            here = self.file.tell() - len(data)
            try:
                out = decoder.decompress(data, PIECE)
            except self._errors as error:
                self.fault = f"{self.compression}: {error}"
                yield Piece(self._salvage(begin, here, delivered), None if delivered else mark, self.fault, clean)
                return
            self.fault = self.meter.charge(len(out), self.file.tell())
            if self.fault is not None:
                yield Piece(b"", None if delivered else mark, self.fault, clean)
                return
            if out or decoder.eof:
                yield Piece(out, None if delivered else mark, None, clean)
                delivered += len(out)
            if decoder.eof:
                self.next = self.file.tell() - len(decoder.unused_data)
                self.progress(self.next)
                return
            data = self.file.read(CHUNK) if decoder.needs_input else b""
            self.progress(self.file.tell())
            if not data and decoder.needs_input:
                self.fault = f"{self.compression}: the file ends inside a member"
                yield Piece(b"", None if delivered else mark, self.fault, clean)
                return

    def _salvage(self, begin: int, damage: int, delivered: int) -> bytes:
        """What stands before the damage and the call that failed on it did not hand out."""
        end = self.file.tell()
        try:
            self.file.seek(begin)
        except OSError:  # a stream that can't go back so far
            return b""
        decoder, done, saved = self._make(), 0, bytearray()
        try:
            while not decoder.eof and self.file.tell() < end and len(saved) < PIECE:
                here = self.file.tell()
                step = CHUNK if here < damage else 1
                data = (
                    self.file.read(min(step, (damage if here < damage else end) - here)) if decoder.needs_input else b""
                )
                out = decoder.decompress(data, PIECE)
                saved += out[max(0, delivered - done) :]
                done += len(out)
        except self._errors:
            pass
        finally:
            self.file.seek(end)
        return bytes(saved)

    def _lz4(self, begin: int, clean: bool) -> Iterator[Piece]:
        from fastwarc.stream_io import Lz4Reader

        end, cut = self._lz4_end(begin)
        reader = Lz4Reader(Slice(self.file, begin, end - begin))
        mark: int | None = begin
        try:
            while data := reader.read(PIECE):
                self.fault = self.meter.charge(len(data), end)
                if self.fault is not None:
                    yield Piece(b"", mark, self.fault, clean)
                    self.file.seek(end)
                    return
                yield Piece(data, mark, None, clean)
                mark = None
        except self._errors as error:
            self.fault = cut or f"lz4: {error}"
        self.fault = self.fault or cut
        self.file.seek(end)
        self.next = end
        self.progress(end)
        if self.fault is not None or mark is not None:
            yield Piece(b"", mark, self.fault, clean)

    def _lz4_end(self, begin: int) -> tuple[int, str | None]:
        """Where an LZ4 frame ends, by its blocks, and the fault where that can't be told."""
        self.file.seek(begin + 4)
        head = self.file.read(2)
        if len(head) < 2:
            return self.file.tell(), "lz4: the file ends inside a frame"
        flags, block_code = head[0], head[1] >> 4 & 7
        at = begin + 6 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0) + 1
        longest = _LZ4_BLOCKS.get(block_code, 0)
        if flags >> 6 != 1 or not longest:
            return begin + 7, "lz4: a damaged frame header"
        while True:
            self.file.seek(at)
            raw = self.file.read(4)
            if len(raw) < 4:
                return at + len(raw), "lz4: the file ends inside a frame"
            size = struct.unpack("<I", raw)[0]
            at += 4
            if size == 0:
                break
            size &= 0x7FFFFFFF
            if size > longest:
                return at, "lz4: a damaged block header"
            at += size + (4 if flags & 16 else 0)
        at += 4 if flags & 4 else 0
        self.file.seek(at - 1)
        return at, None if self.file.read(1) else "lz4: the file ends inside a frame"

    def skip(self, at: int, head: bytes) -> str | None:
        """Pass over a skippable frame, a dictionary at the head of the file taken along; returns a fault."""
        size = int.from_bytes(head[4:8], "little")
        self.next = at + 8 + size
        self.file.seek(self.next - 1)
        if len(head) < 8 or not self.file.read(1):
            return "zst: the file ends inside a skippable frame"
        if at == 0 and head.startswith(_DICTIONARY_FRAME):
            if size > _MAX_DICTIONARY:
                return f"zst: a dictionary of {size} bytes"
            self.file.seek(8)
            return self._take_dictionary(self.file.read(size))
        return None

    def _take_dictionary(self, content: bytes) -> str | None:
        module = zstd()
        try:
            if content.startswith(_ZSTD_MAGIC):
                decoder = module.ZstdDecompressor()
                content = decoder.decompress(content, _MAX_DICTIONARY)
                if not decoder.eof:
                    return f"zst: a dictionary that decompresses to more than {_MAX_DICTIONARY} bytes, or is cut"
            self._dictionary = module.ZstdDict(content)
        except (module.ZstdError, ValueError, EOFError) as error:
            return f"zst: the dictionary is damaged: {error}"
        return None

    def search(self, offset: int) -> int | None:
        """Offset of the next place from ``offset`` on that inflates like a member."""
        magic = _MAGICS[self.compression]
        at = offset
        while True:
            self.file.seek(at)
            data = self.file.read(CHUNK)
            for found in magic.finditer(data):
                if self._inflates(at + found.start()):
                    return at + found.start()
            if len(data) < CHUNK:
                return None
            at += len(data) - _MAGIC_BYTES

    def _inflates(self, at: int) -> bool:
        self.file.seek(at)
        if self.compression == "lz4":
            end, fault = self._lz4_end(at)
            return fault is None or end > at + 11
        candidate = self.file.read(CHUNK)
        decoder = self._make()
        try:
            # A block of bzip2 can be longer than any head: then no error is all that can be asked for.
            return bool(decoder.decompress(candidate, 256)) or decoder.needs_input
        except self._errors:
            return False
