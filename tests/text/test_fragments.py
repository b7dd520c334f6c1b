"""Fragments are found in every text that holds one, and in no other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.text.fragments import ANYWHERE, fragments

WANTED = {"needle": 0, "[a]": 1, "die nadel": 2, "針の先": 3, "ha": 4}
PIECES = {text: bit for text, bit in WANTED.items() if 3 <= len(text.encode()) <= 9}
SEARCH = fragments((text.encode()[:8], bit, ANYWHERE) for text, bit in PIECES.items())
TEXTS = st.lists(
    st.one_of(st.text(max_size=9), st.sampled_from([*PIECES, "Needle", "NEEDLE", "need", "[A]", "{a}", "ne"])),
    max_size=6,
).map("".join)


def plain(text: str) -> int:
    small = text.encode().lower()
    return sum(1 << bit for piece, bit in PIECES.items() if piece.encode()[:8] in small)


@given(st.lists(TEXTS, max_size=5))
@settings(deadline=None)  # the first call compiles
def test_found_is_what_is_there(texts):
    found = SEARCH.in_texts(pa.array(["", *texts], pa.large_string()).slice(1))
    for text, bits in zip(texts, found.tolist(), strict=True):
        # Letters and marks that differ in one bit are taken for the same: "[" and "{" are.
        assert bits & plain(text) == plain(text)
        if text.isalnum():
            assert bits == plain(text)


def test_a_limit_is_where_a_fragment_may_begin():
    search = fragments([("needle", 5, 3)])
    texts = pa.array(["   needle", "    needle", "needle", "needl", None], pa.large_string())
    assert search.in_texts(texts).tolist() == [32, 0, 32, 0, 0]


def test_a_fragment_does_not_reach_into_the_next_text():
    texts = pa.array(["nee", "dle", "needle"], pa.large_string())
    assert np.flatnonzero(fragments([("needle", 0, ANYWHERE)]).in_texts(texts)).tolist() == [2]
