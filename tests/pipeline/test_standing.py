"""What is said of matches that stand, and calls that are refused in words."""

from __future__ import annotations

import pytest

import provenance as pv
from provenance import fingerprint, pipeline
from provenance.errors import UsageError


def test_a_verified_finding_takes_the_place_of_an_unverified_one(store, observations, match, fill):
    twice = [match("s1", "r1", "set", (0, 20), verified=False), match("s1", "r1", "set", (0, 30), share=0.3)]
    only = [match("s1", "r2", "set", (0, 40), verified=False), match("s1", "r2", "gone", (0, 10))]
    fill(store, observations("s1", "r1", "r2"), [*twice, *only])
    with store.commit("sets") as commit:
        commit.insert("reference_sets", [{"set_id": "set", "name": "set", "label": "human"}])
        gone = {"set_id": "gone", "name": "gone", "label": "human", "withdrawn_at": commit.recorded_at}
        commit.insert("reference_sets", [gone])
    assert store.sql("select count(*) from matches").fetchall() == [(4,)]
    current = store.sql("select record_id, verified, share from current_matches order by record_id").fetchall()
    assert current == [("r1", True, 0.3), ("r2", False, 0.4)]
    assert pipeline.standing_matches("set", store=store.root) == (1, 1)


@pytest.mark.parametrize("count", [0, 65_537, 10**9])
def test_a_signature_has_a_bounded_number_of_values(count):
    with pytest.raises(UsageError, match="permutation"):
        fingerprint.signatures(["a text"], num_perm=count)


@pytest.mark.parametrize(
    "call",
    [{"texts": [1, 2]}, {"texts": [object()]}, {"texts": ["\ud800"]}, {"texts": ["a"], "url": [3]}, {"texts": 7}],
)
def test_what_is_no_text_is_refused_in_words(call):
    with pytest.raises(UsageError, match="wanted"):
        pv.Detector().tag(**call)
