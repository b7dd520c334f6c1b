"""Late matches: nothing that can count is overlooked, and only what reads as it was scanned is verified."""

from __future__ import annotations

import importlib
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import provenance as pv
from provenance import fingerprint, pipeline
from provenance.index import Index, ReferenceBatch, build_segment
from provenance.pipeline import catalogue
from provenance.pipeline.suspects import KeyFilter, suspects
from provenance.text.tokens import Tokens

rematching = importlib.import_module("provenance.pipeline.rematch")
referencing = importlib.import_module("provenance.pipeline.references")


def fingerprints(rows):
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return fingerprint.fingerprint(Tokens(offsets, np.concatenate([*rows, []]).astype(np.uint32)))


def names(rows, kind):
    checks = [bytes([kind]) + crc32(row.tobytes()).to_bytes(4) * 3 + b"abc" for row in rows]
    return [f"{kind}{number:031}" for number in range(len(rows))], checks


def index_of(folder, rows):
    ids, checks = names(rows, 1)
    segment = build_segment(folder, ReferenceBatch(ids, "set", "synthetic", ids, checks, fingerprints(rows)))
    return Index.open(folder, [segment.id])


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_shared_run_of_25_tokens_makes_a_suspect(tmp_path_factory, data):
    draw = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    vocabulary = data.draw(st.sampled_from([60, 3000]))
    references = [draw.integers(1, vocabulary, size).astype(np.uint32) for size in draw.integers(25, 200, 6)]
    records, holding = [], []
    for number in range(40):
        around = [draw.integers(1, vocabulary, size).astype(np.uint32) for size in draw.integers(0, 80, 2)]
        shared = np.empty(0, np.uint32)
        if number % 2:
            source = references[draw.integers(len(references))]
            length = int(draw.integers(25, len(source) + 1))
            start = int(draw.integers(0, len(source) - length + 1))
            shared = source[start : start + length]
            holding.append(number)
        records.append(np.concatenate([around[0], shared, around[1]]).astype(np.uint32))
    index = index_of(tmp_path_factory.mktemp("index"), references)
    packed = fingerprint.pack(fingerprints(records), *names(records, 2))
    stored = fingerprint.unpack(packed)
    rows, reach = suspects(stored, index)
    assert set(holding) <= set(rows.tolist())
    assert (reach >= 25).all()
    assert set(rows.tolist()) <= set(index.worth_matching(stored).tolist())
    assert set(index.worth_matching(stored).tolist()) <= set(KeyFilter.of(index).rows(packed).tolist())
    assert set(KeyFilter.of(index).rows(packed.slice(7, 11)).tolist()) >= {
        row - 7 for row in index.worth_matching(stored).tolist() if 7 <= row < 18
    }


def test_a_short_shared_phrase_makes_no_suspect(tmp_path):
    draw = np.random.default_rng(1)
    reference = draw.integers(1, 1 << 31, 300).astype(np.uint32)
    records = []
    for start in range(0, 280, 2):
        around = draw.integers(1 << 31, 1 << 32, (2, 60)).astype(np.uint32)
        records.append(np.concatenate([around[0], reference[start : start + 10], around[1]]))
    index = index_of(tmp_path, [reference])
    stored = fingerprint.unpack(fingerprint.pack(fingerprints(records), *names(records, 2)))
    assert len(index.worth_matching(stored)) > 20
    assert len(suspects(stored, index)[0]) < 0.4 * len(index.worth_matching(stored))


def test_unrelated_fingerprints_stop_at_the_filter(tmp_path):
    draw = np.random.default_rng(2)
    rows = [draw.integers(1, 1 << 32, 120).astype(np.uint32) for _ in range(2000)]
    index = index_of(tmp_path, rows[:1000])
    packed = fingerprint.pack(fingerprints(rows[1000:]), *names(rows[1000:], 2))
    assert len(KeyFilter.of(index).rows(packed)) < 60


def matches(store):
    query = "select record_id, verified, matched_words from matches order by all"
    return pv.Store(store).sql(query).fetchall()


@pytest.fixture
def scanned(tmp_path, jsonl, text):
    """A scan of one source, and a set of which three of its records hold something."""
    rows = [{"text": text(1, 200)}, {"text": f"{text(2, 150)} {text(60, 60)}"}, {"text": text(61)}]
    rows.append({"text": f"{text(62, 40)} {text(3, 100)}"})
    path = jsonl(tmp_path / "web.jsonl", rows)
    known = jsonl(tmp_path / "known.jsonl", [{"text": text(seed, 200)} for seed in (1, 2, 3)])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1)
    return path, known, store, rows


def register(scanned, **options):
    _, known, store, _ = scanned
    return pv.register(known, label="synthetic", model="m", store=store, **options).rematch


def test_without_verifying_only_whole_copies_are_certain(scanned):
    _, _, store, _ = scanned
    result = register(scanned, verify=False)
    assert (result.verified, result.unverified) == (1, 2)
    tags = dict(pv.Store(store).sql("select position, tag from records").fetchall())
    assert tags[0] == tags[1] == tags[3] == "synthetic"
    unverified = [words for _, verified, words in matches(store) if not verified]
    result = pv.rematch(store=store)
    assert (result.verified, result.unverified, result.unreadable) == (2, 0, ())
    exact = [words for _, verified, words in matches(store) if verified]
    # Passages tell the length of what is shared up to a window of 20 words at either end.
    assert sorted(exact) == [100, 150, 200]
    assert all(long - 40 <= short <= long for short, long in zip(sorted(unverified), (100, 150), strict=True))


@pytest.mark.parametrize(("policy", "tag"), [("strict", "synthetic"), ("default", "unknown"), ("lenient", "unknown")])
def test_unverified_findings_count_from_a_threshold_of_their_own(tmp_path, jsonl, text, policy, tag):
    """Two fifths of a record: enough under `strict` (0.3), not under `default` (0.5), where verified it would be."""
    path = jsonl(tmp_path / "web.jsonl", [{"text": f"{text(1, 130)} {text(2, 160)}"}])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1, policy=policy)
    known = jsonl(tmp_path / "known.jsonl", [{"text": text(1, 200)}])
    assert pv.register(known, label="synthetic", model="m", store=store, verify=False).rematch.unverified == 1
    ((found, share, unverified),) = (
        pv.Store(store).sql("select tag, match_share, unverified_share from records").fetchall()
    )
    assert (found, share) == (tag, 0)
    assert 0.3 <= unverified < 0.5
    pv.rematch(store=store)
    assert pv.Store(store).sql("select tag from records").fetchall() == [
        ("unknown" if policy == "lenient" else "synthetic",)
    ]


def test_a_changed_source_verifies_only_records_that_read_as_they_were_scanned(scanned, jsonl, text):
    path, _, store, rows = scanned
    jsonl(path, [rows[0], {"text": f"{rows[1]['text']} and a later word"}, {"text": text(99)}, rows[3]])
    result = register(scanned)
    assert (result.verified, result.unverified, result.unreadable) == (2, 1, ("web.jsonl",))
    ((position,),) = (
        pv.Store(store).sql("select position from records join matches using (record_id) where not verified").fetchall()
    )
    assert position == 1
    jsonl(path, rows)
    assert pv.rematch(store=store).verified == 1


def test_a_source_that_is_gone_leaves_all_unverified(scanned):
    path, *_ = scanned
    path.unlink()
    result = register(scanned)
    assert (result.verified, result.unverified, result.unreadable) == (1, 2, ("web.jsonl",))


def test_records_beyond_the_limit_stay_unverified_until_a_rematch(scanned, monkeypatch):
    _, _, store, _ = scanned
    monkeypatch.setattr(rematching, "REREAD_AT_MOST", 1)
    result = register(scanned)
    # The copy is certain by its check; of the others, the one that can share most is read.
    assert (result.verified, result.unverified, result.unread) == (2, 1, 2)
    assert result.unreadable == ()
    assert pv.rematch(store=store).unread == 0
    assert [verified for _, verified, _ in matches(store)].count(True) == 3


def test_several_processes_find_the_same(scanned, tmp_path):
    _, known, store, _ = scanned
    register(scanned, jobs=1)
    other = tmp_path / "other"
    pv.scan(tmp_path / "web.jsonl", store=other, jobs=1)
    pv.register(known, label="synthetic", model="m", store=other, jobs=2)
    assert matches(other) == matches(store)


def test_a_set_in_several_segments_says_the_same(scanned, tmp_path, monkeypatch, contents):
    _, known, store, _ = scanned
    register(scanned)
    other = tmp_path / "other"
    pv.scan(tmp_path / "web.jsonl", store=other, jobs=1)
    monkeypatch.setattr(referencing, "SEGMENT_REFERENCES", 1)
    small = pipeline.register(known, label="synthetic", model="m", store=other)
    opened = pv.Store(other)
    counts = opened.sql("select count(*), sum(reference_count) from segments").fetchall()
    # A batch of a source is read as a whole, so a segment may hold more than the limit by one batch.
    assert counts == [(1, 3)]
    assert small.references == 3
    assert contents(other) == contents(store)


def test_segments_are_closed_when_they_are_full(tmp_path, jsonl, text, monkeypatch, contents):
    folder = tmp_path / "known"
    for seed in range(5):
        jsonl(folder / f"{seed}.jsonl", [{"text": text(seed, 200)}, {"text": text(0, 200)}])
    path = jsonl(tmp_path / "web.jsonl", [{"text": f"{text(seed, 100)} {text(70 + seed, 30)}"} for seed in range(5)])
    stores = [tmp_path / "one", tmp_path / "many"]
    for store, tokens in zip(stores, (1 << 25, 300), strict=True):
        monkeypatch.setattr(referencing, "SEGMENT_TOKENS", tokens)
        pv.scan(path, store=store, jobs=1)
        result = pipeline.register(folder, label="synthetic", model="m", store=store)
        assert (result.references, result.rematch.verified) == (10, len(matches(store)))
    assert [len(catalogue.live_segments(pv.Store(store))[0]) for store in stores] == [1, 5]
    assert contents(stores[0]) == contents(stores[1])
    words = "select words, reference_count from reference_sets"
    assert [pv.Store(store).sql(words).fetchall() for store in stores] == [[(2000, 10)]] * 2
    assert pipeline.verify(store=stores[1]).sound


def test_damaged_fingerprints_are_named(scanned):
    _, _, store, _ = scanned
    ((part,),) = pv.Store(store).sql("select path from parts where kind = 'fingerprints'").fetchall()
    content = bytearray((store / part).read_bytes())
    content[4:400] = b"\xff" * 396  # the footer stays, so that the commits before can still name the part
    (store / part).write_bytes(content)
    with pytest.raises(pv.errors.StoreError, match="provenance verify"):
        register(scanned)


def test_empty_input_is_no_suspect(tmp_path):
    index = index_of(tmp_path, [np.arange(1, 60, dtype=np.uint32)])
    empty = fingerprint.pack(fingerprints([]), [], [])
    assert suspects(fingerprint.unpack(empty), index)[0].tolist() == []
    assert KeyFilter.of(index).rows(pa.RecordBatch.from_arrays(empty.columns, schema=empty.schema)).tolist() == []
