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
MAX_RUNS = 1 << 16
"""Runs looked at in one pair of texts."""
MAX_SPANS = 256
"""Spans kept of one pair."""
_SAME_GRAM = 8
_WALK = 32
_LOOK_BACK = 64
_DISTINCT = 3
_MULTIPLIER = 0x9E3779B97F4A7C15


@njit(cache=True, nogil=True)
def _fill_table(tokens, heads, chain, grams):
    size = uint64(1)
    while size < uint64(2 * len(tokens)):
        size <<= uint64(1)
    mask = size - uint64(1)
    heads[: np.int64(size)] = -1
    for p in range(len(tokens) - RUN_TOKENS, -1, -1):
        gram = uint64(0)
        for t in range(RUN_TOKENS):
            gram = (gram ^ uint64(tokens[p + t])) * uint64(_MULTIPLIER)
            gram ^= gram >> uint64(32)
        slot = gram & mask
        grams[p] = uint32(gram >> uint64(32))
        chain[p] = heads[slot]
        heads[slot] = p
    return mask


@njit(cache=True, nogil=True)
def _informative(tokens, start):
    distinct = 0
    for a in range(start, start + RUN_TOKENS):
        new = True
        for b in range(start, a):
            if tokens[a] == tokens[b]:
                new = False
                break
        if new:
            distinct += 1
    return distinct >= _DISTINCT


@njit(cache=True, nogil=True)
def _find_runs(left, right, heads, chain, grams, mask, reached, runs):
    """List maximal common runs as (start in left, start in right, length), in order of their first seed."""
    reached[: len(left) + len(right) + 1] = 0
    count = 0
    for p in range(len(left) - RUN_TOKENS + 1):
        gram = uint64(0)
        for t in range(RUN_TOKENS):
            gram = (gram ^ uint64(left[p + t])) * uint64(_MULTIPLIER)
            gram ^= gram >> uint64(32)
        other = heads[gram & mask]
        if other < 0:
            continue
        short = uint32(gram >> uint64(32))
        same = 0
        walked = 0
        checked = False
        while other >= 0 and same < _SAME_GRAM and walked < _WALK:
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
                if not _informative(left, p):
                    break
                checked = True
            end = 0
            while p + end < len(left) and at + end < len(right) and left[p + end] == right[at + end]:
                end += 1
            if end < RUN_TOKENS:
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
            if count == MAX_RUNS:
                return count
    return count


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
        if marks[p]:
            new = True
            for s in range(count):
                if seen[s] == tokens[p]:
                    new = False
                    break
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
    heads,
    chain,
    grams,
    reached,
    runs,
    score,
    previous,
    used,
    left_marks,
    right_marks,
    seen,
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
        heads: Scratch: first position of a gram in each slot of a hash table; at least twice the longest text.
        chain: Scratch: next position in the same slot; as long as the longest text.
        grams: Scratch: hash of the gram at each position; as long.
        reached: Scratch: end of the last run on each diagonal; as long as both longest texts and one.
        runs: Scratch: common runs, ``(n, 3)``.
        score: Scratch: best chain that ends in each run.
        previous: Scratch: its run before this one.
        used: Scratch: runs that belong to a chain already.
        left_marks: Scratch: matched tokens of the record.
        right_marks: Scratch: matched tokens of the text.
        seen: Scratch: distinct tokens.
        figures: Out, for each pair: matched tokens, matched tokens of the text, matched tokens that are not common,
            distinct matched tokens (counted up to ``len(seen)``).
        cover: Out: bits of the matched tokens of each pair's record, most significant first.
        cover_offsets: Where each pair's bits start in ``cover``.
        spans: Out: spans of all pairs, longest score first within a pair.
        span_offsets: Out: where each pair's spans start.

    Returns:
        The number of pairs done (fewer than all when ``spans`` is full), or -1 when the segment is damaged.
    """
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
        mask = _fill_table(right, heads, chain, grams)
        count = _find_runs(left, right, heads, chain, grams, mask, reached, runs)
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
