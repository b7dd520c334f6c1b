"""The loop that splits folded texts into hashed tokens; ``reference.split_text`` says what it gives."""

# mypy: ignore-errors
# Kernels are checked by their plain-Python form.

from __future__ import annotations

import numpy as np
from numba import njit

from provenance.text.utf8.kernel import decode, inner, inner_inlined, kind_of, load, trailing_zeros

U64 = np.uint64
HIGH_BITS = U64(0x8080808080808080)
LOW_BITS = U64(0x7F7F7F7F7F7F7F7F)


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
        mixed = (mixed ^ chunk) * U64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> U64(32)
        at += 8
    return np.uint32((mixed ^ U64(end - start)) * U64(0xD6E8FEB86659FD93) >> U64(32))


@inner_inlined
def _ascii_word(data, at):
    """Eight bytes, how many of them at the front are ASCII letters or digits, and whether the next is not ASCII."""
    chunk = load(data, at)
    low = chunk & LOW_BITS
    lower = low | U64(0x2020202020202020)
    letters = (lower + U64(0x1F1F1F1F1F1F1F1F)) & ~(lower + U64(0x0505050505050505))
    digits = (low + U64(0x5050505050505050)) & ~(low + U64(0x4646464646464646))
    stops = ~((letters | digits) & ~chunk) & HIGH_BITS
    bits = trailing_zeros(stops)
    return chunk, np.int64(bits >> U64(3)), (chunk & stops & (U64(0) - stops)) != 0


@njit(cache=True, nogil=True)
def split_texts(tables, data, offsets, hashes, out_offsets):
    """Hash the tokens of texts one after another; ``out_offsets`` says where each text's begin."""
    index, properties = tables.blocks, tables.properties
    total = 0
    fast_end = len(data) - 8
    for row in range(len(offsets) - 1):
        at = offsets[row]
        end = offsets[row + 1]
        while at < end:
            if at <= fast_end:
                chunk, length, foreign = _ascii_word(data, at)
                if length < 8:
                    if at + length >= end:
                        length = end - at
                        foreign = False
                    if not foreign:
                        if length:
                            # Without a branch on length: the shift never reaches 64.
                            chunk &= (U64(1) << U64(8 * length)) - U64(1)
                            mixed = chunk * U64(0x9E3779B97F4A7C15)
                            mixed ^= mixed >> U64(32)
                            mixed = (mixed ^ U64(length)) * U64(0xD6E8FEB86659FD93)
                            hashes[total] = mixed >> U64(32)
                            total += 1
                        at += length + 1
                        continue
                else:
                    stop = at + 8
                    while length == 8 and stop < end and stop <= fast_end:
                        chunk, length, foreign = _ascii_word(data, stop)
                        stop += length
                    # At the buffer's last bytes the loop ends early: the careful way below knows them.
                    if stop >= end or (length < 8 and not foreign):
                        stop = min(stop, end)
                        hashes[total] = _hash_bytes(data, at, stop)
                        total += 1
                        at = stop + 1
                        continue
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
        out_offsets[row + 1] = total
    return total
