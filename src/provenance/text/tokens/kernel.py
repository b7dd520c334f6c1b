"""The loop that splits folded texts into hashed tokens; ``reference.split_text`` says what it gives."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.

from __future__ import annotations

import numpy as np
from numba import njit

from provenance.text.utf8.kernel import decode, inner, inner_inlined, kind_of, leading_zeros, load, trailing_zeros

U64 = np.uint64
HIGH_BITS = U64(0x8080808080808080)
LOW_BITS = U64(0x7F7F7F7F7F7F7F7F)
ALL = U64(0xFFFFFFFFFFFFFFFF)
MULTIPLIER = U64(0x9E3779B97F4A7C15)
FINAL_MULTIPLIER = U64(0xD6E8FEB86659FD93)


@inner
def _hash_bytes(data, start, end):
    mixed = U64(0)
    at = start
    while at < end:
        left = end - at
        if at + 8 <= len(data):
            chunk = load(data, at)
            if left < 8:
                chunk &= (U64(1) << U64(8 * left)) - U64(1)
        else:
            chunk = U64(0)
            for i in range(min(left, 8)):
                chunk |= U64(data[at + i]) << U64(8 * i)
        mixed = (mixed ^ chunk) * MULTIPLIER
        mixed ^= mixed >> U64(32)
        at += 8
    return np.uint32((mixed ^ U64(end - start)) * FINAL_MULTIPLIER >> U64(32))


@inner_inlined
def _word_bits(chunk):
    """One bit for each of eight bytes: an ASCII letter or digit."""
    low = chunk & LOW_BITS
    lower = low | U64(0x2020202020202020)
    letters = (lower + U64(0x1F1F1F1F1F1F1F1F)) & ~(lower + U64(0x0505050505050505))
    digits = (low + U64(0x5050505050505050)) & ~(low + U64(0x4646464646464646))
    # The product gathers the lowest bit of every byte in its uppermost byte.
    return (((letters | digits) & ~chunk & HIGH_BITS) >> U64(7)) * U64(0x0102040810204080) >> U64(56)


@inner
def _split_ascii(data, at, end, hashes, total):
    """Hash the words that end within the next 64 bytes and before anything that is not ASCII.

    The bytes are classified first and their words then read off as runs of bits, so that no word waits for
    the length of the one before. Returns the number of hashes and the byte to go on from.
    """
    words = U64(0)
    foreign = U64(0)
    for i in range(8):
        chunk = load(data, at + 8 * i)
        words |= _word_bits(chunk) << U64(8 * i)
        foreign |= chunk & HIGH_BITS
    size = min(end - at, 64)
    complete = end - at <= 64
    if foreign:
        for i in range(8):
            stops = load(data, at + 8 * i) & HIGH_BITS
            if stops:
                before = 8 * i + np.int64(trailing_zeros(stops) >> U64(3))
                if before < size:
                    size = before
                    complete = False
                break
    words &= ALL >> U64(64 - size) if size else U64(0)
    if not complete and size and words >> U64(size - 1):
        # The last word goes on behind: leave it.
        gaps = ~words & ALL >> U64(64 - size)
        size = 64 - np.int64(leading_zeros(gaps))
        words &= ALL >> U64(64 - size) if size else U64(0)
    while words:
        first = np.int64(trailing_zeros(words))
        length = np.int64(trailing_zeros(~(words >> U64(first))))
        words &= words + (words & (U64(0) - words))
        start = at + first
        mixed = U64(0)
        left = length
        while left > 8:
            mixed = (mixed ^ load(data, start)) * MULTIPLIER
            mixed ^= mixed >> U64(32)
            start += 8
            left -= 8
        mixed = (mixed ^ load(data, start) & ALL >> U64(64 - 8 * left)) * MULTIPLIER
        mixed ^= mixed >> U64(32)
        hashes[total] = (mixed ^ U64(length)) * FINAL_MULTIPLIER >> U64(32)
        total += 1
    return total, at + size


@njit(cache=True, nogil=True)
def split_texts(tables, data, offsets, hashes, out_offsets):
    """Hash the tokens of texts one after another; ``out_offsets`` says where each text's begin."""
    index, properties = tables.blocks, tables.properties
    total = 0
    fast_end = len(data) - 72
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = offsets[row + 1]
        while at < end:
            if at <= fast_end and data[at] < 128:
                total, stop = _split_ascii(data, at, end, hashes, total)
                if stop > at:
                    at = stop
                    continue
            # Not ASCII throughout, longer than 64 letters, or too near the end of the buffer to read it in blocks.
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
            hashes[total] = _hash_bytes(data, start, at)
            total += 1
            # What ends a word of another script is most often one space: not worth a block.
            while at < end and data[at] < 128 and kind_of(index, properties, np.int64(data[at])) & 3 == 0:
                at += 1
        out_offsets[row + 1] = total
    return total
