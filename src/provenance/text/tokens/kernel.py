"""The loop that splits folded texts into hashed tokens; ``reference.split_text`` says what it gives."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.
# Compiled in: text/utf8/kernel.py 60a5d264

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import (
    classify_block,
    decode,
    entry,
    inner,
    inner_inlined,
    kind_of,
    leading_zeros,
    load,
    pointer,
    trailing_zeros,
)

U64 = np.uint64
ONE = U64(1)
ALL = U64(0xFFFFFFFFFFFFFFFF)
MULTIPLIER = U64(0x9E3779B97F4A7C15)
FINAL_MULTIPLIER = U64(0xD6E8FEB86659FD93)
REACH = 80
"""How far behind the start of a block its words are read."""


@inner
def _hash_bytes(data, size, start, end):
    mixed = U64(0)
    at = start
    while at < end:
        left = end - at
        if at + 8 <= size:
            chunk = load(data, at)
            if left < 8:
                chunk &= (ONE << U64(8 * left)) - ONE
        else:
            chunk = U64(0)
            for i in range(min(left, 8)):
                chunk |= U64(data[at + i]) << U64(8 * i)
        mixed = (mixed ^ chunk) * MULTIPLIER
        mixed ^= mixed >> U64(32)
        at += 8
    return np.uint32((mixed ^ U64(end - start)) * FINAL_MULTIPLIER >> U64(32))


@inner_inlined
def _first_bytes(chunk, count):
    """The first 1 to 8 bytes, the others zero."""
    return chunk & ALL >> U64(64 - 8 * count)


@inner_inlined
def _hash_word(data, start, length):
    """The hash of up to 64 bytes, of which 16 are read without asking how many there are."""
    short = _first_bytes(load(data, start), min(length, 8)) * MULTIPLIER
    short ^= short >> U64(32)
    mixed = (short ^ _first_bytes(load(data, start + 8), min(length - 8, 8))) * MULTIPLIER
    mixed ^= mixed >> U64(32)
    if length <= 8:
        mixed = short
    done = 16
    while done < length:
        mixed = (mixed ^ _first_bytes(load(data, start + done), min(length - done, 8))) * MULTIPLIER
        mixed ^= mixed >> U64(32)
        done += 8
    return (mixed ^ U64(length)) * FINAL_MULTIPLIER >> U64(32)


@inner_inlined
def _mark_foreign(index, properties, data, at, size, words, leads):
    """Add characters beyond ASCII to a block's words; where one token follows another without a gap; where it ends."""
    starts = U64(0)
    while leads:
        place = trailing_zeros(leads)
        leads &= leads - ONE
        code, width = decode(data, at + np.int64(place))
        if np.int64(place) + width > size:
            return words, starts, np.int64(place)
        kind = kind_of(index, properties, code) & 3
        first = ONE << place
        behind = first << U64(width)
        if kind:
            words |= behind - first
        if kind == 2:
            starts |= first | behind
        elif kind == 3 and starts & first:
            starts ^= first | behind
    return words, starts, size


@inner_inlined
def _split_block(index, properties, data, at, end, hashes, total):
    """Hash the tokens that end within the next 64 bytes.

    The bytes are classified first and their tokens then read off as runs of bits, so that no token waits for
    the length of the one before. Returns the number of hashes and the byte to go on from.
    """
    words, foreign, leads = classify_block(data, at)
    size = min(end - at, 64)
    within = ALL >> U64(64 - size)
    words &= within
    starts = U64(0)
    complete = end - at <= 64
    if foreign & within:
        words, starts, size = _mark_foreign(index, properties, data, at, size, words, leads & within)
        complete &= size == end - at
    starts = (starts | ~(words << ONE)) & words
    inside = words & ~starts
    if not complete and words >> U64(size - 1):
        # The last token may go on behind: leave it.
        size = 63 - np.int64(leading_zeros(starts))
        starts &= (ONE << U64(size)) - ONE
    while starts:
        first = trailing_zeros(starts)
        starts &= starts - ONE
        length = np.int64(trailing_zeros(~(inside >> first >> ONE))) + 1
        hashes[total] = _hash_word(data, at + np.int64(first), length)
        total += 1
    return total, at + size


@inner
def split_text(index, properties, data, size, at, end, hashes, total):
    """Hash the tokens of one text, a part of ``size`` bytes of data; the number of hashes."""
    fast_end = size - REACH
    while at < end:
        if at <= fast_end:
            total, stop = _split_block(index, properties, data, at, end, hashes, total)
            if stop > at:
                at = stop
                continue
        # Longer than 64 bytes, or too near the end of the buffer to read it in blocks.
        code, width = decode(data, at)
        kind = kind_of(index, properties, code) & 3
        start = at
        at += width
        if kind == 0:
            continue
        while at < end:
            code, width = decode(data, at)
            follows = kind_of(index, properties, code) & 3
            if follows != 3 and (kind == 2 or follows != 1):
                break
            at += width
        hashes[total] = _hash_bytes(data, size, start, at)
        total += 1
    return total


@entry
def split_texts(tables, data, offsets, hashes, out_offsets):
    """Hash the tokens of texts one after another; ``out_offsets`` says where each text's begin."""
    index, properties = pointer(tables.blocks), pointer(tables.properties)
    first, into = pointer(data), pointer(hashes)
    size = len(data)
    total = 0
    for row in range(len(offsets) - 1):
        total = split_text(index, properties, first, size, offsets[row], offsets[row + 1], into, total)
        out_offsets[row + 1] = total
    return total
