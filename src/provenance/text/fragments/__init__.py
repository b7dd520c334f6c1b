"""Which texts hold any of some strings: one cheap pass that spares most texts a regular expression.

Fragments are found without regard to the case of ASCII letters. A text that passes may still hold none of what is
really looked for; one that doesn't pass has none for certain, if every string looked for has a fragment in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.text.buffers import string_buffers

LONGEST: Final = 8
ANYWHERE: Final = 1 << 62

_FACTOR: Final = 0x9E3779B1

_COMMON: Final = (  # noqa: SIM905 - a list of them would take a page
    "e | t|th|he| a|s |d |in|er|an|re|n |on|t | s|r |y |it|at|nd|en|es|or| o|ti|ed|te|ou|o |st|ar| c|is| w|al|nt|"
    " b|ng|to| i|se|g |le|l |ha|as| f|ve| m|me|io| p|of|f |hi|co|ea|ro|a | h|ic|ll|ne|de|ri|li|ra|ce|om|be|ma|, |"
    ". | d|el|ch|ho|ur|us|ut|lo|la|si|et|ta|pe| l|no|ns|m | e| r|ot|di|ec|wi|ca|ly|we|ee|h |tr|so|ac|rs|ge|ss|i |"
    "fo|ow|mo|wh|pr|ni|id|po|un|em|su|mi|da|do|im|ad|oo|ul|ts|ol|ai|il|os|sh|ir|gh|pa|rt"
).split("|")
"""Pairs of letters by how often they stand in English prose, the commonest first."""


@dataclass(frozen=True)
class Fragments:
    """Tables of the kernel; see `fragments`."""

    anchored: npt.NDArray[np.uint8]
    heads: npt.NDArray[np.uint16]
    following: npt.NDArray[np.uint16]
    keys: npt.NDArray[np.uint64]
    masks: npt.NDArray[np.uint64]
    sizes: npt.NDArray[np.int64]
    anchors: npt.NDArray[np.int64]
    limits: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]

    def in_texts(self, texts: pa.LargeStringArray) -> npt.NDArray[np.uint64]:
        """The bits of all fragments that stand in each text; 0 for none, and for a null."""
        from provenance.text.fragments.kernel import find_all

        values, offsets = string_buffers(texts)
        found = np.zeros(len(texts), np.uint64)
        find_all(
            values,
            offsets,
            self.anchored,
            self.heads,
            self.following,
            self.keys,
            self.masks,
            self.sizes,
            self.anchors,
            self.limits,
            self.bits,
            min(int(self.limits.max()), ANYWHERE >> 1) + LONGEST,
            found,
        )
        return found


def fragments(wanted: Iterable[tuple[str | bytes, int, int]]) -> Fragments:
    """Prepare a search.

    Args:
        wanted: Strings of three to eight bytes; for each the number of a bit (0 to 63), and within how many bytes from
            the start of a text it has to begin (`ANYWHERE`). One string may stand for several bits.
    """
    pieces: dict[bytes, tuple[int, int]] = {}
    for text, bit, limit in wanted:
        piece = (text.encode() if isinstance(text, str) else text).lower()
        bits, before = pieces.get(piece, (0, 0))
        pieces[piece] = (bits | 1 << bit, max(before, limit))
    anchors = [_rarest(piece) for piece in pieces]
    heads = np.zeros(1 << 16, np.uint16)
    following = np.zeros(len(pieces), np.uint16)
    for number, (piece, anchor) in enumerate(zip(pieces, anchors, strict=True)):
        three = int.from_bytes(bytes(byte | 0x20 for byte in piece[anchor : anchor + 3]), "little")
        place = three * _FACTOR >> 16 & 0xFFFF
        following[number], heads[place] = heads[place], number + 1
    small = [int.from_bytes(bytes(byte | 0x20 for byte in piece), "little") for piece in pieces]
    return Fragments(
        (heads > 0).astype(np.uint8),
        heads,
        following,
        np.array(small, np.uint64),
        np.array([(1 << 8 * len(piece)) - 1 for piece in pieces], np.uint64),
        np.array([len(piece) for piece in pieces], np.int64),
        np.array(anchors, np.int64),
        np.array([limit for _, limit in pieces.values()], np.int64),
        np.array([bits for bits, _ in pieces.values()], np.uint64),
    )


def _rarest(piece: bytes) -> int:
    """Where in a fragment its rarest three bytes stand: there the search stops to look."""
    return min(range(len(piece) - 2), key=lambda at: (_rank(piece[at : at + 2]) + _rank(piece[at + 1 : at + 3]), at))


def _rank(pair: bytes) -> int:
    text = pair.decode("latin-1")
    return len(_COMMON) - _COMMON.index(text) if text in _COMMON else 0
