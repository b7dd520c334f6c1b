"""Exact comparison of two token sequences against plain-Python oracles."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.index.overlap import kernel, overlaps
from provenance.text.tokens import Tokens


def compare(record, text):
    """Compare two sequences; return marks, figures and spans."""
    tokens = Tokens(np.array([0, len(record)]), np.array(record, dtype=np.uint32))
    found = overlaps(
        tokens,
        np.array(text, dtype=np.uint32),
        np.array([0, len(text)]),
        np.array([[0, 0]]),
        np.zeros(len(record), dtype=np.uint8),
    )
    marks = np.unpackbits(np.frombuffer(found.cover[0], np.uint8))[: len(record)].astype(bool)
    return marks, int(found.matched[0]), int(found.reference_matched[0]), found.spans[0].tolist()


def common_runs(record, text, least):
    """Every maximal common run, by trying all pairs."""
    runs = []
    for i in range(len(record)):
        for j in range(len(text)):
            if record[i] != text[j] or (i and j and record[i - 1] == text[j - 1]):
                continue
            size = 0
            while i + size < len(record) and j + size < len(text) and record[i + size] == text[j + size]:
                size += 1
            if size >= least:
                runs.append((i, j, size))
    return runs


tokens = st.integers(0, 400)
pieces = st.lists(st.lists(tokens, min_size=1, max_size=40), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(pieces, st.lists(st.integers(0, 11), max_size=8), pieces, st.data())
def test_long_common_runs_are_covered_and_nothing_else(parts, order, own, data):
    text = [token for part in parts for token in part]
    every = parts + own
    record = [token for k in order for token in every[k % len(every)]]
    marks, matched, reference_matched, spans = compare(record, text)
    assert matched == marks.sum()
    assert reference_matched <= len(text)
    expected = np.zeros(len(record), dtype=bool)
    for start, _, size in common_runs(record, text, kernel.CHAIN_TOKENS):
        # A run is looked for from its first five tokens that aren't mere repetition.
        grams = (record[k : k + kernel.RUN_TOKENS] for k in range(start, start + size - kernel.RUN_TOKENS + 1))
        if all(len(set(gram)) == kernel.RUN_TOKENS for gram in grams):
            expected[start : start + size] = True
    assert (marks | ~expected).all()
    inside = np.zeros(len(record), dtype=bool)
    for start, end, reference_start, reference_end in spans:
        assert 0 <= start < end <= len(record)
        assert 0 <= reference_start < reference_end <= len(text)
        assert record[start] == text[reference_start]
        assert record[end - 1] == text[reference_end - 1]
        inside[start:end] = True
    assert (inside | ~marks).all()
    assert all(record[k] in set(text) for k in np.flatnonzero(marks))


@settings(max_examples=100, deadline=None)
@given(st.integers(60, 400), st.integers(0, 30), st.integers(0, 1 << 32))
def test_edits_are_aligned_as_well_as_difflib_does(size, edits, seed):
    source = np.random.default_rng(seed)
    text = list(range(size))
    record = list(text)
    for _ in range(edits * size // 400):
        at = int(source.integers(0, len(record)))
        kind = source.integers(0, 3)
        if kind == 0:
            record[at] = 10_000 + at
        elif kind == 1:
            record.insert(at, 20_000 + at)
        else:
            del record[at]
    _, matched, *_ = compare(record, text)
    blocks = SequenceMatcher(None, record, text, autojunk=False).get_matching_blocks()
    best = sum(block.size for block in blocks)
    runs = [block.size for block in blocks if block.size]
    assert matched <= best
    # Only short pieces next to an end or between two edits may be missed.
    assert matched >= best - sum(run for run in runs if run < kernel.LONGEST_TOKENS) - kernel.CHAIN_TOKENS


def test_repetition_is_bounded_and_no_evidence():
    marks, *_ = compare([1] * 20_000, [1] * 20_000)
    assert not marks.any()
    marks, *_ = compare([1, 2, 3, 4, 5] * 4000, [1, 2, 3, 4, 5] * 4000)
    assert marks.all()


def test_a_passage_repeated_often_is_covered_everywhere():
    passage = list(range(100, 140))
    record = [token for k in range(300) for token in [*passage, 10_000 + k]]
    marks, matched, reference_matched, _ = compare(record, passage)
    assert matched == 300 * 40
    assert reference_matched == 40
    assert not marks[40::41].any()


def test_common_tokens_are_counted_apart():
    text = np.arange(100, dtype=np.uint32)
    common = np.zeros(100, dtype=np.uint8)
    common[:60] = 1
    found = overlaps(Tokens(np.array([0, 100]), text), text, np.array([0, 100]), np.array([[0, 0]]), common)
    assert (found.matched[0], found.rare[0], found.distinct[0]) == (100, 40, 12)


def test_more_pairs_than_one_array_of_spans_holds():
    text = np.arange(40, dtype=np.uint32)
    apart = np.concatenate([np.concatenate([text, np.arange(1000 * k, 1000 * k + 40)]) for k in range(1, 200)])
    records = Tokens(np.array([0, len(apart)]), apart.astype(np.uint32))
    found = overlaps(records, text, np.array([0, 40]), np.zeros((40, 2), np.int64), np.zeros(len(apart), np.uint8))
    assert [len(spans) for spans in found.spans] == [199] * 40
