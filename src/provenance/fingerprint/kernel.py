"""Loops over token hashes: MinHash signatures and winnowed passages."""

# mypy: ignore-errors
# Kernels are checked by datasketch and by their plain-Python form.
# Compiled in: text/utf8/kernel.py 60a5d264

from __future__ import annotations

import numpy as np

from provenance.text.utf8.kernel import entry, inner, inner_inlined

MULTIPLIER = np.uint32(0xACD5AD43)
EMPTY = np.uint32(0xFFFFFFFF)
LANES = 64
TILE = 1024
GROUP = 8


@inner_inlined
def _mix(value):
    """MurmurHash3's 32-bit finaliser."""
    value = np.uint32(value ^ value >> np.uint32(16))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ value >> np.uint32(13))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ value >> np.uint32(16))


@inner
def hash_grams(hashes, start, length, grams, count, powers):
    """The mixed hashes of ``count`` runs of ``len(powers)`` tokens; one run of all when the text is shorter."""
    width = len(powers)
    if length < width:
        combined = np.uint32(0)
        for i in range(length):
            combined = np.uint32(combined * MULTIPLIER + hashes[start + i])
        grams[0] = _mix(combined)
        return
    # Slices start at zero: the loops over them need no check for negative places, and become vector loops.
    grams = grams[:count]
    grams[:] = np.uint32(0)
    for j in range(width):
        power = powers[j]
        tokens = hashes[start + j : start + j + count]
        for i in range(count):
            grams[i] = np.uint32(grams[i] + np.uint32(tokens[i] * power))
    for i in range(count):
        grams[i] = _mix(grams[i])


@entry
def minhash_rows(hashes, offsets, powers, multipliers, shifts, signatures):
    """Signatures of texts; permutations come in multiples of ``LANES``."""
    shingles = np.empty(TILE + GROUP, np.uint32)
    for row in range(len(offsets) - 1):
        start = offsets[row]
        length = offsets[row + 1] - start
        for lane in range(signatures.shape[1]):
            signatures[row, lane] = EMPTY
        if length == 0:
            continue
        total = max(length - len(powers) + 1, 1)
        for first in range(0, total, TILE):
            count = min(TILE, total - first)
            hash_grams(hashes, start + first, length - first, shingles, count, powers)
            # A repeated shingle changes no minimum.
            for i in range(count, count + GROUP):
                shingles[i] = shingles[count - 1]
            for lane in range(0, signatures.shape[1], LANES):
                stop = lane + LANES
                _lower(signatures[row, lane:stop], shingles, count, multipliers[lane:stop], shifts[lane:stop])


@inner
def _lower(minima, shingles, count, multipliers, shifts):
    """Take the minimum of 64 permutations over a tile of shingles, eight shingles at a time."""
    for i in range(0, count, GROUP):
        h0, h1, h2, h3 = shingles[i], shingles[i + 1], shingles[i + 2], shingles[i + 3]
        h4, h5, h6, h7 = shingles[i + 4], shingles[i + 5], shingles[i + 6], shingles[i + 7]
        for j in range(LANES):
            a = multipliers[j]
            b = shifts[j]
            low = min(np.uint32(a * h0 + b), np.uint32(a * h1 + b))
            low = min(low, min(np.uint32(a * h2 + b), np.uint32(a * h3 + b)))
            low = min(low, min(np.uint32(a * h4 + b), np.uint32(a * h5 + b)))
            low = min(low, min(np.uint32(a * h6 + b), np.uint32(a * h7 + b)))
            minima[j] = min(minima[j], low)


@entry
def winnow_rows(hashes, offsets, powers, window, selected, positions, selected_offsets):
    """Select passages of texts by robust winnowing; how many there are."""
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    grams = np.empty(longest, np.uint32)
    total = 0
    for row in range(len(offsets) - 1):
        start = offsets[row]
        length = offsets[row + 1] - start
        if length:
            count = max(length - len(powers) + 1, 1)
            hash_grams(hashes, start, length, grams, count, powers)
            best = 0
            full = min(window, count)
            for i in range(1, full):
                if grams[i] <= grams[best]:
                    best = i
            selected[total] = grams[best]
            positions[total] = best
            total += 1
            for i in range(full, count):
                if best <= i - window:
                    best = i - window + 1
                    for j in range(best + 1, i + 1):
                        if grams[j] <= grams[best]:
                            best = j
                elif grams[i] < grams[best]:
                    best = i
                else:
                    continue
                selected[total] = grams[best]
                positions[total] = best
                total += 1
        selected_offsets[row + 1] = total
    return total
