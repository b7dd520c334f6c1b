# ruff: noqa: E501 - what is compiled in stands on one line
# Compiled in: classifier/kernel.py 42311798, classifier/slots/kernel.py 83f1db5b, text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
"""Compiled passes of training: shingles that find recurring documents, n-gram rows, and the optimiser."""

from __future__ import annotations

import numpy as np
from numba import njit

from provenance.classifier.kernel import FIRST_OTHER, LOWER, MIX
from provenance.classifier.slots.kernel import window_slots

SHINGLE = 40
FACTOR = np.uint64(6364136223846793005)
LEAVING = np.uint64(pow(6364136223846793005, SHINGLE, 2**64))


@njit(cache=True, nogil=True)
def sample_shingles(symbols, starts, rows, mask, hashes, owners):
    """Hashes of runs of 40 letters, of which those are kept whose hash ends in zeros under ``mask``.

    Returns:
        How many were written to ``hashes`` and, with the row they are of, ``owners``; stops when full.
    """
    count = 0
    ring = np.zeros(SHINGLE, np.uint64)
    for row in rows:
        rolling = np.uint64(0)
        letters = 0
        for index in range(starts[row], starts[row + 1]):
            if symbols[index] < LOWER:
                continue
            value = np.uint64(symbols[index]) + np.uint64(1)
            rolling = rolling * FACTOR + value
            if letters >= SHINGLE:
                rolling -= ring[letters % SHINGLE] * LEAVING
            ring[letters % SHINGLE] = value
            letters += 1
            if letters < SHINGLE:
                continue
            mixed = (rolling ^ (rolling >> np.uint64(33))) * MIX
            mixed ^= mixed >> np.uint64(33)
            if mixed & mask == 0 and count < hashes.size:
                hashes[count] = mixed
                owners[count] = row
                count += 1
    return count


@njit(cache=True, nogil=True)
def join(first, second, parent):
    """Union-find over pairs of rows; ``parent`` ends as the smallest row of each set."""
    for pair in range(first.size):
        a, b = first[pair], second[pair]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    for row in range(parent.size):
        parent[row] = parent[parent[row]]


@njit(cache=True, nogil=True)
def ngram_rows(symbols, starts, ends, bits, buckets, row_starts, characters):
    """Distinct buckets of each span. With an empty ``buckets`` it only counts, filling ``row_starts``."""
    seen = np.zeros(np.int64(2) << bits, np.uint32)
    longest = 0
    for row in range(starts.size):
        longest = max(longest, ends[row] - starts[row])
    slots = np.empty(4 * longest + 16, np.int32)
    row_starts[0] = 0
    for row in range(starts.size):
        count, of_characters = window_slots(symbols, starts[row], ends[row], bits, seen, np.uint32(row + 1), slots)
        row_starts[row + 1] = row_starts[row] + count
        characters[row] = of_characters
        if buckets.size:
            buckets[row_starts[row] : row_starts[row + 1]] = slots[:count]


@njit(cache=True, nogil=True)
def fit_squared_hinge(buckets, row_starts, characters, labels, costs, orders, weights):
    """L2-regularised squared-hinge loss by dual coordinate descent (Hsieh et al., ICML 2008).

    Args:
        buckets: Rows end to end.
        row_starts: ``int64[n + 1]``.
        characters: How many of a row's buckets, the first, are of characters.
        labels: +1 synthetic, -1 human.
        costs: Weight of each row's loss; rows at 0 are left out.
        orders: ``(epochs, n)`` permutations.
        weights: ``float32``, zeros at the start; the result.

    Returns:
        The intercept.
    """
    dual = np.zeros(labels.size)
    intercept = 0.0
    for epoch in range(orders.shape[0]):
        for row in orders[epoch]:
            if costs[row] <= 0.0:
                continue
            start, end = row_starts[row], row_starts[row + 1]
            middle = start + characters[row]
            character_value = 1.0 / np.sqrt(max(1.0, float(middle - start)))
            word_value = 1.0 / np.sqrt(max(1.0, float(end - middle)))
            character_sum = 0.0
            for index in range(start, middle):
                character_sum += weights[buckets[index]]
            word_sum = 0.0
            for index in range(middle, end):
                word_sum += weights[buckets[index]]
            margin = character_sum * character_value + word_sum * word_value + intercept
            ridge = 0.5 / costs[row]
            gradient = labels[row] * margin - 1.0 + ridge * dual[row]
            if dual[row] == 0.0 and gradient > 0.0:
                continue
            updated = max(dual[row] - gradient / (3.0 + ridge), 0.0)
            step = (updated - dual[row]) * labels[row]
            dual[row] = updated
            for index in range(start, middle):
                weights[buckets[index]] += np.float32(step * character_value)
            for index in range(middle, end):
                weights[buckets[index]] += np.float32(step * word_value)
            intercept += step
    return intercept


@njit(cache=True, nogil=True)
def misspell(symbols, starts, ends, rates, seed, out, out_starts):
    """Copy spans, misspelling some of their words: one letter inside is dropped, doubled, exchanged or replaced.

    Words of fewer than four letters stay as they are, as do first letters: people's slips are of this kind.

    Args:
        symbols: Symbols to copy from.
        starts: First symbol of each span.
        ends: One past its last symbol.
        rates: Chance of each word of a span.
        seed: Any number; the same one gives the same slips.
        out: Room for all spans with one symbol more for every four.
        out_starts: ``int64[n + 1]``, filled: where each copy starts.
    """
    state = np.uint64(seed) * FACTOR + np.uint64(1)
    place = 0
    out_starts[0] = 0
    for span in range(starts.size):
        limit = np.uint64(rates[span] * 4294967296.0)
        index = starts[span]
        while index < ends[span]:
            final = index
            while final < ends[span] and symbols[final] >= LOWER and symbols[final] < FIRST_OTHER:
                final += 1
            size = final - index
            if size < 4:
                for position in range(index, max(final, index + 1)):
                    out[place] = symbols[position]
                    place += 1
                index = max(final, index + 1)
                continue
            state = state * FACTOR + np.uint64(1442695040888963407)
            draw = state >> np.uint64(32)
            state = state * FACTOR + np.uint64(1442695040888963407)
            choice = state >> np.uint64(33)
            chosen = index + 1 + np.int64((choice >> np.uint64(8)) % np.uint64(size - 2))
            kind = choice & np.uint64(3) if draw < limit else np.uint64(4)
            for position in range(index, final):
                symbol = symbols[position]
                if position == chosen:
                    if kind == 0:
                        continue
                    if kind == 1:
                        out[place] = symbol
                        place += 1
                    elif kind == 2:
                        symbol = symbols[position + 1]
                    elif kind == 3:
                        symbol = np.uint8(LOWER + (choice >> np.uint64(3)) % np.uint64(26))
                elif kind == 2 and position == chosen + 1:
                    symbol = symbols[chosen]
                out[place] = symbol
                place += 1
            index = final
        out_starts[span + 1] = place
