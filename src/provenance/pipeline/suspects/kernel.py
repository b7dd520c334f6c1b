"""Numba kernels that pass over stored fingerprints: a membership filter, and how long a shared run can be."""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

_SPREAD = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True, inline="always")
def _mixed(key):
    key = uint32(key)
    key ^= key >> uint32(16)
    key = uint32(key * uint32(0x85EBCA6B))
    key ^= key >> uint32(13)
    key = uint32(key * uint32(0xC2B2AE35))
    key ^= key >> uint32(16)
    return key


@njit(cache=True, nogil=True, inline="always")
def _place(key, kind, shift):
    """The word of the filter that a mixed key belongs to, and its three bits there."""
    spread = (uint64(key) + (uint64(kind) << uint64(32)) + uint64(1)) * uint64(_SPREAD)
    spread ^= spread >> uint64(29)
    spread *= uint64(0xBF58476D1CE4E5B9)
    low = spread & uint64(0x3FFFF)
    bits = (
        (uint64(1) << (low & uint64(63)))
        | (uint64(1) << ((low >> uint64(6)) & uint64(63)))
        | (uint64(1) << (low >> uint64(12)))
    )
    return spread >> shift, bits


@njit(cache=True, nogil=True)
def add(words, shift, keys, kind):
    """Put mixed ``keys`` of one kind into the filter."""
    for k in range(len(keys)):
        word, bits = _place(keys[k], kind, shift)
        words[word] |= bits


@njit(cache=True, nogil=True)
def probe(words, shift, checks, bands, passages, passage_offsets, found):
    """Mark the rows that may have a key of the filter.

    Args:
        words: The filter, a power of two of uint64.
        shift: 64 less the logarithm of its length.
        checks: First four bytes of each row's content check as a number.
        bands: uint32 ``(n, bands)``.
        passages: uint32, the passage hashes of all rows.
        passage_offsets: Where each row's begin, ``n + 1`` values.
        found: Out: 1 for each row that may.
    """
    kinds = bands.shape[1]
    for row in range(len(checks)):
        word, bits = _place(checks[row], kinds + 1, shift)
        hit = words[word] & bits == bits
        if not hit:
            for p in range(passage_offsets[row], passage_offsets[row + 1]):
                word, bits = _place(_mixed(passages[p]), kinds, shift)
                if words[word] & bits == bits:
                    hit = True
                    break
        if not hit:
            for band in range(kinds):
                word, bits = _place(_mixed(bands[row, band]), band, shift)
                if words[word] & bits == bits:
                    hit = True
                    break
        found[row] = hit


@njit(cache=True, nogil=True, inline="always")
def _has(tokens, start, length, at, powers, wanted):
    """Whether the text has a passage of this hash at this very place."""
    if at < 0 or at + len(powers) > length:
        return False
    mixed = uint32(0)
    for t in range(len(powers)):
        mixed += uint32(tokens[start + at + t] * powers[t])
    return _mixed(mixed) == wanted


@njit(cache=True, nogil=True)
def reaches(rows, queries, texts, others, words, offsets, hashes, positions, tokens, token_offsets, powers, reach):
    """Bound, for each pair of a record and a text, the tokens in runs that hold a passage of both.

    A run that holds a shared passage goes on over the record's next passage only if the text has that one at the same
    distance; where it doesn't, the run ends inside it.

    Args:
        rows: Record of each hit.
        queries: Which passage of all records was found.
        texts: The text that has it.
        others: Where the text has it. Hits are ordered by record, text, distance and passage.
        words: Tokens of each record.
        offsets: Where each record's passages begin.
        hashes: Passage hashes of all records.
        positions: Their positions.
        tokens: Tokens of the texts.
        token_offsets: Where each text begins.
        powers: What tokens are multiplied by in the hash of a passage.
        reach: Out: for the first hit of each pair the bound, else 0.
    """
    width = len(powers)
    first = 0
    done = np.int64(-1)
    for k in range(len(rows)):
        row, text, query = rows[k], texts[k], queries[k]
        distance = others[k] - np.int64(positions[query])
        if k == 0 or rows[k - 1] != row or texts[k - 1] != text:
            first = k
            done = -1
        elif others[k - 1] - np.int64(positions[queries[k - 1]]) != distance:
            done = -1
        if query <= done:
            continue
        start = token_offsets[text]
        length = token_offsets[text + 1] - start
        last = query
        while last + 1 < offsets[row + 1] and _has(
            tokens, start, length, np.int64(positions[last + 1]) + distance, powers, hashes[last + 1]
        ):
            last += 1
        begin = query
        while begin > offsets[row] and _has(
            tokens, start, length, np.int64(positions[begin - 1]) + distance, powers, hashes[begin - 1]
        ):
            begin -= 1
        done = last
        right = np.int64(words[row])
        if last + 1 < offsets[row + 1]:
            right = min(right, np.int64(positions[last + 1]) + width - 1)
        left = np.int64(0)
        if begin > offsets[row]:
            left = np.int64(positions[begin - 1]) + 1
        reach[first] += min(right, length - distance) - max(left, -distance)
