"""Numba kernel that finds what two token sequences share, exactly."""

from __future__ import annotations

import numpy as np
from numba import njit, uint32, uint64

RUN_TOKENS = 5
"""A common run has at least so many equal tokens in a row."""
CHAIN_GAP = 32
"""Runs in the same order, no further apart than this on both sides, make one chain."""
CHAIN_TOKENS = 16
"""A chain with fewer equal tokens is coincidence."""
LONGEST_TOKENS = 8
"""So is one whose longest run is shorter."""
MAX_RUNS = 1 << 17
"""Runs looked at in one pair of texts, half of them for grams that are very frequent."""
MAX_SPANS = 256
"""Spans kept of one pair."""
_SIEVE = 16
_SAME_GRAM = 8
_WALK = 32
_LOOK_BACK = 64
_DISTINCT = 3
_MULTIPLIER = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True)
def _fill_table(tokens, width, heads, chain, grams):
    size = uint64(1)
    while size < uint64(2 * len(tokens)):
        size <<= uint64(1)
    mask = size - uint64(1)
    heads[: np.int64(size)] = -1
    for p in range(len(tokens) - width, -1, -1):
        gram = _hash(tokens, p, width)
        slot = gram & mask
        grams[p] = uint32(gram >> uint64(32))
        chain[p] = heads[slot]
        heads[slot] = p
    return mask


@njit(cache=True, nogil=True, inline="always")
def _hash(tokens, p, width):
    gram = uint64(0)
    for t in range(width):
        gram = (gram ^ uint64(tokens[p + t])) * uint64(_MULTIPLIER)
        gram ^= gram >> uint64(32)
    return gram


@njit(cache=True, nogil=True)
def _fill_sieve(tokens, sieve):
    """Mark the grams of a record; return by how much their hashes are to be shifted."""
    bits = uint32(6)
    while (1 << bits) < _SIEVE * len(tokens) and (2 << bits) <= len(sieve):
        bits += uint32(1)
    sieve[: 1 << bits] = 0
    shift = uint32(32) - bits
    for p in range(len(tokens) - RUN_TOKENS + 1):
        sieve[_gram(tokens, p) >> shift] = 1
    return shift


@njit(cache=True, nogil=True, inline="always")
def _gram(tokens, p):
    gram = uint32(tokens[p] * uint32(0x9E3779B1)) + uint32(tokens[p + 1] * uint32(0x85EBCA77))
    gram += uint32(tokens[p + 2] * uint32(0xC2B2AE3D)) + uint32(tokens[p + 3] * uint32(0x27D4EB2F))
    return uint32(gram + uint32(tokens[p + 4] * uint32(0x165667B1)))


@njit(cache=True, nogil=True)
def _may_share(tokens, sieve, shift, grams):
    """Tell whether a text may have a run of ``LONGEST_TOKENS`` in common with the record of the sieve."""
    size = len(tokens) - RUN_TOKENS + 1
    for p in range(size):
        grams[p] = _gram(tokens, p) >> shift
    streak = 0
    for p in range(size):
        streak = (streak + 1) * sieve[grams[p]]
        if streak > LONGEST_TOKENS - RUN_TOKENS:
            return True
    return False


@njit(cache=True, nogil=True)
def _informative(tokens, start, width):
    distinct = 0
    for a in range(start, start + width):
        new = True
        for b in range(start, a):
            new = new and tokens[a] != tokens[b]
        distinct += new
        if distinct == _DISTINCT:
            return True
    return False


@njit(cache=True, nogil=True)
def _seek_runs(left, right, width, heads, chain, grams, mask, reached, runs, count):
    """List maximal common runs as (start in left, start in right, length), in order of their first seed.

    Returns how many there are then, and whether grams were too frequent for all their places to be looked at.
    """
    reached[: len(left) + len(right) + 1] = 0
    cut = False
    for p in range(len(left) - width + 1):
        gram = _hash(left, p, width)
        other = heads[gram & mask]
        if other < 0:
            continue
        short = uint32(gram >> uint64(32))
        same = 0
        walked = 0
        checked = False
        while other >= 0:
            if same == _SAME_GRAM or walked == _WALK:
                cut = True
                break
            walked += 1
            at = other
            other = chain[at]
            if grams[at] != short:
                continue
            diagonal = p - at + len(right)
            if reached[diagonal] > p:
                same += 1
                continue
            if not checked:
                if not _informative(left, p, width):
                    break
                checked = True
            end = 0
            while p + end < len(left) and at + end < len(right) and left[p + end] == right[at + end]:
                end += 1
            if end < width:
                continue
            same += 1
            before = 0
            while p > before and at > before and left[p - before - 1] == right[at - before - 1]:
                before += 1
            reached[diagonal] = p + end
            runs[count, 0] = p - before
            runs[count, 1] = at - before
            runs[count, 2] = before + end
            count += 1
            if count == len(runs):
                return count, False
    return count, cut


@njit(cache=True, nogil=True)
def _find_runs(left, right, heads, chain, grams, reached, runs):
    """List maximal common runs, in order of their start in left.

    Of a gram that the text has very often only some places are looked at. Then longer grams are sought as well: either
    they are rarer, so the run that holds one is found, or the places looked at make a run of ``CHAIN_TOKENS`` each.
    """
    mask = _fill_table(right, RUN_TOKENS, heads, chain, grams)
    half = runs[: len(runs) // 2]
    count, cut = _seek_runs(left, right, RUN_TOKENS, heads, chain, grams, mask, reached, half, 0)
    if not cut or min(len(left), len(right)) < CHAIN_TOKENS:
        return count
    mask = _fill_table(right, CHAIN_TOKENS, heads, chain, grams)
    count, _ = _seek_runs(left, right, CHAIN_TOKENS, heads, chain, grams, mask, reached, runs, count)
    return _sort_runs(runs, count)


@njit(cache=True, nogil=True)
def _sort_runs(runs, count):
    """Order runs by their start in left, then in right, each once."""
    order = np.argsort((runs[:count, 0].astype(np.int64) << 32) | runs[:count, 1], kind="mergesort")
    ordered = runs[:count][order]
    kept = 0
    for k in range(count):
        if k and ordered[k, 0] == ordered[k - 1, 0] and ordered[k, 1] == ordered[k - 1, 1]:
            continue
        runs[kept] = ordered[k]
        kept += 1
    return kept


@njit(cache=True, nogil=True)
def _link_runs(runs, count, score, previous):
    """Give each run its best predecessor: earlier and near on both sides."""
    for k in range(count):
        score[k] = runs[k, 2]
        previous[k] = -1
        for p in range(k - 1, max(-1, k - 1 - _LOOK_BACK), -1):
            if runs[p, 0] >= runs[k, 0] or runs[p, 1] >= runs[k, 1]:
                continue
            left_gap = runs[k, 0] - runs[p, 0] - runs[p, 2]
            right_gap = runs[k, 1] - runs[p, 1] - runs[p, 2]
            if left_gap > CHAIN_GAP or right_gap > CHAIN_GAP:
                continue
            gain = runs[k, 2] + min(0, left_gap, right_gap)
            if left_gap != right_gap:
                gain -= 1
            if gain > 0 and score[p] + gain > score[k]:
                score[k] = score[p] + gain
                previous[k] = p


@njit(cache=True, nogil=True)
def _fill_gap(left, right, a, b, c, d, left_marks, right_marks):
    """Mark equal tokens between runs that end at ``(a, b)`` and start at ``(c, d)``, on the runs' own diagonals."""
    gap = min(c - a, d - b)
    if gap <= 0:
        return 0
    ahead = 0
    for t in range(gap):
        if left[c - gap + t] == right[d - gap + t]:
            ahead += 1
    best = ahead
    split = 0
    behind = 0
    for t in range(gap):
        if left[a + t] == right[b + t]:
            behind += 1
        if left[c - gap + t] == right[d - gap + t]:
            ahead -= 1
        if behind + ahead > best:
            best = behind + ahead
            split = t + 1
    for t in range(gap):
        x = a + t if t < split else c - gap + t
        y = b + t if t < split else d - gap + t
        if left[x] == right[y]:
            left_marks[x] = 1
            right_marks[y] = 1
    return best


@njit(cache=True, nogil=True)
def _keep_chains(left, right, runs, count, score, previous, used, left_marks, right_marks, spans):
    """Mark the tokens of every chain that means something; return how many spans were written."""
    used[:count] = 0
    kept = 0
    order = np.argsort(-score[:count], kind="mergesort")
    for o in range(count):
        tail = order[o]
        if score[tail] < LONGEST_TOKENS:
            break
        tokens = 0
        longest = 0
        head = -1
        k = tail
        later = -1
        # First pass: how much is shared, without marking anything.
        while k >= 0 and not used[k]:
            used[k] = 1
            head = k
            tokens += runs[k, 2]
            longest = max(longest, runs[k, 2])
            if later >= 0:
                a = runs[k, 0] + runs[k, 2]
                b = runs[k, 1] + runs[k, 2]
                tokens += min(0, runs[later, 0] - a, runs[later, 1] - b)
            later = k
            k = previous[k]
        if head < 0 or longest < LONGEST_TOKENS or tokens < CHAIN_TOKENS:
            continue
        k = tail
        later = -1
        while True:
            for t in range(runs[k, 2]):
                left_marks[runs[k, 0] + t] = 1
                right_marks[runs[k, 1] + t] = 1
            if later >= 0:
                a = runs[k, 0] + runs[k, 2]
                b = runs[k, 1] + runs[k, 2]
                _fill_gap(left, right, a, b, runs[later, 0], runs[later, 1], left_marks, right_marks)
            if k == head:
                break
            later = k
            k = previous[k]
        if kept < MAX_SPANS:
            spans[kept, 0] = runs[head, 0]
            spans[kept, 1] = runs[tail, 0] + runs[tail, 2]
            spans[kept, 2] = runs[head, 1]
            spans[kept, 3] = runs[tail, 1] + runs[tail, 2]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _distinct(tokens, marks, limit, seen):
    """Count distinct marked tokens, up to ``limit``."""
    count = 0
    for p in range(len(tokens)):
        if not marks[p]:
            continue
        new = True
        for s in range(count):
            new = new and seen[s] != tokens[p]
        if new:
            seen[count] = tokens[p]
            count += 1
            if count == limit:
                break
    return count


@njit(cache=True, nogil=True)
def overlap(
    left_tokens,
    left_offsets,
    right_tokens,
    right_offsets,
    rows,
    texts,
    first,
    common,
    scratch,
    figures,
    cover,
    cover_offsets,
    spans,
    span_offsets,
):
    """Compare records (left) with candidate texts (right).

    Args:
        left_tokens: Token hashes of all records.
        left_offsets: Where each record starts.
        right_tokens: Token hashes of all texts of a segment.
        right_offsets: Where each text starts.
        rows: Record of each candidate pair.
        texts: Its text.
        first: The pair to start at.
        common: One byte for each token of the records: 1 where it belongs to a passage that very many texts share.
        scratch: Arrays to work in, in this order: grams of one record (a power of two, best 16 times its tokens); a
            hash table of a text's grams (at least twice the longest text), next position in the same slot, hash at each
            position; end of the last run on each diagonal (both longest texts and one); common runs ``(n, 3)``, best
            chain that ends in each, its run before this one, whether it belongs to a chain; matched tokens of the
            record and of the text; distinct tokens.
        figures: Out, for each pair: matched tokens, matched tokens of the text, matched tokens that are not common,
            distinct matched tokens (counted up to ``len(seen)``).
        cover: Out: bits of the matched tokens of each pair's record, most significant first.
        cover_offsets: Where each pair's bits start in ``cover``.
        spans: Out: spans of all pairs, longest score first within a pair.
        span_offsets: Out: where each pair's spans start.

    Returns:
        The number of pairs done (fewer than all when ``spans`` is full), or -1 when the segment is damaged.
    """
    sieve, heads, chain, grams, reached, runs, score, previous, used, left_marks, right_marks, seen = scratch
    sieved = np.int64(-1)
    shift = uint32(0)
    for c in range(first, len(rows)):
        if span_offsets[c] + MAX_SPANS > len(spans):
            return c
        start = left_offsets[rows[c]]
        left = left_tokens[start : left_offsets[rows[c] + 1]]
        low = right_offsets[texts[c]]
        high = right_offsets[texts[c] + 1]
        if low < 0 or low > high or high > len(right_tokens) or high - low > len(chain):
            return -1
        right = right_tokens[low:high]
        span_offsets[c + 1] = span_offsets[c]
        if len(left) < RUN_TOKENS or len(right) < RUN_TOKENS:
            continue
        if rows[c] != sieved:
            sieved = rows[c]
            shift = _fill_sieve(left, sieve)
        if not _may_share(right, sieve, shift, grams):
            continue
        count = _find_runs(left, right, heads, chain, grams, reached, runs)
        if count == 0:
            continue
        left_marks[: len(left)] = 0
        right_marks[: len(right)] = 0
        _link_runs(runs, count, score, previous)
        here = spans[span_offsets[c] : span_offsets[c] + MAX_SPANS]
        kept = _keep_chains(left, right, runs, count, score, previous, used, left_marks, right_marks, here)
        if kept == 0:
            continue
        span_offsets[c + 1] += kept
        matched = 0
        rare = 0
        for p in range(len(left)):
            if left_marks[p]:
                matched += 1
                cover[cover_offsets[c] + (p >> 3)] |= 128 >> (p & 7)
                if not common[start + p]:
                    rare += 1
        matched_right = 0
        for p in range(len(right)):
            matched_right += right_marks[p]
        figures[c, 0] = matched
        figures[c, 1] = matched_right
        figures[c, 2] = rare
        figures[c, 3] = _distinct(left, left_marks, len(seen), seen)
    return len(rows)
