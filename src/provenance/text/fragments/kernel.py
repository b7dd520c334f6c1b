# mypy: ignore-errors
# Compiled in: text/utf8/kernel.py 60a5d264
"""Kernel that looks for any of a few hundred short byte strings in every text."""

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import entry, inner, inner_inlined, load, pointer

SMALL = np.uint64(0x2020202020202020)
THREE_BYTES = np.uint64(0xFFFFFF)
FACTOR = np.uint64(0x9E3779B1)
ROOM = np.uint64(0xFFFF)
STEP = 6
"""Places among eight bytes where three begin."""


@inner_inlined
def place_of(word):
    """Where the tables tell of three bytes, the lowest of ``word``."""
    return (word & THREE_BYTES) * FACTOR >> np.uint64(16) & ROOM


@inner
def check(text, size, start, end, at, number, keys, masks, sizes, anchors, limits):
    """Whether a fragment's anchor stands at a place."""
    begin = at - anchors[number]
    if begin < start or begin - start > limits[number] or begin + sizes[number] > end:
        return False
    word = np.uint64(0)
    if begin + 8 <= size:
        word = load(text, begin)
    else:
        for place in range(begin, size):
            word |= np.uint64(text[np.uint64(place)]) << np.uint64(8 * (place - begin))
    return (word | SMALL) & masks[number] == keys[number]


@entry
def find_all(data, offsets, anchored, heads, following, keys, masks, sizes, anchors, limits, bits, reach, out):
    """Fill ``out`` with the bits of the fragments that each text holds.

    ``anchored`` says at which places of the tables a fragment stands, by the three bytes at its anchor; ``heads`` gives
    one more than the number of the first of them, ``following`` leads to the next. ``keys`` and ``masks`` hold up to
    eight bytes, letters in lower case. A fragment with a limit has to begin within so many bytes from the start of its
    text, of which ``reach`` bytes are read.
    """
    text = pointer(data)
    is_anchor = pointer(anchored)
    for row in range(offsets.size - 1):
        start = offsets[row]
        end = min(offsets[row + 1], start + reach)
        found = np.uint64(0)
        at = start
        while at < end - 2:
            upto = min(at + STEP, end - 2)
            word = np.uint64(0)
            if at + 8 <= data.size:
                word = load(text, at)
            else:
                for place in range(at, data.size):
                    word |= np.uint64(text[np.uint64(place)]) << np.uint64(8 * (place - at))
            word |= SMALL
            if not (
                is_anchor[place_of(word)]
                | is_anchor[place_of(word >> np.uint64(8))]
                | is_anchor[place_of(word >> np.uint64(16))]
                | is_anchor[place_of(word >> np.uint64(24))]
                | is_anchor[place_of(word >> np.uint64(32))]
                | is_anchor[place_of(word >> np.uint64(40))]
            ):
                at = upto
                continue
            while at < upto:
                candidate = heads[place_of(word)]
                word >>= np.uint64(8)
                while candidate:
                    number = np.int64(candidate) - 1
                    if bits[number] & ~found and check(
                        text, data.size, start, end, at, number, keys, masks, sizes, anchors, limits
                    ):
                        found |= bits[number]
                    candidate = following[number]
                at += 1
        out[row] = found
