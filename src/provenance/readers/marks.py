"""Places inside a source from which reading can go on, and the part of a source between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Mark(NamedTuple):
    """A place between two units, with all that a reader knows when it has come there from the source's start.

    Attributes:
        offset: Of the next unit, or of its compressed member, in the file; for Parquet, the number of the row group.
        row: Number of the next unit, where units are numbered.
        stream: Offset of the next unit in the decompressed stream.
        state: What else decides how reading goes on; empty unless something was wrong before.
    """

    offset: int = 0
    row: int = 0
    stream: int = 0
    state: tuple[int, ...] = ()

    def meets(self, other: Mark | None) -> bool:
        """Tell whether reading goes on in the same way from both."""
        return other is not None and (self.offset, self.row, self.state) == (other.offset, other.row, other.state)


START = Mark()


@dataclass
class Span:
    """The part of a source that one pass reads.

    Attributes:
        begin: Where it begins. None: at the first place behind ``sought`` that looks like a record's start, which can
            be a forged one; only the pass before can tell.
        sought: Offset in the file to seek from.
        stop: The first unit that begins here or behind is the next part's; None: read to the source's end.
        guessed: ``begin`` was found by seeking.
        end: Where the next part begins, once this one is read; None: the source has ended.
    """

    begin: Mark | None = START
    sought: int = 0
    stop: int | None = None
    guessed: bool = False
    end: Mark | None = None

    @property
    def first(self) -> Mark:
        """Where it begins, once that is known."""
        return self.begin or START

    @property
    def whole(self) -> bool:
        """Whether this is the whole source."""
        return self.begin == START and self.stop is None


class Misled(Exception):  # noqa: N818 - not an error of the source: the guess can't be upheld
    """A part that was begun at a guess depends on what stands before it."""
