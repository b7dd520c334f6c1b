"""Files over what is no file: a stream that remembers its last bytes, and a part of a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TAIL: Final = 1 << 20
"""Bytes that can be gone back: more than any reader looks back for the next member behind damage."""


class Stream(io.RawIOBase):
    """Chunks of bytes as a file that is read forward; seeking back works as far as the last MiB."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()
        self._base = 0
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True, though only forward and a little back."""
        return True

    def tell(self) -> int:
        """Offset in the stream."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset.

        Raises:
            OSError: It lies too far back, or is counted from the end.
        """
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("a stream has no known end")
        target = offset + (self._at if whence == io.SEEK_CUR else 0)
        if target < self._base:
            raise OSError(f"A stream can't go back to byte {target}")
        while target > self._base + len(self._buffer):
            if not self._pull():
                target = self._base + len(self._buffer)
            self._forget(min(target, self._base + len(self._buffer)))
        self._at = target
        return target

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes, fewer only at the end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while self._base + len(self._buffer) < self._at + size:
            if not self._pull():
                break
        start = self._at - self._base
        found = bytes(self._buffer[start : start + size])
        self._at += len(found)
        self._forget(self._at)
        return found

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer; returns how many bytes."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def _forget(self, at: int) -> None:
        """Drop what lies more than the tail before ``at``, once enough of it has gathered."""
        old = at - _TAIL - self._base
        if old > 3 * _TAIL:
            self._base += old
            del self._buffer[:old]

    def _pull(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._buffer += chunk
        return True


class Slice(io.RawIOBase):
    """Bytes ``[start, start + length)`` of a file, as a file of their own; closing closes that if it is owned."""

    def __init__(self, file: BinaryIO, start: int, length: int, *, owned: bool = False) -> None:
        self._file, self._start, self._length, self._owned = file, start, length, owned
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Offset in the slice."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset; returns it."""
        self._at = max(0, offset + (0, self._at, self._length)[whence])
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes."""
        rest = max(0, self._length - self._at)
        self._file.seek(self._start + self._at)
        found = self._file.read(rest if size is None or size < 0 else min(size, rest))
        self._at += len(found)
        return found

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer; returns how many bytes."""
        view = memoryview(buffer).cast("B")
        found = self.read(len(view))
        view[: len(found)] = found
        return len(found)

    def close(self) -> None:
        """Close it, and the file below where that is owned."""
        if self._owned:
            self._file.close()
        super().close()
