"""No text that holds a marker or a label is passed over for want of a fragment."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.evidence import prescreen
from provenance.evidence.catalogue import MARKERS
from provenance.evidence.declared import _RAW_PREFILTER

LIKE_LATIN = "\u017f\u212a"
"""Regular expressions without regard to case take these for s and k; a chat interface writes neither."""


def column(text: str) -> pa.LargeStringArray:
    return pa.array([text], pa.large_string())


@pytest.mark.parametrize("number", range(len(MARKERS)), ids=[marker.name for marker in MARKERS])
def test_every_way_to_write_a_marker_has_its_fragment(number):
    @given(st.from_regex(re.compile(MARKERS[number].prefilter), fullmatch=True))
    @settings(max_examples=60, deadline=None)
    def check(text):
        if not any(letter in text for letter in LIKE_LATIN):
            assert int(prescreen.in_texts(column(text))[0]) >> number & 1

    check()


@given(st.from_regex(re.compile(_RAW_PREFILTER), fullmatch=True))
@settings(deadline=None)
def test_every_way_to_write_a_label_has_its_fragment(text):
    assert prescreen.of_labels().in_texts(column(text))[0]


def test_openings_count_at_the_head_alone():
    opening = "Sure, here is a list"
    assert prescreen.in_texts(column(opening))[0]
    assert not prescreen.in_texts(column("x" * 2_000 + opening))[0]
