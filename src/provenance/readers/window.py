"""A sliding window over decompressed pieces that keeps the marks of members and of damage."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from provenance.readers.pieces import Piece

_COMPACT: Final = 1 << 20
BLANK: Final = b"\r\n\t "
_NOT_BLANK: Final = re.compile(rb"[^\r\n\t ]")


class Member(NamedTuple):
    """A compressed member begins.

    Attributes:
        offset: Where, in the decompressed stream.
        compressed: Where, in the file.
        clean: It was not found by searching.
        harmed: Where, in the file, the last damaged member before it begins; -1 if there is none.
    """

    offset: int
    compressed: int
    clean: bool
    harmed: int = -1


class Fault(NamedTuple):
    """Bytes are missing at ``offset`` of the decompressed stream.

    Attributes:
        offset: Where, in the decompressed stream.
        member: Where, there, the damaged member begins (0 if the compression has none).
        compressed: Where, in the file, it begins.
        message: What is wrong.
    """

    offset: int
    member: int
    compressed: int
    message: str


@dataclass
class Window:
    """Bytes ``[base, end)`` of the decompressed stream, filled on demand and dropped once read.

    Attributes:
        source: Where pieces come from.
        buffer: The bytes in the window.
        base: Offset of the first of them.
        members: Marks of members that begin at or behind ``base``, in order.
        faults: Places of damage at or behind ``base``, in order.
        ended: No piece is left.
        end: Offset behind the last byte in the window.
    """

    source: Iterator[Piece]
    base: int = 0

    def __post_init__(self) -> None:
        self.buffer = bytearray()
        self.members: deque[Member] = deque()
        self.faults: deque[Fault] = deque()
        self.ended = False
        self.end = self.base
        self._latest = Member(self.base, 0, True)
        self._harmed = -1
        self._kept: Piece | None = None
        self._pulled: Piece | None = None

    def whole(self, at: int) -> Piece | None:
        """The next piece, if it is a whole member, and from ``at`` on nothing but white space is in front of it.

        None, too, where there was damage before. The piece is not in the window then: `passed` says that it need not
        come there.
        """
        if self._harmed >= 0 or self.faults:
            return None
        if self.end > self.base:
            last = self._pulled
            if last is None or not last.whole or [member.offset for member in self.members] != [self._latest.offset]:
                return None
            if self._latest.offset < at or self.buffer[at - self.base : self._latest.offset - self.base].strip(BLANK):
                return None
            self.base = self.end = self._latest.offset
            self.buffer.clear()
            self.members.clear()
            self._kept, self._pulled = last, None
        elif self._kept is None:
            self._kept = next(self.source, None)
        return self._kept if self._kept is not None and self._kept.whole else None

    def passed(self) -> None:
        """Leave out the piece that `whole` gave."""
        if self._kept is not None:
            self.end += len(self._kept.data)
            self.base = self.end
            self._kept = None

    def fill(self, upto: int) -> bool:
        """Read until the window reaches offset ``upto``; False if the stream ends before it."""
        while self.end < upto:
            if not self._pull():
                return False
        return True

    def _pull(self) -> bool:
        piece = self._kept or next(self.source, None)
        self._kept, self._pulled = None, piece
        if piece is None:
            self.ended = True
            return False
        if piece.member is not None:
            self._latest = Member(self.end, piece.member, piece.clean, self._harmed)
            self.members.append(self._latest)
        self.buffer += piece.data
        self.end += len(piece.data)
        if piece.fault is not None:
            self._harmed = self._latest.compressed
            self.faults.append(Fault(self.end, self._latest.offset, self._latest.compressed, piece.fault))
        return True

    def get(self, start: int, stop: int) -> bytes:
        """Bytes ``[start, stop)``, as far as they are in the window."""
        return bytes(self.buffer[start - self.base : stop - self.base])

    def skip_blank(self, at: int) -> int:
        """Offset of the first byte from ``at`` on that is no white space (or of the end of the stream)."""
        while at < self.end or self.fill(at + 1):
            found = _NOT_BLANK.search(self.buffer, at - self.base)
            if found is not None:
                return self.base + found.start()
            at = self.end
        return at

    def drop(self, before: int) -> None:
        """Forget bytes before an offset; bytes are moved only once enough of them have gathered."""
        if before - self.base > _COMPACT or (before >= self.end and self.buffer):
            del self.buffer[: before - self.base]
            self.base = before
        while self.members and self.members[0].offset < before:
            self.members.popleft()
        while self.faults and self.faults[0].offset < before:
            self.faults.popleft()
