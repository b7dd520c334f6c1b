"""Lookups against a plain search through all texts, the limits drawn so low that they matter."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from provenance import fingerprint
from provenance.fingerprint import PASSAGE_TOKENS
from provenance.index import Index, build, lookup

LIMIT = 4


@pytest.fixture
def low_limits(monkeypatch):
    """Let a key be common when five texts have it."""
    monkeypatch.setattr(build, "PASSAGE_LIMIT", LIMIT)
    monkeypatch.setattr(lookup, "PASSAGE_LIMIT", LIMIT)
    monkeypatch.setattr(lookup, "BAND_LIMIT", LIMIT)


@pytest.fixture(params=[1, 2, 3])
def world(request, tmp_path, corpus, register):
    """Texts cut from a few others so that they share much, in two segments of two sets, and records like them."""
    source = np.random.default_rng(request.param)
    pool = [source.integers(0, 1 << 32, 90, dtype=np.uint32) for _ in range(6)]

    def made():
        pieces = []
        for _ in range(int(source.integers(1, 4))):
            piece = pool[int(source.integers(0, len(pool)))]
            start, size = int(source.integers(0, 60)), int(source.integers(5, 60))
            pieces += [piece[start : start + size], source.integers(0, 1 << 32, int(source.integers(0, 9)), np.uint32)]
        return np.concatenate(pieces).astype(np.uint32)

    texts = [made() for _ in range(24)] + [pool[0], pool[0][:4], np.empty(0, np.uint32)]
    texts += [np.concatenate([[k], pool[1]]).astype(np.uint32) for k in range(LIMIT + 2)]
    records = [made() for _ in range(8)] + [texts[0], pool[0], pool[1], np.empty(0, np.uint32), pool[2][:7]]
    names = [register(texts[:14], "one").id, register(texts[12:], "two").id]
    return Index.open(tmp_path, names).shelves, corpus(records), [corpus(texts[:14]), corpus(texts[12:])]


def listed(hits, shelves):
    """What was found, as pairs of a query and a text's check."""
    checks = [shelf.segment["checks"].reshape(-1, 16) for shelf in shelves]
    found = [
        (query, checks[shelf][text].tobytes())
        for query, shelf, text in zip(hits.queries.tolist(), hits.shelves.tolist(), hits.texts.tolist(), strict=True)
    ]
    words = hits.check_words.astype(np.uint64).tolist()
    assert words == [int.from_bytes(check[:8]) for _, check in found]
    return found


def holders(corpora, keys_of):
    """For each key the checks of the texts that have it."""
    found = defaultdict(set)
    for one in corpora:
        for text, check in enumerate(one.content_checks):
            for key in keys_of(one.fingerprints, text):
                found[key].add(check)
    return found


def passages_of(fp, text):
    return fp.passage_hashes[fp.passage_offsets[text] : fp.passage_offsets[text + 1]].tolist()


@pytest.mark.usefixtures("low_limits")
def test_texts_with_a_band_key_are_found_those_with_the_smallest_checks_first(world):
    shelves, records, corpora = world
    expected = []
    for band in range(fingerprint.BANDS):

        def keys(fp, text, band=band):
            has_tokens = fp.tokens.offsets[text] < fp.tokens.offsets[text + 1]
            return [int(fingerprint.band_keys(fp.signatures)[text, band])] if has_tokens else []

        of_key = holders(corpora, keys)
        for record, key in enumerate(fingerprint.band_keys(records.fingerprints.signatures)[:, band].tolist()):
            query = band * len(records.content_checks) + record
            expected += [(query, check) for check in sorted(of_key[key])[:LIMIT]]
    assert len(expected) > 50
    found = listed(lookup.band_hits(shelves, build.mixed_bands(records.fingerprints.signatures)), shelves)
    assert found == expected
    bands = fingerprint.band_keys(records.fingerprints.signatures)
    assert (lookup.stored_band_queries(bands) == build.mixed_bands(records.fingerprints.signatures)).all()


@pytest.mark.usefixtures("low_limits")
def test_texts_with_a_passage_are_found_unless_too_many_have_it(world):
    shelves, records, corpora = world
    hashes = records.fingerprints.passage_hashes
    of_key = holders(corpora, passages_of)
    too_many = [len(of_key[key]) > LIMIT for key in hashes.tolist()]
    assert any(too_many)
    hits, capped = lookup.passage_hits(shelves, hashes)
    assert capped.tolist() == too_many
    assert listed(hits, shelves) == [
        (query, check)
        for query, key in enumerate(hashes.tolist())
        if not too_many[query]
        for check in sorted(of_key[key])
    ]
    everywhere, _ = lookup.passage_hits(shelves, hashes, distinct=False)
    assert set(listed(hits, shelves)) <= set(listed(everywhere, shelves))
    for shelf, posting, text in zip(everywhere.shelves, everywhere.postings, everywhere.texts, strict=True):
        segment = shelves[shelf].segment
        start = segment["token_offsets"][text] + int(lookup.places(segment, np.array([posting]))[0])
        passage = segment["tokens"][start : start + PASSAGE_TOKENS].tolist()
        assert build.mixed(np.array([fingerprint.passage_hash(passage)], np.uint32)) == segment["passage_keys"][posting]


@pytest.mark.usefixtures("low_limits")
def test_seeds_are_passages_whose_surroundings_agree(world):
    shelves, records, corpora = world
    fp = records.fingerprints
    rows = np.repeat(np.arange(len(records.content_checks)), np.diff(fp.passage_offsets))
    hits, capped = lookup.seed_hits(shelves, fp, rows)
    of_key = holders(corpora, passages_of)
    assert capped.tolist() == [len(of_key[key]) > LIMIT for key in fp.passage_hashes.tolist()]
    must, may = set(), set()
    for query, key in enumerate(fp.passage_hashes.tolist()):
        record = fp.tokens.hashes[fp.tokens.offsets[rows[query]] : fp.tokens.offsets[rows[query] + 1]].tolist()
        here = int(fp.passage_positions[query])
        for one in corpora if not capped[query] else []:
            ours = one.fingerprints
            for text, check in enumerate(one.content_checks):
                tokens = ours.tokens.hashes[ours.tokens.offsets[text] : ours.tokens.offsets[text + 1]].tolist()
                places = slice(ours.passage_offsets[text], ours.passage_offsets[text + 1])
                pairs = zip(ours.passage_hashes[places].tolist(), ours.passage_positions[places].tolist(), strict=True)
                for there in (place for other, place in pairs if other == key):

                    def same(step, record=record, tokens=tokens, here=here, there=there):
                        inside = 0 <= here + step < len(record) and 0 <= there + step < len(tokens)
                        return inside and record[here + step] == tokens[there + step]

                    around = range(-lookup.SEED_REACH, PASSAGE_TOKENS + lookup.SEED_REACH)
                    if sum(map(same, around)) >= lookup.SEED_TOKENS:
                        may.add((query, check))
                        if same(-1) or same(PASSAGE_TOKENS):
                            must.add((query, check))
    found = listed(hits, shelves)
    assert len(must) > 20
    assert must <= set(found) <= may
    assert len(found) == len(set(found))


def test_the_same_text_is_found_in_every_segment_that_has_it(world):
    shelves, records, corpora = world
    by_size = {len(one.content_ids): one for one in corpora}
    for only_live in (True, False):
        hits = lookup.exact_hits(shelves, build.check_array(records.content_checks), only_live)
        found = sorted(zip(listed(hits, shelves), hits.shelves.tolist(), strict=True))
        assert found == sorted(
            ((record, check), shelf)
            for record, check in enumerate(records.content_checks)
            for shelf, one in enumerate(by_size[one.segment.texts] for one in shelves)
            if check in one.content_checks
        )


def test_withdrawn_texts_are_in_no_list_but_that_of_all_copies(tmp_path, corpus, register, words):
    kept, gone = words(80), words(80)
    names = [register([kept], "kept").id, register([gone], "gone").id, register([kept, gone], "both").id]
    shelves = Index.open(tmp_path, names, {"gone", "both"}).shelves
    records = corpus([kept, gone])
    fp, checks = records.fingerprints, build.check_array(records.content_checks)
    passages, _ = lookup.passage_hits(shelves, fp.passage_hashes)
    rows = np.repeat(np.arange(2), np.diff(fp.passage_offsets))
    seeds, _ = lookup.seed_hits(shelves, fp, rows)
    bands = lookup.band_hits(shelves, build.mixed_bands(fp.signatures))
    assert set(rows[passages.queries].tolist()) == set(rows[seeds.queries].tolist()) == {0}
    assert set((bands.queries % 2).tolist()) == {0}
    assert lookup.exact_hits(shelves, checks).queries.tolist() == [0]
    assert lookup.exact_hits(shelves, checks, only_live=False).queries.tolist() == [0, 0, 1, 1]


def hits_of(*rows):
    """Hits of (query, shelf, text, check word)."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return lookup.Hits(columns[0], columns[1], columns[2], columns[3].astype(np.uint64), columns[2])


def test_candidates_are_those_with_the_rarest_keys(monkeypatch):
    monkeypatch.setattr(lookup, "CANDIDATES", 2)
    monkeypatch.setattr(lookup, "WORDS_PER_CANDIDATE", 10)
    monkeypatch.setattr(lookup, "MOST_CANDIDATES", 4)
    # Two records; passage 0 has three texts, passages 1 and 2 one each; passage 3 is the second record's.
    passage = hits_of((0, 0, 1, 11), (0, 0, 2, 12), (0, 1, 3, 13), (1, 0, 2, 12), (2, 1, 4, 14), (3, 0, 1, 11))
    none = hits_of()
    rows = np.array([0, 0, 0, 1])

    def chosen(band, words):
        made = lookup.choose(band, passage, rows, np.array(words))
        return list(
            zip(made.rows.tolist(), made.shelves.tolist(), made.texts.tolist(), made.near.tolist(), strict=True)
        )

    assert chosen(none, [9, 9]) == [(0, 0, 2, False), (0, 1, 4, False), (1, 0, 1, False)]
    # Ten words more, one candidate more; of two with equal keys the smaller check; at most so many in all.
    assert chosen(none, [10, 9])[2] == (0, 0, 1, False)
    assert [text for _, _, text, _ in chosen(none, [1000, 9])] == [2, 4, 1, 3, 1]
    # A band that two texts share, one of which a passage named as well, weighs twice as much as a passage of one.
    band = hits_of((2, 1, 3, 13), (2, 0, 5, 15))
    assert chosen(band, [9, 9])[:2] == [(0, 1, 3, True), (0, 0, 5, True)]
    assert lookup.choose(none, none, rows, np.array([9, 9])).rows.tolist() == []
