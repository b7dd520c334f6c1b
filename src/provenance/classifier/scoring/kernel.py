# ruff: noqa: SIM109 - a kernel compares numbers, it builds no tuples
# Compiled in: classifier/kernel.py 42311798, text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
# mypy: ignore-errors
"""Scores texts: hashed n-grams, each counted once in a window, and the sum of their weights, in one pass.

What ``window_slots`` lists is not listed here but summed up at once: a bucket's weight and the stamp of the window
that last met it stand side by side, so that an n-gram costs one look into memory.
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
ONE = U64(1)
FIVE_BYTES = U64((1 << 40) - 1)
STAMPS = 255
"""Windows between two clearings of the stamps."""


@inner_inlined
def _place(value, seed, shift):
    mixed = (value ^ value >> U64(29)) * seed
    return ((mixed ^ mixed >> U64(32)) * MIX >> shift) << ONE


@inner_inlined
def _signed(byte):
    return (np.int64(byte) ^ 128) - 128


@inner_inlined
def _five_at(symbols, size, at):
    if at + 8 <= size:
        return load(symbols, at) & FIVE_BYTES
    found = U64(0)
    for place in range(at, at + 5):
        found |= U64(symbols[U64(place)]) << U64(8 * (place - at))
    return found


@inner
def _window(symbols, size, start, end, shift, table, stamp, tokens, scales):
    """Score of one window: two sums of integers, each over the root of the number of its different n-grams."""
    characters = np.int64(0)
    character_sum = np.int64(0)
    for index in range(start, end - 4):
        place = _place(_five_at(symbols, size, index), CHARACTER_SEED, shift)
        new = np.int64(table[place] != stamp)
        table[place] = stamp
        characters += new
        character_sum += _signed(table[place + ONE]) * new
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
    word_sum = np.int64(0)
    half = ONE << (U64(65) - shift)
    before = ONE
    previous = ONE
    for index in range(count):
        token = tokens[U64(index)]
        pair = token ^ (previous * CHARACTER_SEED + U64(0x51))
        triple = (pair ^ before * MIX) + U64(0x53)
        for gram in (token, pair, triple):
            place = half + _place(gram, WORD_SEED, shift)
            new = np.int64(table[place] != stamp)
            table[place] = stamp
            words += new
            word_sum += _signed(table[place + ONE]) * new
        before = previous
        previous = token
    return (
        scales[0] * character_sum / np.sqrt(max(1.0, float(characters)))
        + scales[1] * word_sum / np.sqrt(max(1.0, float(words)))
        + scales[2]
    )


@inner
def _document(symbols, size, start, end, window, shift, table, stamp, tokens, scales):
    """Mean score of the equal windows of a document, none longer than ``window``, and the last stamp used."""
    parts = max(1, (end - start + window - 1) // window)
    total = 0.0
    for part in range(parts):
        first = start + (end - start) * part // parts
        final = start + (end - start) * (part + 1) // parts
        if stamp == STAMPS:
            stamp = 0
            for place in range(0, np.int64(4) << (64 - np.int64(shift)), 2):
                table[place] = 0
        stamp += 1
        total += _window(symbols, size, first, final, shift, table, np.uint8(stamp), tokens, scales)
    return total / parts, stamp


@inner
def _stamped(weights):
    """Weights with a stamp before each."""
    table = np.zeros(2 * weights.size, np.uint8)
    for place in range(weights.size):  # a slice would take three seconds longer to compile
        table[2 * place + 1] = np.int64(weights[place]) & 255
    return table


@entry
def score_texts(text, offsets, table, window, bits, weights, scales, symbols, margins, words):
    """Score every text of an Arrow string array; ``symbols`` has room for the longest one."""
    stamped = _stamped(weights)
    tokens = np.empty(2 * window + 16, np.uint64)
    stamp = 0
    for row in range(margins.size):
        length = normalise(text, offsets[row], offsets[row + 1], table, symbols)
        words[row] = count_words(symbols, 0, length)
        margins[row], stamp = _document(
            pointer(symbols), symbols.size, 0, length, window, U64(64 - bits), pointer(stamped), stamp,
            pointer(tokens), scales,
        )  # fmt: skip


@entry
def score_spans(symbols, starts, ends, window, bits, weights, scales, margins):
    """Score spans of symbols, as ``score_texts`` scores texts."""
    stamped = _stamped(weights)
    tokens = np.empty(2 * window + 16, np.uint64)
    stamp = 0
    for row in range(margins.size):
        margins[row], stamp = _document(
            pointer(symbols), symbols.size, starts[row], ends[row], window, U64(64 - bits), pointer(stamped), stamp,
            pointer(tokens), scales,
        )  # fmt: skip
