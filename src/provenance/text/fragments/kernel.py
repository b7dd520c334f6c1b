# mypy: ignore-errors
# Compiled in: text/utf8/kernel.py 60a5d264
"""Kernel that looks for any of a few hundred short byte strings in every text."""

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import entry, inner_inlined, load, pointer

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


@inner_inlined
def eight_at(text, size, at):
    """Eight bytes, zeros behind the last."""
    if at + 8 <= size:
        return load(text, at)
    word = np.uint64(0)
    for place in range(at, size):
        word |= np.uint64(text[np.uint64(place)]) << np.uint64(8 * (place - at))
    return word


@entry
def find_all(data, offsets, anchored, heads, following, keys, masks, sizes, anchors, limits, bits, reach, out):
    """Fill ``out`` with the bits of the fragments that each text holds.

    ``anchored`` says at which places of the tables a fragment stands, by the three bytes at its anchor; ``heads`` gives
    one more than the number of the first of them, ``following`` leads to the next. ``keys`` and ``masks`` hold up to
    eight bytes, letters in lower case. A fragment with a limit has to begin within so many bytes from the start of its
    text, of which ``reach`` bytes are read.
    """
    text = pointer(data)
    is_anchor, first_of, next_of = pointer(anchored), pointer(heads), pointer(following)
    key_of, mask_of, bits_of = pointer(keys), pointer(masks), pointer(bits)
    size_of, anchor_of, limit_of = pointer(sizes), pointer(anchors), pointer(limits)
    size = data.size
    for row in range(offsets.size - 1):
        start = offsets[row]
        end = min(offsets[row + 1], start + reach)
        found = np.uint64(0)
        at = start
        while at < end - 2:
            upto = min(at + STEP, end - 2)
            word = eight_at(text, size, at) | SMALL
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
                candidate = np.uint64(first_of[place_of(word)])
                word >>= np.uint64(8)
                while candidate:
                    number = candidate - np.uint64(1)
                    begin = at - anchor_of[number]
                    if (
                        bits_of[number] & ~found
                        and start <= begin <= end - size_of[number]
                        and begin - start <= limit_of[number]
                        and (eight_at(text, size, begin) | SMALL) & mask_of[number] == key_of[number]
                    ):
                        found |= bits_of[number]
                    candidate = np.uint64(next_of[number])
                at += 1
        out[row] = found
