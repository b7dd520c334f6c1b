"""What a pass over a crawl file knows so far: where it is, how the file is compressed, what it may believe.

What is found behind damage is `recovered`, since a payload can forge a record, until a record begins at a member
of a file compressed record by record, which no payload can forge. Where a member was damaged, its payload may hold
members as well, so that they count again only when the longest record is behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from provenance.readers.grammar import Grammar
from provenance.readers.marks import Misled, Span
from provenance.readers.options import ReadOptions
from provenance.readers.pieces import Piece
from provenance.readers.window import Fault, Member, Window

SHARED_MEMBER: Final = 1 << 62
"""Added to the uncompressed offset of a record that shares its member with an earlier one although the file
is compressed record by record, so that its position can't be taken for a member's."""


class Progress:
    """The state of one pass.

    Attributes:
        window: The part of the decompressed stream in hand.
        span: The part of the file that is to be read; its end is set when it is read.
        begin: Where the pass began.
        size: Of the file, if it is plain.
        first: Whether no record was read yet.
        recordwise: Whether the file is compressed record by record; None as long as that can't be known.
        recovered: Whether a payload may have forged what is read now.
        aligned: Whether members begin at records.
        doubtful: Offset in the file before which members are not believed.
        rewinds: How often the stream was opened again.
    """

    def __init__(
        self,
        open_at: Callable[[int], Iterator[Piece]],
        compression: str,
        size: int,
        options: ReadOptions,
        grammar: Grammar,
        span: Span,
    ) -> None:
        self.open_at, self.compression, self.options, self.grammar = open_at, compression, options, grammar
        self.size = size if not compression else None
        self.span, self.begin = span, span.first
        self.window = Window(open_at(self.begin.offset), self.begin.stream)
        self.first = self.begin.offset == 0
        self.recordwise: bool | None = (None if self.first else True) if compression == "gz" else False
        recovered, unaligned, self.doubtful, self.rewinds = self.begin.state or (0, 0, 0, 0)
        self.recovered, self.aligned = bool(recovered), not unaligned

    def distrust(self, fault: Fault) -> None:
        """What comes behind a damaged member is recovered; members are, until no record can reach as far."""
        self.recovered = True
        self.doubtful = max(self.doubtful, fault.compressed + self.options.max_record_bytes)

    def believes(self, member: Member) -> bool:
        """Whether a record that begins with this member is none that a payload forged."""
        return self.aligned and self.recordwise is True and member.clean and member.compressed >= self.doubtful

    def position(self, at: int, member: Member | None) -> int:
        """The locator of a record that begins at ``at``."""
        if self.first:
            self.first = False
            return 0
        if self.recordwise is None:
            self.recordwise = member is not None
        if not self.recordwise:
            return at
        if member is None and self.span.guessed:
            raise Misled
        return member.compressed if member is not None else SHARED_MEMBER + at

    def rewind(self, member: Member | None, to: int) -> None:
        """Open the stream again, so that ``to``, in or behind ``member``, is in the window."""
        self.rewinds += 1
        if not self.compression:
            self.window = Window(self.open_at(to), to)
            return
        if member is not None and self.compression == "gz":
            self.window = Window(self.open_at(member.compressed), member.offset)
        else:
            self.window = Window(self.open_at(self.begin.offset), self.begin.stream)
        while self.window.end <= to and self.window.fill(self.window.end + 1):
            self.window.drop(min(to, self.window.end))
