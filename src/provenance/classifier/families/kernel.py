# ruff: noqa: E501 - what is compiled in stands on one line
# Compiled in: classifier/kernel.py 42311798, classifier/slots/kernel.py 83f1db5b, text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
"""Compiled passes over the families' table of weights: one row of it holds a bucket's weight for every family."""

from __future__ import annotations

import numpy as np
from numba import njit

from provenance.classifier.kernel import normalise
from provenance.classifier.slots.kernel import window_slots


@njit(cache=True, nogil=True)
def family_margins(text, offsets, table, window, bits, weights, scales, symbols, margins):
    """Linear score of every family for every text: mean over equal windows, as the style score is taken.

    Args:
        text: UTF-8 bytes of an Arrow string array.
        offsets: Its offsets.
        table: The alphabet.
        window: Most symbols scored together.
        bits: log2 of the buckets of each block.
        weights: ``int8[2 ** (bits + 1), families]``.
        scales: ``float64[families, 3]``: size of a step for characters and words, and the intercept.
        symbols: Room for the symbols of the longest text.
        margins: ``float64[texts, families]``, zeros; the result.
    """
    families = weights.shape[1]
    seen = np.zeros(np.int64(2) << bits, np.uint16)
    slots = np.empty(4 * window + 16, np.int32)
    of_characters = np.zeros(families, np.int32)
    of_words = np.zeros(families, np.int32)
    stamp = np.uint16(0)
    for row in range(margins.shape[0]):
        length = normalise(text, offsets[row], offsets[row + 1], table, symbols)
        parts = max(1, (length + window - 1) // window)
        for part in range(parts):
            stamp = np.uint16(stamp + 1)
            if stamp == 0:
                seen[:] = 0
                stamp = np.uint16(1)
            first, final = length * part // parts, length * (part + 1) // parts
            count, characters = window_slots(symbols, first, final, bits, seen, stamp, slots)
            of_characters[:] = 0
            of_words[:] = 0
            for index in range(characters):
                slot = slots[index]
                for family in range(families):
                    of_characters[family] += weights[slot, family]
            for index in range(characters, count):
                slot = slots[index]
                for family in range(families):
                    of_words[family] += weights[slot, family]
            character_value = 1.0 / np.sqrt(max(1.0, float(characters)))
            word_value = 1.0 / np.sqrt(max(1.0, float(count - characters)))
            for family in range(families):
                margins[row, family] += (
                    scales[family, 0] * of_characters[family] * character_value
                    + scales[family, 1] * of_words[family] * word_value
                    + scales[family, 2]
                ) / parts


@njit(cache=True, nogil=True)
def hashed_margins(buckets, row_starts, characters, rows, weights, scales, margins):
    """Linear scores of windows whose buckets are known, as ``family_margins`` scores texts of one window."""
    families = weights.shape[1]
    of_characters = np.zeros(families, np.int32)
    of_words = np.zeros(families, np.int32)
    for place in range(rows.size):
        start, end = row_starts[rows[place]], row_starts[rows[place] + 1]
        middle = start + characters[rows[place]]
        of_characters[:] = 0
        of_words[:] = 0
        for index in range(start, middle):
            slot = buckets[index]
            for family in range(families):
                of_characters[family] += weights[slot, family]
        for index in range(middle, end):
            slot = buckets[index]
            for family in range(families):
                of_words[family] += weights[slot, family]
        character_value = 1.0 / np.sqrt(max(1.0, float(middle - start)))
        word_value = 1.0 / np.sqrt(max(1.0, float(end - middle)))
        for family in range(families):
            margins[place, family] = (
                scales[family, 0] * of_characters[family] * character_value
                + scales[family, 1] * of_words[family] * word_value
                + scales[family, 2]
            )


@njit(cache=True, nogil=True)
def fit_families(buckets, row_starts, characters, labels, costs, orders, weights):
    """One squared-hinge score for each family against all others, by dual coordinate descent (Hsieh et al., ICML 2008).

    Args:
        buckets: Distinct buckets of the windows, end to end.
        row_starts: ``int64[n + 1]``.
        characters: How many of a window's buckets, the first, are of characters.
        labels: Number of the family of each window.
        costs: ``float64[n, families]``: what a window's loss costs in the score of each family; 0 leaves it out.
        orders: ``(epochs, n)`` permutations.
        weights: ``float32[buckets, families]``, zeros at the start; the result.

    Returns:
        The intercepts.
    """
    families = weights.shape[1]
    dual = np.zeros((labels.size, families))
    intercepts = np.zeros(families)
    of_characters = np.zeros(families, np.float32)
    of_words = np.zeros(families, np.float32)
    character_step = np.zeros(families, np.float32)
    word_step = np.zeros(families, np.float32)
    for epoch in range(orders.shape[0]):
        for row in orders[epoch]:
            if costs[row, labels[row]] <= 0.0:
                continue
            start, end = row_starts[row], row_starts[row + 1]
            middle = start + characters[row]
            character_value = 1.0 / np.sqrt(max(1.0, float(middle - start)))
            word_value = 1.0 / np.sqrt(max(1.0, float(end - middle)))
            of_characters[:] = 0.0
            of_words[:] = 0.0
            for index in range(start, middle):
                slot = buckets[index]
                for family in range(families):
                    of_characters[family] += weights[slot, family]
            for index in range(middle, end):
                slot = buckets[index]
                for family in range(families):
                    of_words[family] += weights[slot, family]
            moved = False
            for family in range(families):
                sign = 1.0 if family == labels[row] else -1.0
                margin = of_characters[family] * character_value + of_words[family] * word_value + intercepts[family]
                ridge = 0.5 / costs[row, family]
                gradient = sign * margin - 1.0 + ridge * dual[row, family]
                updated = max(dual[row, family] - gradient / (3.0 + ridge), 0.0)
                step = (updated - dual[row, family]) * sign
                dual[row, family] = updated
                character_step[family] = step * character_value
                word_step[family] = step * word_value
                intercepts[family] += step
                moved = moved or step != 0.0
            if not moved:
                continue
            for index in range(start, middle):
                slot = buckets[index]
                for family in range(families):
                    weights[slot, family] += character_step[family]
            for index in range(middle, end):
                slot = buckets[index]
                for family in range(families):
                    weights[slot, family] += word_step[family]
    return intercepts
