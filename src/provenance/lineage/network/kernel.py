"""Search in a directed graph of integers: strong components, reachability of many pairs, one shortest path."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def strong_components(indptr, indices):
    """Number the strongly connected components so that edges between them lead to smaller numbers (Tarjan 1972).

    Args:
        indptr: int64[n + 1]; node ``v`` has the edges ``indices[indptr[v]:indptr[v + 1]]``.
        indices: int32[m], the nodes they lead to.

    Returns:
        int32[n], the component of each node, and how many there are.
    """
    n = indptr.size - 1
    component = np.full(n, -1, np.int32)
    low = np.zeros(n, np.int32)
    found = np.full(n, -1, np.int32)
    following = indptr[:n].copy()
    path = np.empty(n, np.int32)
    waiting = np.empty(n, np.int32)
    clock = np.int32(0)
    count = np.int32(0)
    waiting_size = 0
    for root in range(n):
        if found[root] >= 0:
            continue
        path[0] = root
        depth = 1
        while depth:
            v = path[depth - 1]
            if found[v] < 0:
                found[v] = clock
                low[v] = clock
                clock += 1
                waiting[waiting_size] = v
                waiting_size += 1
            descended = False
            while following[v] < indptr[v + 1]:
                w = indices[following[v]]
                following[v] += 1
                if found[w] < 0:
                    path[depth] = w
                    depth += 1
                    descended = True
                    break
                if component[w] < 0 and found[w] < low[v]:
                    low[v] = found[w]
            if descended:
                continue
            depth -= 1
            if depth and low[v] < low[path[depth - 1]]:
                low[path[depth - 1]] = low[v]
            if low[v] == found[v]:
                while True:
                    waiting_size -= 1
                    w = waiting[waiting_size]
                    component[w] = count
                    if w == v:
                        break
                count += 1
    return component, count


@njit(cache=True, nogil=True)
def grouped(nodes, tails, heads):
    """Sort edges by where they begin, then by where they lead to (two counting sorts).

    Args:
        nodes: How many nodes there are.
        tails: int32[m], where each edge begins.
        heads: int32[m], where it leads to.

    Returns:
        indptr int64[nodes + 1] and indices int32[m].
    """
    m = tails.size
    starts = np.zeros(nodes + 1, np.int64)
    for e in range(m):
        starts[heads[e] + 1] += 1
    for v in range(nodes):
        starts[v + 1] += starts[v]
    by_head = np.empty(m, np.int64)
    for e in range(m):
        by_head[starts[heads[e]]] = e
        starts[heads[e]] += 1
    indptr = np.zeros(nodes + 1, np.int64)
    for e in range(m):
        indptr[tails[e] + 1] += 1
    for v in range(nodes):
        indptr[v + 1] += indptr[v]
    following = indptr[:nodes].copy()
    indices = np.empty(m, np.int32)
    for i in range(m):
        e = by_head[i]
        indices[following[tails[e]]] = heads[e]
        following[tails[e]] += 1
    return indptr, indices


@njit(cache=True, nogil=True)
def reached(indptr, indices, marked, bits, asked, wanted, seen):
    """Say for each question whether a node that carries a bit can be reached from a node.

    Edges must lead to smaller numbers, as those between components do.

    Args:
        indptr: int64[n + 1], edges as above.
        indices: int32[m].
        marked: int32[k], nodes that carry a bit.
        bits: int32[k], which one each.
        asked: int32[q], nodes that are asked about.
        wanted: int32[q], the bit that is looked for.
        seen: uint64[n, lanes], scratch; bits are less than 64 × lanes.

    Returns:
        bool[q].
    """
    lanes = seen.shape[1]
    one = np.uint64(1)
    answers = np.zeros(asked.size, np.bool_)
    if marked.size == 0 or asked.size == 0:
        return answers
    # Nothing before the first marked node leads to one, and nothing after the last one asked about matters.
    first, last = marked.min(), asked.max()
    for v in range(first, max(last + 1, marked.max() + 1)):
        for lane in range(lanes):
            seen[v, lane] = 0
    for i in range(marked.size):
        seen[marked[i], bits[i] // 64] |= one << np.uint64(bits[i] % 64)
    for v in range(first, last + 1):
        for e in range(indptr[v], indptr[v + 1]):
            w = indices[e]
            if w >= first:
                for lane in range(lanes):
                    seen[v, lane] |= seen[w, lane]
    for i in range(asked.size):
        if asked[i] >= first:
            answers[i] = (seen[asked[i], wanted[i] // 64] >> np.uint64(wanted[i] % 64)) & one
    return answers


@njit(cache=True, nogil=True)
def shortest_path(  # noqa: C901 - one loop, from two sides
    indptr, indices, back_indptr, back_indices, component, begin, start, ends, side, parent, queues, path
):
    """Write one shortest path from a node to the nearest of some others, found from both sides at once.

    Nodes must be numbered in the order of their components, which edges between components lead down.

    Args:
        indptr: int64[n + 1], edges as above.
        indices: int32[m].
        back_indptr: int64[n + 1], the same edges turned round.
        back_indices: int32[m].
        component: int32[n], the component of each node.
        begin: int32[components + 1], the first node of each.
        start: Where the path begins.
        ends: int32[k], where it may end.
        side: int8[n], all 0; left so again.
        parent: int32[n], scratch.
        queues: int32[2, n], scratch.
        path: int32[n], gets the nodes of the path.

    Returns:
        How many nodes the path has; 0 if there is none.
    """
    head = np.zeros(2, np.int64)
    tail = np.zeros(2, np.int64)
    queues[0, 0] = start
    tail[0] = 1
    side[start] = 1
    parent[start] = -1
    left, right = -1, -1
    lowest = component[start]
    for i in range(ends.size):
        lowest = min(lowest, component[ends[i]])
        if side[ends[i]] == 1:
            left = start
        elif side[ends[i]] == 0:
            queues[1, tail[1]] = ends[i]
            tail[1] += 1
            side[ends[i]] = 2
            parent[ends[i]] = -1
    # No path leaves the components between.
    low, high = begin[lowest], begin[component[start] + 1]
    while left < 0 and head[0] < tail[0] and head[1] < tail[1]:
        turn = 0 if tail[0] - head[0] <= tail[1] - head[1] else 1
        end_of_level = tail[turn]
        while head[turn] < end_of_level and left < 0:
            v = queues[turn, head[turn]]
            head[turn] += 1
            first = indptr[v] if turn == 0 else back_indptr[v]
            last = indptr[v + 1] if turn == 0 else back_indptr[v + 1]
            for e in range(first, last):
                w = indices[e] if turn == 0 else back_indices[e]
                if w < low or w >= high:
                    continue
                if side[w] == 0:
                    side[w] = turn + 1
                    parent[w] = v
                    queues[turn, tail[turn]] = w
                    tail[turn] += 1
                elif side[w] != turn + 1:
                    left, right = (v, w) if turn == 0 else (w, v)
                    break
    length = 0
    if left >= 0:
        v = left
        while v >= 0:
            path[length] = v
            length += 1
            v = parent[v]
        for i in range(length // 2):
            path[i], path[length - 1 - i] = path[length - 1 - i], path[i]
        v = right
        while v >= 0:
            path[length] = v
            length += 1
            v = parent[v]
    for turn in range(2):
        for i in range(tail[turn]):
            side[queues[turn, i]] = 0
    return length


@njit(cache=True, nogil=True)
def shortest_paths(
    indptr,
    indices,
    back_indptr,
    back_indices,
    component,
    begin,
    starts,
    ends,
    side,
    parent,
    queues,
    path,
    lengths,
    found,
):
    """Write one shortest path for each start, one behind the other, as long as there is room.

    Args:
        indptr: This and what follows up to ``begin`` as for `shortest_path`.
        indices: Likewise.
        back_indptr: Likewise.
        back_indices: Likewise.
        component: Likewise.
        begin: Likewise.
        starts: int32[p].
        ends: int32[p, k], where each may end.
        side: This and what follows up to ``path`` as for `shortest_path`.
        parent: Likewise.
        queues: Likewise.
        path: Likewise.
        lengths: int32[p], gets the number of nodes of each path; 0 if there is none.
        found: int32, gets the nodes of the paths; at least as long as ``path``.

    Returns:
        How many starts were done.
    """
    filled = 0
    for i in range(starts.size):
        length = shortest_path(
            indptr, indices, back_indptr, back_indices, component, begin, starts[i], ends[i], side, parent, queues, path
        )
        if filled + length > found.size:
            return i
        found[filled : filled + length] = path[:length]
        filled += length
        lengths[i] = length
    return starts.size
