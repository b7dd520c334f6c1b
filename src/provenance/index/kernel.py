"""Numba kernels of lookups in sorted postings with a radix directory.

Keys are mixed first: winnowing keeps small hashes, so their leading bits alone would crowd a few buckets.
"""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

_BLOCK = 128


@njit(cache=True, nogil=True, inline="always")
def _mix(key):
    key = uint32(key)
    key ^= key >> uint32(16)
    key = uint32(key * uint32(0x85EBCA6B))
    key ^= key >> uint32(13)
    key = uint32(key * uint32(0xC2B2AE35))
    key ^= key >> uint32(16)
    return key


@njit(cache=True, nogil=True)
def mix(keys, out):
    """Write MurmurHash3's 32-bit finaliser (a bijection) of ``keys`` to ``out``."""
    for i in range(len(keys)):
        out[i] = _mix(keys[i])


@njit(cache=True, nogil=True)
def directory_of(keys, bits, counts):
    """Count sorted or unsorted ``keys`` by their ``bits`` leading bits into ``counts[1:]``."""
    shift = uint64(32 - bits)
    for i in range(len(keys)):
        counts[(uint64(keys[i]) >> shift) + 1] += 1


@njit(cache=True, nogil=True)
def find(keys, directory, bits, queries, starts, ends):
    """Find the postings of mixed ``queries`` in one sorted partition.

    Args:
        keys: Mixed keys, sorted.
        directory: ``2**bits + 1`` starts of buckets.
        bits: Leading bits that choose a bucket.
        queries: Mixed keys to look up.
        starts: Out: the first posting with that key.
        ends: Out: one past the last.

    Returns:
        False when the directory points outside the keys: the segment is damaged.
    """
    shift = uint64(32 - bits)
    size = len(keys)
    sound = True
    for block in range(0, len(queries), _BLOCK):
        stop = min(block + _BLOCK, len(queries))
        # Directory entries of a whole block first, so that their cache misses overlap.
        for q in range(block, stop):
            bucket = uint64(queries[q]) >> shift
            starts[q] = directory[bucket]
            ends[q] = directory[bucket + uint64(1)]
        for q in range(block, stop):
            low = np.int64(starts[q])
            high = np.int64(ends[q])
            if low > high or high > size:
                sound = False
                starts[q] = 0
                ends[q] = 0
                continue
            key = queries[q]
            while high - low > 16:
                middle = (low + high) >> 1
                if keys[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            while low < high and keys[low] < key:
                low += 1
            last = np.int64(ends[q])
            starts[q] = low
            end = low
            step = 1
            while end < last and keys[end] == key:
                end += step
                step += step
            if step > 2:
                left = low
                right = min(end, last)
                while left < right:
                    middle = (left + right) >> 1
                    if keys[middle] == key:
                        left = middle + 1
                    else:
                        right = middle
                end = left
            ends[q] = end
    return sound


@njit(cache=True, nogil=True)
def find_in_partitions(keys, directory, bits, queries, starts, ends):
    """Do :func:`find` in each row of ``keys``; starts and ends count from the first partition's first posting."""
    sound = True
    for p in range(len(keys)):
        sound &= find(keys[p], directory[p], bits, queries[p], starts[p], ends[p])
        for q in range(queries.shape[1]):
            starts[p, q] += p * keys.shape[1]
            ends[p, q] += p * keys.shape[1]
    return sound


@njit(cache=True, nogil=True)
def emit(starts, ends, texts, live, check_words, limit, distinct, drop, capped, out):
    """List the live postings that queries found.

    Args:
        starts: First posting of each query.
        ends: One past the last.
        texts: Text of each posting.
        live: For each text whether a set that is not withdrawn holds it; empty when all are live.
        check_words: Leading eight bytes of each text's check, as stored (big-endian).
        limit: Postings to list of one query at most; they come in order of their texts' checks.
        distinct: List a text once for a query, not once for each position.
        drop: List nothing of a query with more than ``limit``.
        capped: Out: set to 1 for those queries.
        out: Out: rows of query, text, check word as a number, posting.

    Returns:
        How many rows were written; negative when a posting names a text that is not there.
    """
    known = len(check_words)
    count = 0
    for q in range(len(starts)):
        begin = count
        before = np.int64(-1)
        for posting in range(starts[q], ends[q]):
            text = np.int64(texts[posting])
            if text >= known:
                return -1
            if (distinct and text == before) or (len(live) and not live[text]):
                continue
            if count - begin == limit:
                if drop:
                    count = begin
                    capped[q] = 1
                break
            before = text
            word = uint64(check_words[text])
            swapped = uint64(0)
            for _ in range(8):
                swapped = (swapped << uint64(8)) | (word & uint64(255))
                word >>= uint64(8)
            out[count, 0] = q
            out[count, 1] = text
            out[count, 2] = swapped
            out[count, 3] = posting
            count += 1
    return count


@njit(cache=True, nogil=True)
def gather(values, offsets, chosen, out):
    """Concatenate the rows ``chosen`` of a ragged array into ``out``."""
    at = 0
    for c in range(len(chosen)):
        for p in range(offsets[chosen[c]], offsets[chosen[c] + 1]):
            out[at] = values[p]
            at += 1


@njit(cache=True, nogil=True)
def scatter(values, offsets, chosen, out, places):
    """Copy the rows ``chosen`` of a ragged array to ``places`` in ``out``."""
    for c in range(len(chosen)):
        at = places[c]
        for p in range(offsets[chosen[c]], offsets[chosen[c] + 1]):
            out[at] = values[p]
            at += 1
