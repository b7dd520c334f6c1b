# ruff: noqa: SIM109 - a kernel compares numbers, it builds no tuples
# mypy: ignore-errors
"""Symbols to hashed n-grams.

One window of one document is the unit. Within it every distinct n-gram counts once, and sums are taken over integers,
so that neither order nor threads nor batch limits can change a score.
"""

from __future__ import annotations

import numpy as np

from provenance.classifier.kernel import APOSTROPHE, CHARACTER_SEED, DIGIT, HYPHEN, LOWER, MIX, SPACE, WORD_SEED
from provenance.text.utf8.kernel import inner, inner_inlined


@inner_inlined
def _slot(value, seed, bits):
    mixed = (value ^ (value >> np.uint64(29))) * seed
    return np.int64((mixed ^ (mixed >> np.uint64(32))) * MIX >> np.uint64(64 - bits))


@inner
def window_slots(symbols, start, end, bits, seen, stamp, out):
    """Distinct n-gram buckets of one window.

    Character 5-grams fill buckets ``0 .. 2**bits - 1``, word 1-, 2- and 3-grams (marks of punctuation are
    words) ``2**bits .. 2**(bits + 1) - 1``.

    Args:
        symbols: From ``normalise``.
        start: First symbol of the window.
        end: One past its last symbol.
        bits: log2 of the buckets of each block.
        seen: ``uint16[2**(bits + 1)]`` of stamps of earlier windows.
        stamp: A number that no earlier window used.
        out: Room for ``4 * (end - start) + 4`` buckets.

    Returns:
        Buckets written, and how many of them, the first, are of characters.
    """
    count = 0
    rolling = np.uint64(0)
    for index in range(start, min(start + 4, end)):
        rolling = (rolling >> np.uint64(8)) | (np.uint64(symbols[index]) << np.uint64(32))
    for index in range(start + 4, end):
        rolling = (rolling >> np.uint64(8)) | (np.uint64(symbols[index]) << np.uint64(32))
        slot = _slot(rolling, CHARACTER_SEED, bits)
        if seen[slot] != stamp:
            seen[slot] = stamp
            out[count] = slot
            count += 1
    characters = count
    base = np.int64(1) << bits
    before = np.uint64(1)
    previous = np.uint64(1)
    word = np.uint64(0)
    for index in range(start, end + 1):
        symbol = symbols[index] if index < end else np.uint8(SPACE)
        if symbol >= LOWER or symbol == DIGIT or symbol == APOSTROPHE or symbol == HYPHEN:
            word = (word ^ np.uint64(symbol)) * WORD_SEED
            word ^= word >> np.uint64(31)
            continue
        mark = symbol != SPACE
        while word != 0 or mark:
            if word != 0:
                token = word
                word = np.uint64(0)
            else:
                token = np.uint64(symbol) * MIX
                mark = False
            pair = token ^ (previous * CHARACTER_SEED + np.uint64(0x51))
            triple = (pair ^ (before * MIX)) + np.uint64(0x53)
            for gram in (token, pair, triple):
                slot = base + _slot(gram, WORD_SEED, bits)
                if seen[slot] != stamp:
                    seen[slot] = stamp
                    out[count] = slot
                    count += 1
            before = previous
            previous = token
    return count, characters
