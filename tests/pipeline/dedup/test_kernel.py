"""The loops of near-duplicates, each against brute force over sets and a graph."""

from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest

from provenance.pipeline.dedup import kernel

BANDS = 25


def sketches(bands, passages):
    starts = np.cumsum([0, *map(len, passages)])
    return kernel.Sketches(
        np.array(bands, np.uint32),
        np.array([value for row in passages for value in row], np.uint32),
        starts.astype(np.int64),
        np.full(len(passages), -1, np.int32),
    )


def odds(judge):
    """Odds whose probability of (equal bands, union, shared) is what ``judge`` says."""
    table = np.full((BANDS + 1, kernel.TABLED, kernel.TABLED), np.nan, np.float32)
    for equal, union, shared in itertools.product(range(BANDS + 1), range(40), range(40)):
        table[equal, union, shared] = judge(equal, union, shared)
    grid = np.zeros((BANDS + 1, 2))
    return kernel.Odds(grid, grid[:1], grid[:1], np.full(2, 0.5), np.array([0.0, 0.5]), table, 0.1, 0.9)


def links(count, most=10**6):
    return kernel.Links(
        np.arange(count, dtype=np.int32), np.zeros(count, np.uint32), np.zeros(count, np.uint8),
        np.array([0, 0, 0, most], np.int64),
    )  # fmt: skip


def clusters(parent):
    out = np.empty(len(parent), np.int32)
    kernel.roots(parent, out)
    found: dict[int, set[int]] = {}
    for row, root in enumerate(out.tolist()):
        found.setdefault(root, set()).add(row)
    return sorted(map(sorted, found.values()))


def link(some, judged, known):
    """Ask band after band, as the caller does; returns the open pairs."""
    count = len(some.starts) - 1
    pairs, found = np.empty(1, np.int64), 0
    for band in range(BANDS):
        keys = np.sort(some.bands[:, band].astype(np.uint64) << np.uint64(32) | np.arange(count, dtype=np.uint64))
        pairs, found = kernel.link_band(keys, np.arange(count), band, some, judged, known, pairs, found)
    return [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs[:found]]


def alike(left, right):
    return len(set(left) & set(right)) >= 0.5 * len(set(left) | set(right))


@pytest.fixture
def drawn():
    """Sixty rows of one to twelve passages, with repeats; few share a key of a band."""
    draw = np.random.default_rng(7)
    passages = [draw.integers(0, 14, draw.integers(1, 13)).tolist() for _ in range(60)]
    return draw.integers(0, 90, (60, BANDS)).astype(np.uint32), passages


def test_rows_that_share_a_key_and_are_alike_are_one_cluster(drawn):
    bands, passages = drawn
    graph = networkx.empty_graph(60)
    meet = [(a, b) for a, b in itertools.combinations(range(60), 2) if (bands[a] == bands[b]).any()]
    graph.add_edges_from((a, b) for a, b in meet if alike(passages[a], passages[b]))
    known = links(60)
    judged = odds(lambda _, union, shared: 1.0 if union and shared >= 0.5 * union else 0.0)
    assert link(sketches(bands, passages), judged, known) == []
    expected = sorted(map(sorted, networkx.connected_components(graph)))
    assert clusters(known.parent) == expected
    assert 5 < len(expected) < 55
    assert known.tally[kernel.COMPARED] <= len(meet)


def test_every_pair_that_stays_open_is_given_once(drawn):
    bands, passages = drawn
    known = links(60)
    given = link(sketches(bands, passages), odds(lambda *_: 0.5), known)
    meet = {(a, b) for a, b in itertools.combinations(range(60), 2) if (bands[a] == bands[b]).any()}
    assert len(given) == len(meet)
    assert set(given) == meet
    assert known.tally[kernel.OVERFULL] == 0


def test_open_pairs_beyond_the_bound_are_counted(drawn):
    bands, passages = drawn
    known = links(60, most=20)
    assert len(link(sketches(bands, passages), odds(lambda *_: 0.5), known)) == 20
    assert known.tally[kernel.OVERFULL] > 0


@pytest.mark.parametrize("kinds", [1, 2])
def test_a_crowd_finds_its_kinds_without_comparing_each_with_each(kinds):
    """All share the key of one band; of the next, each kind has its own."""
    count = 3 * kernel.CROWD
    bands = np.arange(count * BANDS, dtype=np.uint32).reshape(count, BANDS)
    kind = np.arange(count) % kinds
    bands[:, 3], bands[:, 4] = 5, kind
    known = links(count)
    judged = odds(lambda _, union, shared: float(union == shared))
    assert link(sketches(bands, [[int(n), 20] for n in kind]), judged, known) == []
    assert clusters(known.parent) == [list(range(first, count, kinds)) for first in range(kinds)]
    assert known.tally[kernel.COMPARED] < count * (kernel.LEADERS + kernel.WINDOW)
    assert (known.tally[kernel.CROWDED] > 0) == (kinds > 1)


def test_equal_values_and_equal_bands_are_joined_to_their_first():
    firsts = np.array([9, 4, 9, 4, 9, 1], np.uint64)
    seconds = np.array([1, 2, 1, 3, 2, 1], np.uint64)
    parent, spare = np.arange(6, dtype=np.int32), np.zeros(6, np.bool_)
    kernel.link_equal(np.argsort(firsts, kind="stable"), firsts, seconds, parent, spare)
    assert clusters(parent) == [[0, 2], [1], [3], [4], [5]]
    assert np.flatnonzero(spare).tolist() == [2]

    bands = np.zeros((4, BANDS), np.uint32)
    bands[3] = 7
    some, known = sketches(bands, [[1, 2], [2, 1, 1], [8, 9], [1, 2]]), links(4)
    rows, hashes = np.arange(4), np.empty(4, np.uint64)
    kernel.hash_bands(some.bands, rows, hashes)
    assert len(set(hashes.tolist())) == 2
    judged = odds(lambda _, union, shared: 1.0 if shared == union else 0.5)
    spare = np.zeros(4, np.bool_)
    order = np.argsort(hashes, kind="stable")
    pairs, found = kernel.link_alike(order, hashes, rows, some, judged, known, spare, np.empty(1, np.int64), 0)
    assert clusters(known.parent) == [[0, 1], [2], [3]]
    assert spare.tolist() == [False, True, False, False]
    assert pairs[:found].tolist() == [2]  # rows 0 and 2 stay open


def test_probabilities_are_bayes_rule_over_the_grid():
    draw = np.random.default_rng(3)
    grid = 6
    bands, ways, other = draw.normal(size=(BANDS + 1, grid)), draw.normal(size=(2, grid)), draw.normal(size=(2, grid))
    prior = draw.dirichlet(np.ones(grid))
    above = np.where(np.arange(grid) >= 3, prior, 0.0)
    table = np.full((BANDS + 1, kernel.TABLED, kernel.TABLED), np.nan, np.float32)
    judged = kernel.Odds(bands, ways, other, prior, above, table, 0.1, 0.9)
    keys = np.zeros((2, BANDS), np.uint32)
    keys[1, :20] = 1
    some = sketches(keys, [[1, 2, 3, 3], [3, 4]])
    likelihood = np.exp(bands[5] + 1 * ways + 3 * other)
    expected = (likelihood * above).sum() / (likelihood * prior).sum()
    out = np.empty(2)
    kernel.probabilities(np.array([0, 1]), np.array([1, 0]), some, judged, out)
    assert out == pytest.approx([expected, expected], rel=1e-6)
    long = sketches(keys, [list(range(300)), [0]])
    likelihood = np.exp(bands[5] + ways + 299 * other - (299 * other).max())
    kernel.probabilities(np.array([0]), np.array([1]), long, judged, out)
    assert out[0] == pytest.approx((likelihood * above).sum() / (likelihood * prior).sum(), rel=1e-6)
    lefts, rights = np.array([0, 3]), np.array([2, 1])
    parent = np.arange(4, dtype=np.int32)
    kernel.unite_pairs(parent, lefts, rights)
    assert clusters(parent) == [[0, 2], [1, 3]]
