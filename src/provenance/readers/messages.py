"""Messages of an Arrow IPC stream, with their sizes and row counts checked before Arrow takes memory for them.

Arrow believes a message's length, and that of every compressed buffer in it, and allocates as much. Therefore the
flatbuffer of each message is looked at first: Arrow's "IPC format" and Message.fbs; the file format is the same
stream between two magic words, with an index behind it that is not needed.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from provenance.readers.options import ReadOptions

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CONTINUATION: Final = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _RECORDS = 1, 2, 3
_MAX_METADATA: Final = 16 << 20
_MAGIC: Final = b"ARROW1"


class MessageRefused(ValueError):  # noqa: N818 - becomes a reject or an error of the source
    """A message is larger than its cap, or is none; the argument says which."""


class Shape(NamedTuple):
    """What a message says of itself: its kind, the length of its body, its rows, and its buffers' places."""

    kind: int
    body: int
    rows: int
    buffers: tuple[tuple[int, int], ...]
    compressed: bool


class Messages(io.RawIOBase):
    """The bytes of a stream, one checked message at a time, for Arrow to read.

    Attributes:
        count: Messages so far.
        rows: Rows that the latest record batch says it has.
        ended: The stream came to its end mark, or to its end between two messages.
        cut: The stream ended inside a message.
        marked: It came to its end mark.
    """

    def __init__(self, file: BinaryIO, options: ReadOptions) -> None:
        self._file, self._options = file, options
        self._ready = memoryview(b"")
        self.count = self.rows = 0
        self.ended = self.cut = self.marked = False
        head = file.read(8)
        if not head.startswith(_MAGIC):
            self._head = head
        else:
            self._head = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes of the message at hand, or of the next one."""
        if size is None or size < 0:
            size = len(self._ready)
        if not self._ready and size:
            self._ready = memoryview(self._next())
        found = bytes(self._ready[:size])
        self._ready = self._ready[size:]
        return found

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer; returns how many bytes."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def skip(self) -> None:
        """Forget what is left of the message at hand."""
        self._ready = memoryview(b"")

    def _take(self, size: int) -> bytes:
        found = self._head[:size]
        self._head = self._head[size:]
        if len(found) < size:
            found += self._file.read(size - len(found))
        return found

    def _next(self) -> bytes:
        if self.ended:
            return b""
        prefix = self._take(8)
        if not prefix:
            self.ended = True
            return b""
        if len(prefix) < 8:
            return self._broken()
        mark, length = struct.unpack("<Ii", prefix)
        if mark == _CONTINUATION and length == 0:
            self.ended = self.marked = True
            return prefix
        if mark != _CONTINUATION or not 0 < length <= _MAX_METADATA:
            self.ended = True
            raise MessageRefused("no message where one should begin")
        metadata = self._take(length)
        if len(metadata) < length:
            return self._broken()
        self.count += 1
        shape = shape_of(metadata)
        if not 0 <= shape.body <= self._options.max_message_bytes:
            self.ended = True
            raise MessageRefused(f"a message of {shape.body} bytes, more than {self._options.max_message_bytes}")
        if shape.kind == _RECORDS:
            # No more than its bytes could hold: a damaged count is not to make a million rejects.
            self.rows = min(max(0, shape.rows), self._options.max_message_rows, 8 * shape.body)
        body = self._take(shape.body)
        if len(body) < shape.body:
            return self._broken()
        self._check(shape, body)
        return prefix + metadata + body

    def _broken(self) -> bytes:
        self.ended = self.cut = True
        return b""

    def _check(self, shape: Shape, body: bytes) -> None:
        if shape.rows > self._options.max_message_rows:
            raise MessageRefused(f"a batch of {shape.rows} rows, more than {self._options.max_message_rows}")
        total = 0
        for offset, length in shape.buffers:
            if offset < 0 or length < 0 or offset + length > len(body):
                raise MessageRefused("a buffer outside of its message")
            if shape.compressed and length >= 8:
                total += max(length, struct.unpack_from("<q", body, offset)[0])
        if total > self._options.max_message_bytes:
            raise MessageRefused(
                f"a batch that decompresses to {total} bytes, more than {self._options.max_message_bytes}"
            )


def shape_of(metadata: bytes) -> Shape:
    """Read what has to be known of a message's flatbuffer.

    Raises:
        MessageRefused: It is damaged.
    """
    try:
        root = _u32(metadata, 0)
        kind_at, header_at, body_at = (_field(metadata, root, slot) for slot in (1, 2, 3))
        kind = metadata[kind_at] if kind_at else 0
        body = struct.unpack_from("<q", metadata, body_at)[0] if body_at else 0
        table = header_at + _u32(metadata, header_at) if header_at else 0
        if kind == _DICTIONARY and table:
            inner = _field(metadata, table, 1)
            table = inner + _u32(metadata, inner) if inner else 0
        if kind not in (_DICTIONARY, _RECORDS) or not table:
            return Shape(kind, body, 0, (), False)
        rows_at, buffers_at, compression_at = (_field(metadata, table, slot) for slot in (0, 2, 3))
        rows = struct.unpack_from("<q", metadata, rows_at)[0] if rows_at else 0
        buffers: list[tuple[int, int]] = []
        if buffers_at:
            vector = buffers_at + _u32(metadata, buffers_at)
            count = _u32(metadata, vector)
            if vector + 4 + 16 * count > len(metadata):
                raise MessageRefused("more buffers than its metadata can hold")
            buffers = list(struct.iter_unpack("<qq", metadata[vector + 4 : vector + 4 + 16 * count]))
        return Shape(kind, body, rows, tuple(buffers), bool(compression_at))
    except (struct.error, IndexError) as error:
        raise MessageRefused(f"damaged metadata: {error}") from error


def _u32(metadata: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", metadata, at)[0])


def _field(metadata: bytes, table: int, slot: int) -> int:
    """Offset of a field of a flatbuffer table; 0 where it is left out."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    if vtable < 0:
        raise MessageRefused("damaged metadata")
    if 4 + 2 * slot >= struct.unpack_from("<H", metadata, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", metadata, vtable + 4 + 2 * slot)[0]
    return table + offset if offset else 0
