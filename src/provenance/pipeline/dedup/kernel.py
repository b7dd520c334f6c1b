"""Loops over stored fingerprints: which records are copies of each other, as far as fingerprints can tell."""

# mypy: ignore-errors
# Kernels are checked by brute force over the texts, in the tests beside them.

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, uint32, uint64

CROWD = 128
"""Records that may share a band key before they are no longer compared each with each."""
LEADERS = 16
WINDOW = 64
WAITING = 255
"""Open pairs in which a record may be the later one."""
TABLED = 256

COMPARED, CROWDED, OVERFULL, MOST = 0, 1, 2, 3


class Sketches(NamedTuple):
    """Stored fingerprints by row."""

    bands: np.ndarray  # uint32 (n, 25)
    passages: np.ndarray  # uint32; a row's are sorted when it is first compared
    starts: np.ndarray  # int64 (n + 1)
    distinct: np.ndarray  # int32 (n), -1 until sorted


class Odds(NamedTuple):
    """Log-likelihoods of what two fingerprints have in common, over a grid of similarities."""

    bands: np.ndarray  # float64 (26, grid)
    shared: np.ndarray  # float64 (ways of editing, grid)
    other: np.ndarray  # float64 likewise
    prior: np.ndarray  # float64 (grid)
    above: np.ndarray  # float64 (grid), the prior of what reaches the threshold
    table: np.ndarray  # float32 (26, TABLED, TABLED), NaN until asked for
    reject: float
    accept: float


class Links(NamedTuple):
    """What is known of the rows so far."""

    parent: np.ndarray  # int32 (n), a forest: one tree for each cluster
    crowded: np.ndarray  # uint32 (n), one bit for each band whose key too many share
    waiting: np.ndarray  # uint8 (n)
    tally: np.ndarray  # int64 (4): three counts, and how many pairs may be open


@njit(cache=True, nogil=True)
def find(parent, row):
    """The root of a row's tree."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@njit(cache=True, nogil=True)
def unite(parent, left, right):
    """Make one cluster of two."""
    left = find(parent, left)
    right = find(parent, right)
    if left < right:
        parent[right] = left
    else:
        parent[left] = right


@njit(cache=True, nogil=True)
def unite_pairs(parent, lefts, rights):
    """Make one cluster of the two rows of each pair."""
    for i in range(len(lefts)):
        unite(parent, lefts[i], rights[i])


@njit(cache=True, nogil=True)
def roots(parent, out):
    """Write the root of every row."""
    for row in range(len(parent)):
        out[row] = find(parent, row)


@njit(cache=True, nogil=True)
def distinct(values):
    """Sort values in place, the distinct ones first; how many they are."""
    values.sort()
    count = 0
    for i in range(len(values)):
        if count == 0 or values[i] != values[count - 1]:
            values[count] = values[i]
            count += 1
    return count


@njit(cache=True, nogil=True)
def common(left, right):
    """How many values two sorted arrays without repeats share."""
    i = j = shared = 0
    while i < len(left) and j < len(right):
        a = left[i]
        b = right[j]
        shared += a == b
        i += a <= b
        j += b <= a
    return shared


@njit(cache=True, nogil=True)
def passages(sketches, row):
    """The distinct passage hashes of a row, sorted."""
    start = sketches.starts[row]
    if sketches.distinct[row] < 0:
        sketches.distinct[row] = distinct(sketches.passages[start : sketches.starts[row + 1]])
    return sketches.passages[start : start + sketches.distinct[row]]


@njit(cache=True, nogil=True)
def equal_bands(bands, left, right):
    """How many bands two rows have the same key of."""
    equal = 0
    for band in range(bands.shape[1]):
        equal += bands[left, band] == bands[right, band]
    return equal


@njit(cache=True, nogil=True)
def weigh(odds, equal, shared, union, weights):
    """The sum over the grid of likelihood times ``weights``, and times the prior."""
    ways, grid = odds.shared.shape
    highest = -math.inf
    for way in range(ways):
        for j in range(grid):
            value = odds.bands[equal, j] + shared * odds.shared[way, j] + (union - shared) * odds.other[way, j]
            highest = max(highest, value)
    wanted = total = 0.0
    for way in range(ways):
        for j in range(grid):
            value = odds.bands[equal, j] + shared * odds.shared[way, j] + (union - shared) * odds.other[way, j]
            likelihood = math.exp(value - highest)
            wanted += likelihood * weights[j]
            total += likelihood * odds.prior[j]
    return wanted / total


@njit(cache=True, nogil=True)
def _probability(odds, equal, shared, union):
    """The probability that the similarity reaches the threshold."""
    if union >= TABLED:
        return np.float32(weigh(odds, equal, shared, union, odds.above))
    known = odds.table[equal, union, shared]
    if math.isnan(known):
        known = np.float32(weigh(odds, equal, shared, union, odds.above))
        odds.table[equal, union, shared] = known
    return known


@njit(cache=True, nogil=True)
def compare(sketches, odds, left, right):
    """The probability that two rows are as similar as the threshold, and whether their fingerprints are the same."""
    equal = equal_bands(sketches.bands, left, right)
    a = passages(sketches, left)
    b = passages(sketches, right)
    shared = common(a, b)
    union = len(a) + len(b) - shared
    return _probability(odds, equal, shared, union), equal == sketches.bands.shape[1] and shared == union


@njit(cache=True, nogil=True)
def link_equal(order, firsts, seconds, parent, spare):
    """Join rows of the same 128-bit value; all but the first of each are marked ``spare``.

    Args:
        order: Rows sorted by ``firsts``, and by their ids where these are equal.
        firsts: uint64, first half of each row's value.
        seconds: uint64, the other half.
        parent: Forest to join in.
        spare: bool; out.
    """
    start = 0
    for i in range(1, len(order)):
        row = order[i]
        if firsts[order[start]] != firsts[row]:
            start = i
            continue
        for j in range(start, i):
            if seconds[order[j]] == seconds[row]:
                unite(parent, order[j], row)
                spare[row] = True
                break


@njit(cache=True, nogil=True)
def hash_bands(bands, rows, out):
    """Write a 64-bit hash of all band keys of each of ``rows``."""
    for i in range(len(rows)):
        value = uint64(0)
        for band in range(bands.shape[1]):
            value = (value ^ uint64(bands[rows[i], band])) * uint64(0x9E3779B97F4A7C15)
            value ^= value >> uint64(29)
        out[i] = value


@njit(cache=True, nogil=True)
def link_alike(order, hashes, rows, sketches, odds, links, spare, pairs, found):
    """Compare rows whose band keys are all the same with the first of them.

    Those with the same passages too are marked ``spare``: whatever fingerprints say of one, they say of the other.
    """
    start = 0
    for i in range(1, len(order)):
        if hashes[order[i]] != hashes[order[start]]:
            start = i
            continue
        first = rows[order[start]]
        row = rows[order[i]]
        probability, same = compare(sketches, odds, first, row)
        links.tally[COMPARED] += 1
        if probability >= odds.accept:
            unite(links.parent, first, row)
            spare[row] = same
        elif probability > odds.reject:
            pairs, found = _wait(pairs, found, row, first)
    return pairs, found


@njit(cache=True, nogil=True)
def _wait(pairs, found, left, right):
    if found == len(pairs):
        larger = np.empty(2 * len(pairs), np.int64)
        larger[:found] = pairs[:found]
        pairs = larger
    pairs[found] = min(left, right) << 32 | max(left, right)
    return pairs, found + 1


@njit(cache=True, nogil=True)
def probabilities(lefts, rights, sketches, odds, out):
    """Write the probability that the rows of each pair are as similar as the threshold."""
    for i in range(len(lefts)):
        out[i], _ = compare(sketches, odds, lefts[i], rights[i])


@njit(cache=True, nogil=True)
def _seen(bands, crowded, left, right, band):
    """Whether the pair met under an earlier key that was not crowded."""
    for earlier in range(band):
        if bands[left, earlier] == bands[right, earlier] and not (crowded[left] >> uint32(earlier)) & uint32(1):
            return True
    return False


@njit(cache=True, nogil=True)
def _consider(left, right, band, sketches, odds, links, pairs, found):
    """Join two rows, put them off until their texts are read, or leave them apart; ``left`` is the later one."""
    if find(links.parent, left) == find(links.parent, right):
        return pairs, found
    if _seen(sketches.bands, links.crowded, left, right, band):
        return pairs, found
    probability, _ = compare(sketches, odds, left, right)
    links.tally[COMPARED] += 1
    if probability >= odds.accept:
        unite(links.parent, left, right)
    elif probability > odds.reject:
        if links.waiting[left] >= WAITING or found >= links.tally[MOST]:
            links.tally[OVERFULL] += 1
        else:
            links.waiting[left] += 1
            pairs, found = _wait(pairs, found, left, right)
    return pairs, found


@njit(cache=True, nogil=True)
def link_band(keys, row_of, band, sketches, odds, links, pairs, found):
    """Compare rows that share a key of one band.

    Args:
        keys: uint64, sorted: the key, then 32 bits of the row's place in the order of ids.
        row_of: Row by place.
        band: Number of the band.
        sketches: Fingerprints.
        odds: How to judge what they share.
        links: What is known; changed.
        pairs: int64: open pairs, the smaller row in the upper half.
        found: How many of ``pairs`` are filled.

    Returns:
        ``pairs``, perhaps a larger copy, and ``found``.
    """
    start = 0
    while start < len(keys):
        end = start + 1
        while end < len(keys) and keys[end] >> uint64(32) == keys[start] >> uint64(32):
            end += 1
        if end - start > CROWD:
            pairs, found = _link_crowd(keys[start:end], row_of, band, sketches, odds, links, pairs, found)
        else:
            for i in range(start + 1, end):
                row = row_of[keys[i] & uint64(0xFFFFFFFF)]
                for j in range(start, i):
                    other = row_of[keys[j] & uint64(0xFFFFFFFF)]
                    pairs, found = _consider(row, other, band, sketches, odds, links, pairs, found)
        start = end
    return pairs, found


@njit(cache=True, nogil=True)
def _link_crowd(keys, row_of, band, sketches, odds, links, pairs, found):
    """Compare each of many rows with a few leaders, and with those beside it by the key of the next band."""
    size = len(keys)
    members = np.empty(size, np.uint64)
    first = find(links.parent, row_of[keys[0] & uint64(0xFFFFFFFF)])
    one = True
    following = (band + 1) % sketches.bands.shape[1]
    for i in range(size):
        place = keys[i] & uint64(0xFFFFFFFF)
        row = row_of[place]
        one = one and find(links.parent, row) == first
        links.crowded[row] |= uint32(1) << uint32(band)
        members[i] = uint64(sketches.bands[row, following]) << uint64(32) | place
    if one:
        return pairs, found
    members.sort()
    rows = np.empty(size, np.int64)
    for i in range(size):
        rows[i] = row_of[members[i] & uint64(0xFFFFFFFF)]
    leaders = np.empty(LEADERS, np.int64)
    leading = 0
    for i in range(size):
        row = rows[i]
        for j in range(leading):
            pairs, found = _consider(row, leaders[j], band, sketches, odds, links, pairs, found)
        for j in range(max(0, i - WINDOW), i):
            pairs, found = _consider(row, rows[j], band, sketches, odds, links, pairs, found)
        if leading < LEADERS:
            root = find(links.parent, row)
            new = True
            for j in range(leading):
                new = new and find(links.parent, leaders[j]) != root
            if new:
                leaders[leading] = row
                leading += 1
    first = find(links.parent, rows[0])
    for i in range(size):
        if find(links.parent, rows[i]) != first:
            links.tally[CROWDED] += size
            break
    return pairs, found
