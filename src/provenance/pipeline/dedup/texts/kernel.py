"""Loops over the shingles of texts that were read again: what they decide, and how similar two records are."""

# mypy: ignore-errors
# Kernels are checked by brute force over the texts, in the tests of the module above.

from __future__ import annotations

from numba import njit, uint32

from provenance.pipeline.dedup.kernel import common, distinct, equal_bands, find, passages, unite, weigh


@njit(cache=True, nogil=True)
def shingle_sets(hashes, offsets, powers, sets, ends):
    """Write the distinct shingles of texts, sorted, one text after another.

    Args:
        hashes: uint32, one per token.
        offsets: int64 ``(n + 1)``.
        powers: uint32, what each token of a shingle is multiplied by.
        sets: uint32, as long as ``hashes``; out.
        ends: int64 ``(n)``; out.
    """
    width = len(powers)
    total = 0
    for text in range(len(offsets) - 1):
        start = offsets[text]
        length = offsets[text + 1] - start
        if length:
            used = min(width, length)
            count = length - used + 1
            for i in range(count):
                value = uint32(0)
                for j in range(used):
                    value = uint32(value + uint32(hashes[start + i + j] * powers[width - used + j]))
                sets[total + i] = value
            total += distinct(sets[total : total + count])
        ends[text] = total


@njit(cache=True, nogil=True)
def _similarity(sets, starts, ends, left, right):
    a = sets[starts[left] : ends[left]]
    b = sets[starts[right] : ends[right]]
    shared = common(a, b)
    union = len(a) + len(b) - shared
    return shared / union if union else 1.0


@njit(cache=True, nogil=True)
def link_read(lefts, rights, text_of, sets, starts, ends, threshold, parent, undecided):
    """Join pairs whose texts are as similar as the threshold; mark those of which a text is missing.

    Args:
        lefts: Rows.
        rights: Rows, one for each of ``lefts``.
        text_of: int64: the number of a row's text, or -1.
        sets: Distinct shingles, sorted within each text.
        starts: Where each text begins in ``sets``.
        ends: Where it ends.
        threshold: Jaccard similarity.
        parent: Forest to join in.
        undecided: bool; out.

    Returns:
        How many were compared by their texts, and how many of these were joined.
    """
    read = joined = 0
    for i in range(len(lefts)):
        if find(parent, lefts[i]) == find(parent, rights[i]):
            continue
        left = text_of[lefts[i]]
        right = text_of[rights[i]]
        if left < 0 or right < 0:
            undecided[i] = True
            continue
        read += 1
        if _similarity(sets, starts, ends, left, right) >= threshold:
            joined += 1
            unite(parent, lefts[i], rights[i])
    return read, joined


@njit(cache=True, nogil=True)
def similarities(lefts, rights, sketches, odds, means, text_of, sets, starts, ends, out, exact):
    """Write how similar the rows of each pair are: by their texts where they were read, else by fingerprints."""
    for i in range(len(lefts)):
        left = text_of[lefts[i]]
        right = text_of[rights[i]]
        exact[i] = left >= 0 and right >= 0
        if exact[i]:
            out[i] = _similarity(sets, starts, ends, left, right)
            continue
        equal = equal_bands(sketches.bands, lefts[i], rights[i])
        a = passages(sketches, lefts[i])
        b = passages(sketches, rights[i])
        shared = common(a, b)
        out[i] = weigh(odds, equal, shared, len(a) + len(b) - shared, means)
