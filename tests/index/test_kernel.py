"""Lookups against NumPy's searchsorted and plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.index import kernel
from provenance.index.build import directory_bits, mixed


def test_mixing_is_murmur3s_finaliser():
    # Values of fmix32 for these inputs, from the reference in C++.
    assert mixed(np.array([0, 1, 2], dtype=np.uint32)).tolist() == [0, 0x514E28B7, 0x30F4C306]


@pytest.mark.parametrize("spread", [1, 50, 1 << 20, 1 << 32])
@pytest.mark.parametrize("size", [0, 1, 7, 1000, 40_000])
def test_find_agrees_with_searchsorted(size, spread):
    source = np.random.default_rng(size + spread)
    keys = np.sort(source.integers(0, spread, size, dtype=np.uint64).astype(np.uint32))
    queries = np.concatenate([keys[::3], source.integers(0, 1 << 32, 500, dtype=np.uint64).astype(np.uint32)])
    bits = directory_bits(size)
    counts = np.zeros((1 << bits) + 1, dtype=np.int64)
    kernel.count_buckets(keys, bits, counts[1:])
    starts, ends = np.zeros((2, len(queries)), dtype=np.int64)
    assert kernel.find(keys, np.cumsum(counts).astype(np.uint32), bits, queries, starts, ends)
    left, right = np.searchsorted(keys, queries), np.searchsorted(keys, queries, side="right")
    assert (ends - starts).tolist() == (right - left).tolist()
    there = right > left
    assert starts[there].tolist() == left[there].tolist()
