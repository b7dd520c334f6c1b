"""What the index promises of any two token sequences, whatever stands around what they share."""

from __future__ import annotations

import tempfile
from hashlib import blake2b
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provenance import fingerprint
from provenance.fingerprint.passages import PASSAGE_TOKENS, PASSAGE_WINDOW, winnow
from provenance.index import Index, ReferenceBatch, build_segment
from provenance.index.lookup import PASSAGE_LIMIT
from provenance.index.overlap import DISTINCT_TOKENS, kernel
from provenance.text.tokens import Tokens

GUARANTEED = PASSAGE_TOKENS + PASSAGE_WINDOW - 1
RUN = 50


def spread(tokens):
    """Turn small numbers into what token hashes look like."""
    return (np.asarray(tokens, dtype=np.uint64) * 0x9E3779B97F4A7C15 >> np.uint64(32)).astype(np.uint32)


@st.composite
def shared_runs(draw, least=RUN, distinct=DISTINCT_TOKENS):
    """A run of tokens: all different, natural, stuttering or periodic."""
    size = draw(st.integers(least, least + 60))
    source = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    kind = draw(st.sampled_from(["different", "natural", "stuttering", "periodic"]))
    if kind == "different":
        return list(range(1000, 1000 + size))
    if kind == "periodic":
        period = draw(st.integers(distinct, distinct + 10))
        return [1000 + k % period for k in range(size)]
    if kind == "stuttering":
        return np.repeat(np.arange(1000, 1000 + size), source.integers(1, 4, size)).tolist()[:size]
    run = (1000 + source.zipf(1.3, size) % 60).tolist()
    run[:distinct] = range(1000, 1000 + distinct)
    return source.permutation(run).tolist()


@st.composite
def surroundings(draw, run, other):
    """What stands on one side of a run: nothing, other words, or something made to mislead."""
    size = draw(st.integers(0, 120))
    source = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    kind = draw(st.sampled_from(["nothing", "fresh", "constant", "periodic", "pieces", "crumbs", "reversed", "halves"]))
    if kind == "fresh":
        return (other + source.permutation(size)).tolist()
    if kind == "constant":
        return [draw(st.sampled_from([run[0], run[-1], other]))] * size
    if kind == "periodic":
        period = draw(st.sampled_from([run[:3], run[-5:], [other, other + 1], run[:20]]))
        return (period * (size // len(period) + 1))[:size]
    if kind == "pieces":
        starts = source.integers(0, len(run) - 5, size // 8)
        return [token for at in starts for token in [*run[at : at + int(source.integers(1, 20))], other + int(at)]]
    if kind == "crumbs":
        # Every few tokens of the run, more often than a search that gives up early would look.
        width = draw(st.integers(5, 8))
        return [t for at in range(len(run) - width + 1) for _ in range(9) for t in [*run[at : at + width], other + at]]
    if kind == "reversed":
        return run[::-1]
    if kind == "halves":
        return [*run[len(run) // 2 :], other, *run[: len(run) // 2], other]
    return []


@st.composite
def pairs(draw, least=RUN, distinct=DISTINCT_TOKENS):
    """A run, a record and a text that hold it, and where the run starts in each."""
    run = draw(shared_runs(least, distinct))
    parts = [draw(surroundings(run, other)) for other in (10_000, 20_000, 30_000, 40_000)]
    record, text = [*parts[0], *run, *parts[1]], [*parts[2], *run, *parts[3]]
    return run, record, text, len(parts[0]), len(parts[2])


def identified(texts):
    """Fingerprints, content ids and checks of token sequences."""
    arrays = [spread(text) for text in texts]
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    checks = [blake2b(array.tobytes(), digest_size=16).digest() for array in arrays]
    tokens = Tokens(offsets, np.concatenate(arrays))
    return fingerprint.fingerprint(tokens), [check.hex() for check in checks], checks


def found(record, texts):
    """Match a record with texts; return which of its tokens are covered and the rows."""
    with tempfile.TemporaryDirectory() as folder:
        fingerprints, ids, checks = identified(texts)
        batch = ReferenceBatch(ids, "set", "synthetic", ids, checks, fingerprints)
        index = Index.open(Path(folder), [build_segment(Path(folder), batch).id])
        table = index.match(*identified([record]))
    covers = [np.frombuffer(cover, np.uint8) for cover in table["cover"].to_pylist()]
    covered = np.bitwise_or.reduce(covers) if covers else np.zeros((len(record) + 7) // 8, np.uint8)
    return np.unpackbits(covered)[: len(record)].astype(bool), table.to_pylist()


def alignable(left, right):
    """Length of the longest common subsequence, and of the longest common run."""
    right = np.asarray(right)
    best = np.zeros(len(right) + 1, dtype=int)
    run = np.zeros(len(right) + 1, dtype=int)
    longest = 0
    for token in left:
        same = right == token
        best[1:] = np.maximum.accumulate(np.maximum(best[1:], np.where(same, best[:-1] + 1, 0)))
        run[1:] = np.where(same, run[:-1] + 1, 0)
        longest = max(longest, int(run.max()))
    return int(best[-1]), longest


@settings(max_examples=150, deadline=None)
@given(pairs())
@example((list(range(50)), list(range(50)), [7] * 400 + list(range(50)), 0, 400))
@example((list(range(50)), [*range(900, 990), *range(50)], [*range(50), *range(600, 700)], 90, 0))
def test_a_shared_run_of_50_tokens_is_covered_whatever_surrounds_it(pair):
    run, record, text, at, _ = pair
    covered, _ = found(record, [text])
    assert covered[at : at + len(run)].all()


@settings(max_examples=25, deadline=None)
@given(pairs(), st.integers(1, PASSAGE_LIMIT - 1), st.integers(0, 1 << 32))
def test_so_it_is_when_as_many_texts_as_may_have_it(pair, others, seed):
    run, record, text, at, _ = pair
    source = np.random.default_rng(seed)
    texts = [text]
    for k in range(others):
        around = (100_000 + 1000 * k + source.permutation(int(source.integers(0, 60)))).tolist()
        texts.append([*around, *run] if k % 2 else [*run, *around])
    covered, rows = found(record, [list(t) for t in dict.fromkeys(map(tuple, texts))])
    assert covered[at : at + len(run)].all()
    assert rows


@settings(max_examples=150, deadline=None)
@given(pairs(least=8))
def test_no_span_claims_what_is_not_there(pair):
    _, record, text, *_ = pair
    covered, rows = found(record, [text])
    inside = np.zeros(len(record), dtype=bool)
    for row in rows:
        if row["tier"] == "exact":
            assert record == text
            return
        marks = np.unpackbits(np.frombuffer(row["cover"], np.uint8))[: len(record)].astype(bool)
        assert row["matched_words"] == marks.sum()
        for span in row["spans"]:
            left, right = record[span["start"] : span["end"]], text[span["reference_start"] : span["reference_end"]]
            assert left[0] == right[0]
            assert left[-1] == right[-1]
            common, longest = alignable(left, right)
            assert longest >= kernel.LONGEST_TOKENS
            assert common >= kernel.CHAIN_TOKENS
            inside[span["start"] : span["end"]] = True
            # Between covered tokens of a span there are never more than a gap's.
            places = np.flatnonzero(marks[span["start"] : span["end"]])
            assert places[0] == 0
            assert places[-1] == len(left) - 1
            assert np.diff(places).max(initial=0) <= kernel.CHAIN_GAP + 1
        for start, end in zip(*edges(marks), strict=True):
            # A covered stretch of 50 tokens is really in the text, but for what other spans cover.
            if len(row["spans"]) == 1 and end - start >= RUN:
                assert alignable(record[start:end], text)[0] == end - start
    if all(len(row["spans"]) < kernel.MAX_SPANS for row in rows):
        assert (inside | ~covered).all()


def edges(marks):
    steps = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    return steps[::2], steps[1::2]


@settings(max_examples=250, deadline=None)
@given(pairs(least=GUARANTEED, distinct=2))
def test_a_shared_run_of_20_tokens_shares_a_passage(pair):
    run, record, text, at, there = pair
    selected = []
    for tokens, start in ((record, at), (text, there)):
        hashes = spread(tokens)
        _, keys, positions = winnow(Tokens(np.array([0, len(hashes)]), hashes))
        inside = (positions >= start) & (positions + PASSAGE_TOKENS <= start + len(run))
        selected.append(set(keys[inside].tolist()))
    assert selected[0] & selected[1]
