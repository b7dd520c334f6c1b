# ruff: noqa: SIM109 - a kernel compares numbers, it builds no tuples
# Compiled in: classifier/kernel.py 42311798, text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
# mypy: ignore-errors
"""Scores texts: hashed n-grams, each counted once in a window, and the sums of their weights, in one pass.

What ``window_slots`` lists is not listed here but summed up at once: a bucket's weights, one of each expert, and the
stamp of the window that last met it stand side by side, so that an n-gram costs one look into memory.
"""

from __future__ import annotations

import numpy as np

from provenance.classifier.kernel import (
    APOSTROPHE,
    CHARACTER_SEED,
    DIGIT,
    HYPHEN,
    LOWER,
    MIX,
    SPACE,
    WORD_SEED,
    count_words,
    normalise,
)
from provenance.text.utf8.kernel import entry, inner, inner_inlined, load, pointer

U64 = np.uint64
TWO = U64(2)
FIVE_BYTES = U64((1 << 40) - 1)
BYTE = U64(255)
STAMPS = 255
"""Windows between two clearings of the stamps."""
CELL = 4
"""Bytes of a bucket: the stamp, and a weight of each of up to three experts, 128 added."""
LANE = U64((1 << 21) - 1)
"""The three sums stand in one number, 21 bits each: room for 8,224 n-grams, more than a window can have."""


@inner_inlined
def _place(value, seed, shift):
    mixed = (value ^ value >> U64(29)) * seed
    return ((mixed ^ mixed >> U64(32)) * MIX >> shift) << TWO


@inner_inlined
def _five_at(symbols, size, at):
    if at + 8 <= size:
        return load(symbols, at) & FIVE_BYTES
    found = U64(0)
    for place in range(at, at + 5):
        found |= U64(symbols[U64(place)]) << U64(8 * (place - at))
    return found


@inner_inlined
def _lanes(cell):
    return (cell >> U64(8) & BYTE) | (cell >> U64(16) & BYTE) << U64(21) | (cell >> U64(24) & BYTE) << U64(42)


@inner
def _add_expert(totals, expert, sums, count, scale):
    lane = np.int64(sums >> U64(21 * expert) & LANE) - 128 * count
    totals[expert] += scale * lane / np.sqrt(max(1.0, float(count)))


@inner
def _window(symbols, size, start, end, shift, table, stamp, tokens, scales, totals):
    """Add to ``totals`` each expert's score of a window: two sums, over the roots of the numbers of different n-grams.

    The sums are of integers, so that no order of addition can change them.
    """
    characters = np.int64(0)
    character_sums = U64(0)
    for index in range(start, end - 4):
        place = _place(_five_at(symbols, size, index), CHARACTER_SEED, shift)
        cell = load(table, place)
        new = np.int64(cell & BYTE != stamp)
        table[place] = stamp
        characters += new
        character_sums += _lanes(cell) * U64(new)
    count = 0
    word = U64(0)
    for index in range(start, end + 1):
        symbol = U64(symbols[U64(index)]) if index < end else U64(SPACE)
        if symbol >= LOWER or symbol == DIGIT or symbol == APOSTROPHE or symbol == HYPHEN:
            word = (word ^ symbol) * WORD_SEED
            word ^= word >> U64(31)
            continue
        tokens[U64(count)] = word
        count += word != 0
        tokens[U64(count)] = symbol * MIX
        count += symbol != SPACE
        word = U64(0)
    words = np.int64(0)
    word_sums = U64(0)
    half = U64(CELL) << (U64(64) - shift)
    before = U64(1)
    previous = U64(1)
    for index in range(count):
        token = tokens[U64(index)]
        pair = token ^ (previous * CHARACTER_SEED + U64(0x51))
        triple = (pair ^ before * MIX) + U64(0x53)
        for gram in (token, pair, triple):
            place = half + _place(gram, WORD_SEED, shift)
            cell = load(table, place)
            new = np.int64(cell & BYTE != stamp)
            table[place] = stamp
            words += new
            word_sums += _lanes(cell) * U64(new)
        before = previous
        previous = token
    for expert in range(totals.size):
        _add_expert(totals, expert, character_sums, characters, scales[expert, 0])
        _add_expert(totals, expert, word_sums, words, scales[expert, 1])
        totals[expert] += scales[expert, 2]


@inner
def _document(symbols, size, start, end, window, shift, table, stamp, tokens, scales, totals):
    """The highest expert's mean score of the equal windows of a document, and the last stamp used."""
    parts = max(1, (end - start + window - 1) // window)
    for expert in range(totals.size):
        totals[expert] = 0.0
    for part in range(parts):
        first = start + (end - start) * part // parts
        final = start + (end - start) * (part + 1) // parts
        if stamp == STAMPS:
            stamp = 0
            for place in range(0, np.int64(2 * CELL) << (64 - np.int64(shift)), CELL):
                table[place] = 0
        stamp += 1
        _window(symbols, size, first, final, shift, table, np.uint8(stamp), tokens, scales, totals)
    highest = totals[0]
    for expert in range(1, totals.size):
        highest = max(highest, totals[expert])
    return highest / parts, stamp


@inner
def _stamped(weights):
    """Weights of all experts with a stamp before each bucket's; a few bytes more, for the last look to be whole."""
    table = np.zeros(CELL * weights.shape[1] + 8, np.uint8)
    for expert in range(weights.shape[0]):
        for bucket in range(weights.shape[1]):  # a slice would take three seconds longer to compile
            table[CELL * bucket + 1 + expert] = np.int64(weights[expert, bucket]) + 128
    return table


@entry
def score_texts(text, offsets, table, window, bits, weights, scales, symbols, margins, words):
    """Score every text of an Arrow string array; ``symbols`` has room for the longest one."""
    stamped = _stamped(weights)
    totals = np.zeros(weights.shape[0])
    tokens = np.empty(2 * window + 16, np.uint64)
    stamp = 0
    for row in range(margins.size):
        length = normalise(text, offsets[row], offsets[row + 1], table, symbols)
        words[row] = count_words(symbols, 0, length)
        margins[row], stamp = _document(
            pointer(symbols), symbols.size, 0, length, window, U64(64 - bits), pointer(stamped), stamp,
            pointer(tokens), scales, totals,
        )  # fmt: skip


@entry
def score_spans(symbols, starts, ends, window, bits, weights, scales, margins):
    """Score spans of symbols, as ``score_texts`` scores texts."""
    stamped = _stamped(weights)
    totals = np.zeros(weights.shape[0])
    tokens = np.empty(2 * window + 16, np.uint64)
    stamp = 0
    for row in range(margins.size):
        margins[row], stamp = _document(
            pointer(symbols), symbols.size, starts[row], ends[row], window, U64(64 - bits), pointer(stamped), stamp,
            pointer(tokens), scales, totals,
        )  # fmt: skip
