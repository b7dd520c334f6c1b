"""Spans estimated from passages, against the definition."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from provenance.fingerprint import PASSAGE_TOKENS
from provenance.index import Index
from provenance.index.packed import REACH, _spans
from provenance.index.snapshot import MATCH_TOKENS

places = st.lists(st.integers(0, 200), max_size=8, unique=True).map(sorted)


@given(st.dictionaries(st.integers(-60, 60), places, min_size=1, max_size=4))
def test_spans_join_what_lies_on_one_diagonal_within_reach(diagonals):
    pairs = [(own, own - diagonal) for diagonal in sorted(diagonals) for own in diagonals[diagonal]]
    expected = []
    for diagonal, own in diagonals.items():
        run = own[:1]
        for before, after in itertools.pairwise([*own, 10_000]):
            if after - before <= REACH:
                run.append(after)
                continue
            if len(run) >= 2:
                ends = [min(run[-1] + PASSAGE_TOKENS, 180), min(run[-1] - diagonal + PASSAGE_TOKENS, 190)]
                expected.append([run[0], ends[0], run[0] - diagonal, ends[1]])
            run = [after]
    if pairs:
        own, other = np.array(pairs, dtype=np.int64).T
        found = _spans(own, other, 180, 190, PASSAGE_TOKENS)
        assert found.tolist() == sorted(expected, key=lambda span: (span[0], span[2]))
        assert found.dtype == np.int32


def test_an_estimate_names_what_it_claims(tmp_path, corpus, register, words):
    reference, other = words(200), words(200)
    index = Index.open(tmp_path, [register([reference, other]).id])
    record = np.concatenate([words(70), reference[30:150], words(50)])
    row, *more = index.match_packed(corpus([record, words(300)]).packed()).to_pylist()
    assert more == []
    (span,) = row["spans"]
    assert (row["row"], row["reference_id"], row["tier"], row["verified"]) == (0, "set-0000", "passage", False)
    assert span["start"] - span["reference_start"] == span["end"] - span["reference_end"] == 40
    assert 70 <= span["start"] <= 85
    assert 175 <= span["end"] <= 190
    size = span["end"] - span["start"]
    assert row["matched_words"] == size
    assert row["share"] == size / 240
    assert row["reference_share"] == size / 200
    marks = np.unpackbits(np.frombuffer(row["cover"], np.uint8))
    assert np.flatnonzero(marks).tolist() == list(range(span["start"], span["end"]))


def test_too_little_is_not_reported_and_a_copy_is_certain(tmp_path, corpus, register, words):
    texts = [words(200), words(MATCH_TOKENS - 1), words(90)]
    index = Index.open(tmp_path, [register(texts).id])
    near = np.concatenate([texts[2], words(1)])
    few = np.concatenate([words(100), texts[0][:22], words(100)])
    rows = index.match_packed(corpus([few, texts[0], texts[1], texts[1][:-1], near, words(0)]).packed()).to_pylist()
    assert [(row["row"], row["tier"], row["verified"]) for row in rows] == [
        (1, "exact", True),
        (2, "exact", True),
        (4, "near", False),
    ]
    assert [row["share"] for row in rows[:2]] == [1.0, 1.0]


def test_what_is_worth_matching_is_all_that_could_match(tmp_path, corpus, register, words):
    text = words(100)
    index = Index.open(tmp_path, [register([text, words(3)]).id])
    records = [words(100), text, words(0), np.concatenate([words(60), text[20:60]]), words(50)]
    assert index.worth_matching(corpus(records).packed()).tolist() == [1, 3]
    assert index.worth_matching(corpus([words(40)]).packed()).tolist() == []
    assert index.worth_matching(corpus([]).packed()).tolist() == []
    assert Index.open(tmp_path, []).worth_matching(corpus(records).packed()).tolist() == []


def test_where_nothing_is_compared_nothing_is_common(tmp_path, corpus, register, words):
    records, references = [words(60)], register([words(60)]).id
    for names, texts in (([], records), ([references], [])):
        found = Index.open(tmp_path, names).match_packed(corpus(texts).packed())
        assert found.num_rows == 0
        assert found.schema.metadata == {b"common_passages": b"0"}
