from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.fingerprint import PASSAGE_TOKENS, PASSAGE_WINDOW, passage_hash
from provenance.fingerprint.kernel import winnow_rows
from provenance.fingerprint.minhash import gram_powers
from provenance.fingerprint.passages import winnow, winnow_reference
from provenance.text.tokens import Tokens

GUARANTEE = PASSAGE_TOKENS + PASSAGE_WINDOW - 1
tokens = st.one_of(
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=120),
    st.lists(st.integers(0, 2), max_size=120),
)


def batch(*texts: list[int]) -> Tokens:
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    return Tokens(offsets, np.array([token for text in texts for token in text], np.uint32))


def selected(*texts: list[int]) -> list[list[tuple[int, int]]]:
    offsets, hashes, positions = winnow(batch(*texts))
    return [list(zip(hashes[a:b].tolist(), positions[a:b].tolist(), strict=True)) for a, b in pairwise(offsets)]


@settings(max_examples=300, deadline=None)
@given(st.lists(tokens, min_size=1, max_size=10))
def test_kernel_gives_what_the_plain_form_gives(texts: list[list[int]]) -> None:
    assert selected(*texts) == [winnow_reference(text) for text in texts]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(0, 0xFFFFFFFF), min_size=50, max_size=90),
        st.lists(st.integers(0, 2), min_size=50, max_size=90),
    ),
    st.tuples(tokens, tokens, tokens, tokens),
)
def test_a_shared_run_of_50_tokens_shares_three_passages(
    run: list[int], around: tuple[list[int], list[int], list[int], list[int]]
) -> None:
    before, after, other_before, other_after = around
    left, right = selected(before + run + after, other_before + run + other_after)
    in_run = [(value, at - len(before)) for value, at in left if 0 <= at - len(before) <= len(run) - PASSAGE_TOKENS]
    in_other = {value for value, at in right if 0 <= at - len(other_before) <= len(run) - PASSAGE_TOKENS}
    assert sum(value in in_other for value, _ in in_run) >= 3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=GUARANTEE, max_size=GUARANTEE), tokens, tokens)
def test_the_shortest_run_that_is_sure_to_be_found(run: list[int], before: list[int], after: list[int]) -> None:
    left, right = selected(run, before + run + after)
    assert {value for value, _ in left} & {value for value, _ in right}


@settings(max_examples=200, deadline=None)
@given(tokens)
def test_positions_rise_by_one_byte_at_most(text: list[int]) -> None:
    positions = [position for _, position in selected(text)[0]]
    steps = np.diff([0, *positions])
    assert all(0 < step <= PASSAGE_WINDOW for step in steps[1:])
    assert PASSAGE_WINDOW < 256
    for value, position in selected(text)[0]:
        assert value == passage_hash(text[position : position + PASSAGE_TOKENS])


@pytest.mark.parametrize("length", range(1, GUARANTEE + 2))
def test_every_text_with_a_token_has_a_passage(length: int) -> None:
    text = list(range(length))
    assert selected([], text, [])[1] == winnow_reference(text) != []
    assert selected([], text, [])[::2] == [[], []]


def test_the_loop_means_the_same_in_python() -> None:
    hashes = np.arange(200, dtype=np.uint32) * np.uint32(2654435761)
    offsets = np.array([0, 3, 3, 30, 200], np.int64)
    values, positions = np.empty(200, np.uint32), np.empty(200, np.uint32)
    bounds = np.zeros(5, np.int64)
    with np.errstate(over="ignore"):
        total = getattr(winnow_rows, "py_func", winnow_rows)(
            hashes, offsets, gram_powers(PASSAGE_TOKENS), PASSAGE_WINDOW, values, positions, bounds
        )
    expected = winnow(Tokens(offsets, hashes))
    np.testing.assert_array_equal(bounds, expected[0])
    np.testing.assert_array_equal(values[:total], expected[1])
    np.testing.assert_array_equal(positions[:total], expected[2])


def test_one_token_in_eight_is_kept() -> None:
    text = np.random.default_rng(3).integers(0, 1 << 32, 100_000).tolist()
    assert len(selected(text)[0]) / len(text) == pytest.approx(2 / (PASSAGE_WINDOW + 1), rel=0.02)


def test_hash_is_pinned() -> None:
    """Stores and indexes hold these values: a change here is a new normaliser version."""
    assert [passage_hash([1, 2, 3, 4, 5, 6]), passage_hash([7])] == [149507053, 415870660]
