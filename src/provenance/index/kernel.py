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


@njit(cache=True, nogil=True, inline="always")
def _swapped(word):
    """Turn the number that big-endian bytes are on a little-endian machine into the one they mean."""
    swapped = uint64(0)
    for _ in range(8):
        swapped = (swapped << uint64(8)) | (uint64(word) & uint64(255))
        word = uint64(word) >> uint64(8)
    return swapped


@njit(cache=True, nogil=True)
def mix(keys, out):
    """Write MurmurHash3's 32-bit finaliser (a bijection) of ``keys`` to ``out``."""
    for i in range(len(keys)):
        out[i] = _mix(keys[i])


@njit(cache=True, nogil=True)
def count_buckets(keys, bits, counts):
    """Count ``keys`` by their ``bits`` leading bits, modulo ``len(counts)``, a power of two."""
    shift = uint64(32 - bits)
    mask = uint64(len(counts) - 1)
    for i in range(len(keys)):
        counts[(uint64(keys[i]) >> shift) & mask] += 1


@njit(cache=True, nogil=True)
def count_kept(texts, kept):
    """Count the postings whose text is kept."""
    count = 0
    for i in range(len(texts)):
        count += kept[texts[i]]
    return count


@njit(cache=True, nogil=True, inline="always")
def _neighbour(token):
    """Six bits of a token, so that most that differ are told apart without looking at a text."""
    return uint32(uint32(token) * uint32(0x9E3779B1)) >> uint32(26)


@njit(cache=True, nogil=True)
def tag_places(tokens, offsets, passages, positions, size, bits, out):
    """Pack each passage's position in ``bits`` bits with six of the token before it and six of the one after it.

    Args:
        tokens: Token hashes of all texts.
        offsets: Where each text starts.
        passages: Where the passages of each text start.
        positions: Places of passages in their texts.
        size: Tokens of a passage.
        bits: Bits of a position; one that needs more is written as all ones.
        out: Out: packed numbers.
    """
    most = (1 << bits) - 1
    for text in range(len(offsets) - 1):
        for p in range(passages[text], passages[text + 1]):
            place = offsets[text] + np.int64(positions[p])
            packed = uint32(min(np.int64(positions[p]), most))
            if place > offsets[text]:
                packed |= _neighbour(tokens[place - 1]) << uint32(bits)
            if place + size < offsets[text + 1]:
                packed |= _neighbour(tokens[place + size]) << uint32(bits + 6)
            out[p] = packed


@njit(cache=True, nogil=True)
def count_common(keys, texts, limit):
    """Count the keys that more than ``limit`` texts have; postings by key and text."""
    count = 0
    held = 0
    for i in range(len(keys)):
        if i == 0 or keys[i] != keys[i - 1]:
            held = 1
        elif texts[i] != texts[i - 1]:
            held += 1
            if held == limit + 1:
                count += 1
    return count


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
            out[count, 0] = q
            out[count, 1] = text
            out[count, 2] = _swapped(check_words[text])
            out[count, 3] = posting
            count += 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _equal(left, right, here, there, low, high):
    count = 0
    for d in range(low, high):
        count += left[here + d] == right[there + d]
    return count


@njit(cache=True, nogil=True)
def seeds(
    starts,
    ends,
    texts,
    packed,
    live,
    check_words,
    text_tokens,
    text_offsets,
    tokens,
    places,
    lows,
    highs,
    limit,
    size,
    bits,
    reach,
    least,
    counts,
    out,
):
    """List the live postings that queries found and whose surroundings agree as well.

    Args:
        starts: First posting of each query.
        ends: One past the last.
        texts: Text of each posting.
        packed: Its place in that text and its neighbours, of :func:`tag_places`.
        live: For each text whether a set that is not withdrawn holds it; empty when all are live.
        check_words: Leading eight bytes of each text's check, as stored (big-endian).
        text_tokens: Token hashes of all texts.
        text_offsets: Where each text starts.
        tokens: Token hashes of all records.
        places: Place of each query in ``tokens``.
        lows: Where its record starts.
        highs: Where its record ends.
        limit: A query that more texts than this have lists nothing.
        size: Tokens of a passage.
        bits: Bits of a position.
        reach: Tokens looked at on either side of the passage.
        least: Equal tokens among them, place by place, that it takes.
        counts: Out: texts that have the query's key, up to ``limit + 1``.
        out: Out: rows of query, text, check word as a number, posting; one for each text of a query.

    Returns:
        How many rows were written; -1 when a posting points outside the segment; -2 when ``out`` is full.
    """
    known = len(check_words)
    most = uint32((1 << bits) - 1)
    count = 0
    for q in range(len(starts)):
        begin = count
        found = 0
        previous = np.int64(-1)
        listed = np.int64(-1)
        here = places[q]
        low = max(lows[q] - here, -reach)
        high = min(highs[q] - here, size + reach)
        # 64 is no neighbour's number: a side where the record ends agrees with nothing.
        left_of = uint32(64)
        right_of = uint32(64)
        if here > lows[q]:
            left_of = _neighbour(tokens[here - 1])
        if here + size < highs[q]:
            right_of = _neighbour(tokens[here + size])
        for posting in range(starts[q], ends[q]):
            text = np.int64(texts[posting])
            if text >= known:
                return -1
            if text == listed or (len(live) and not live[text]):
                continue
            if text != previous:
                previous = text
                found += 1
                if found > limit:
                    count = begin
                    break
            place = packed[posting]
            if (place >> uint32(bits)) & uint32(63) != left_of and place >> uint32(bits + 6) != right_of:
                continue
            first = text_offsets[text]
            last = text_offsets[text + 1]
            if first < 0 or last < first + np.int64(place & most) * (place & most != most) or last > len(text_tokens):
                return -1
            if place & most != most:
                there = first + np.int64(place & most)
                equal = _equal(tokens, text_tokens, here, there, max(low, first - there), min(high, last - there))
                if equal < least:
                    continue
            if count == len(out):
                return -2
            listed = text
            out[count, 0] = q
            out[count, 1] = text
            out[count, 2] = _swapped(check_words[text])
            out[count, 3] = posting
            count += 1
        counts[q] = found
    return count


@njit(cache=True, nogil=True)
def mix_bands(signatures, rows, multiplier, out):
    """Write the mixed key of each band (row of ``out``) of each signature (column); as ``fingerprint.band_keys``."""
    for record in range(len(signatures)):
        for band in range(len(out)):
            key = uint32(band + 1)
            for row in range(rows):
                key = uint32(key * multiplier) + signatures[record, band * rows + row]
                key = uint32(key)
                key ^= key >> uint32(15)
            out[band, record] = _mix(_mix(key))


@njit(cache=True, nogil=True)
def mark_passages(rows, positions, chosen, offsets, size, marks):
    """Mark the tokens of the ``chosen`` passages, and what lies between two that follow each other."""
    for p in range(len(chosen)):
        if not chosen[p]:
            continue
        start = offsets[rows[p]] + np.int64(positions[p])
        end = min(start + size, offsets[rows[p] + 1])
        if p + 1 < len(chosen) and chosen[p + 1] and rows[p + 1] == rows[p]:
            end = max(end, offsets[rows[p]] + np.int64(positions[p + 1]))
        for t in range(start, end):
            marks[t] = 1


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
