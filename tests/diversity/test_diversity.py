"""Measures of variety equal their definitions, and tell varied texts from collapsed ones."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.diversity import Texts, compare, measure
from provenance.diversity.measures import tail_coverage, vocabulary_kept

words_of = st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=40), min_size=2, max_size=8)


def texts_of(lists):
    content = [(" ".join(map(str, words)) + "\n").encode() for words in lists]
    return Texts(
        np.cumsum([0, *map(len, lists)]).astype(np.int64),
        np.array([word for words in lists for word in words], np.uint32),
        b"".join(content),
        np.cumsum([0, *map(len, content)]).astype(np.int64),
    )


def grams(words, n):
    return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]


@given(words_of)
@settings(max_examples=60, deadline=None)
def test_measures_equal_their_definitions(lists):
    found = measure(texts_of(lists))
    for n in (1, 2, 3, 4):
        every = [gram for words in lists for gram in grams(words, n)]
        if every:
            assert found[f"distinct_{n}"] == pytest.approx(len(set(every)) / len(every))
        else:
            assert math.isnan(found[f"distinct_{n}"])
    counts = Counter(word for words in lists for word in words)
    total = counts.total()
    assert found["entropy_1"] == pytest.approx(-sum(c / total * math.log2(c / total) for c in counts.values()))
    assert found["self_bleu"] == pytest.approx(np.mean([bleu(lists, k) for k in range(len(lists))]))


def bleu(lists, k):
    """BLEU-4 of one text with all others as references, as Papineni et al. 2002 define it."""
    own, others = lists[k], lists[:k] + lists[k + 1 :]
    logs = 0.0
    for n in (1, 2, 3, 4):
        most = Counter()
        for other in others:
            most |= Counter(grams(other, n))
        matched = sum(min(times, most[gram]) for gram, times in Counter(grams(own, n)).items())
        logs += math.log((matched or 0.1) / max(len(grams(own, n)), 1)) / 4
    closest = min((abs(len(other) - len(own)), len(other)) for other in others)[1]
    return math.exp(min(0.0, 1 - closest / len(own)) + logs)


def one_way(words):
    factors, seen, tokens = 0.0, set(), 0
    for word in words:
        seen.add(word)
        tokens += 1
        if len(seen) / tokens < 0.72:
            factors, seen, tokens = factors + 1, set(), 0
    return factors + ((1 - len(seen) / tokens) / 0.28 if tokens else 0)


@given(st.lists(st.integers(0, 200), min_size=100, max_size=400))
@settings(max_examples=40, deadline=None)
def test_mtld_equals_its_definition(words):
    both = [len(words) / max(one_way(way), 1e-9) for way in (words, words[::-1])]
    assert measure(texts_of([words]))["mtld"] == pytest.approx(min(sum(both) / 2, len(words)))


def test_a_part_holds_so_many_tokens_and_as_many_bytes():
    whole = texts_of([[1] * 10, [2] * 10, [3] * 10])
    part = whole.take(np.array([2, 0, 1]), 15)
    assert part.hashes.tolist() == [3] * 10 + [1] * 5
    assert part.content == b"3 3 3 3 3 3 3 3 3 3\n1 1 1 1 1 "
    assert len(whole.take(np.array([0, 1, 2]), 30).hashes) == 30


def zipf(seed, texts, most):
    chance = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(most)]
    return [chance.choices(range(most), weights, k=200) for _ in range(texts)]


def test_what_has_lost_its_tail_is_told_from_what_has_not():
    human, alike = texts_of(zipf(1, 400, 20_000)), texts_of(zipf(2, 400, 20_000))
    collapsed = texts_of(zipf(3, 400, 500))
    same, lost = compare(alike, human, rounds=6), compare(collapsed, human, rounds=6)
    assert same.against["tail_coverage"].low < 1 < same.against["tail_coverage"].high + 0.05
    assert abs(same.against["vocabulary_lost"].mean) < 0.02
    assert lost.against["tail_coverage"].high < 0.3
    assert lost.against["vocabulary_lost"].low > 0.5
    for name, lower in (("distinct_1", True), ("entropy_1", True), ("mtld", True), ("self_bleu", False)):
        assert (lost.figures[name].high < lost.baseline[name].low) is lower
    assert lost.figures["self_bleu"].low > lost.baseline["self_bleu"].high
    assert lost == compare(collapsed, human, rounds=6)


def test_too_little_text_gives_no_figure():
    found = compare(texts_of([[1, 2, 3]]))
    assert (found.tokens, dict(found.figures)) == (0, {})


def test_equal_size_takes_the_longer_text_out_of_it():
    short, long = texts_of(zipf(4, 60, 5_000)), texts_of(zipf(5, 600, 5_000))
    found = compare(short, long, rounds=6)
    assert found.tokens == 6_000
    assert found.figures["distinct_1"].mean == pytest.approx(found.baseline["distinct_1"].mean, rel=0.05)


def test_coverage_counts_types():
    baseline = texts_of([[1] * 90 + [2, 3, 4, 5, 6, 7, 8, 9, 10, 11]])
    some = texts_of([[1, 2, 3, 4, 5, 6]])
    assert tail_coverage(some, baseline) == pytest.approx(0.5)
    assert vocabulary_kept(some, baseline) == pytest.approx(6 / 11)
