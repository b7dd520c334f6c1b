"""What a snapshot of the index finds, and what it must not."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from provenance.errors import SegmentError, UsageError
from provenance.index import Index, compact, sweep, verify
from provenance.index.findings import KEPT
from provenance.index.lookup import PASSAGE_LIMIT


def covered(table: pa.Table, row: int, size: int) -> list[int]:
    bits = np.unpackbits(np.frombuffer(table["cover"][row].as_py(), np.uint8))
    assert len(bits) == -(-size // 8) * 8
    assert not bits[size:].any()
    return np.flatnonzero(bits[:size]).tolist()


def test_whole_copies_are_exact_however_short(tmp_path, corpus, register, words):
    texts = [words(3), words(200), np.zeros(40, np.uint32)]
    index = Index.open(tmp_path, [register(texts).id])
    table = corpus([texts[1], texts[0], texts[2], words(200)]).match(index)
    assert table["row"].to_pylist() == [0, 1, 2]
    assert table["reference_id"].to_pylist() == ["set-0001", "set-0000", "set-0002"]
    assert set(table["tier"].to_pylist()) == {"exact"}
    assert table["share"].to_pylist() == [1.0] * 3
    assert table["matched_words"].to_pylist() == [200, 3, 40]
    assert covered(table, 0, 200) == list(range(200))


def test_an_empty_text_matches_nothing(tmp_path, corpus, register, words):
    index = Index.open(tmp_path, [register([words(0), words(100)]).id])
    assert corpus([words(0)]).match(index).num_rows == 0


def test_an_empty_batch_and_an_empty_index_give_the_same_columns(tmp_path, corpus, register, words):
    full = Index.open(tmp_path, [register([words(100)]).id])
    nothing = Index.open(tmp_path, [])
    assert corpus([]).match(full).schema == corpus([words(50)]).match(nothing).schema


def test_a_content_id_alone_is_not_believed(tmp_path, corpus, register, words):
    text = words(10)
    index = Index.open(tmp_path, [register([text]).id])
    corpus = corpus([text])
    other_check = index.match(corpus.fingerprints, corpus.content_ids, [bytes(16)])
    other_id = index.match(corpus.fingerprints, ["0" * 32], corpus.content_checks)
    assert other_check.num_rows == other_id.num_rows == 0


@pytest.mark.parametrize("size", [50, 60, 75, 120])
def test_every_shared_passage_of_50_tokens_is_found(tmp_path, corpus, register, words, size):
    source = np.random.default_rng(size)
    references = [words(300) for _ in range(40)]
    index = Index.open(tmp_path, [register(references).id])
    records, where = [], []
    for reference in references:
        start, at = int(source.integers(0, 300 - size)), int(source.integers(0, 500))
        record = words(500)
        records.append(np.concatenate([record[:at], reference[start : start + size], record[at:]]))
        where.append((at, start))
    table = corpus(records).match(index)
    assert table["row"].to_pylist() == list(range(40))
    assert table["reference_id"].to_pylist() == [f"set-{k:04}" for k in range(40)]
    for row, (at, start) in enumerate(where):
        assert covered(table, row, 500 + size) == list(range(at, at + size))
        assert table["spans"][row].as_py() == [
            {"start": at, "end": at + size, "reference_start": start, "reference_end": start + size}
        ]
        assert table["share"][row].as_py() == size / (500 + size)
        assert table["reference_share"][row].as_py() == size / 300


def test_coincidences_are_no_match(tmp_path, corpus, register, words):
    reference = words(400)
    index = Index.open(tmp_path, [register([reference]).id])
    stray = words(400)
    for start in range(0, 400, 80):
        stray[start : start + 12] = reference[start : start + 12]
    repeated = np.concatenate([np.zeros(200, np.uint32), words(50)])
    assert corpus([stray, repeated, words(400)]).match(index).num_rows == 0


def test_repetition_of_few_words_is_no_evidence(tmp_path, corpus, register, words):
    tail = words(60)
    spam = np.tile(words(4), 50)
    index = Index.open(tmp_path, [register([np.concatenate([spam, tail])]).id])
    assert corpus([np.concatenate([words(60), spam])]).match(index).num_rows == 0


def test_scattered_edits_count_to_the_extent_that_is_unchanged(tmp_path, corpus, register, words):
    reference = words(300)
    record = reference.copy()
    record[4::10] = words(30)
    table = corpus([record]).match(Index.open(tmp_path, [register([reference]).id]))
    # The first four tokens are too short a run, and no run before them makes them part of a gap.
    unchanged = [k for k in range(5, 300) if k % 10 != 4]
    assert covered(table, 0, 300) == unchanged
    assert table["share"].to_pylist() == [len(unchanged) / 300]
    assert table["reference_share"].to_pylist() == [len(unchanged) / 300]
    assert len(table["spans"][0]) == 1


def test_short_references_match_only_as_whole_copies(tmp_path, corpus, register, words):
    short = words(20)
    index = Index.open(tmp_path, [register([short]).id])
    assert corpus([np.concatenate([short, words(5)])]).match(index).num_rows == 0


@pytest.mark.parametrize(("size", "found"), [(25, 1), (24, 0)])
def test_the_fewest_words_that_match(tmp_path, corpus, register, words, size, found):
    text, long = words(size), words(90)
    index = Index.open(tmp_path, [register([text, long]).id])
    inside = np.concatenate([words(30), text, words(30)])
    part = long[20 : 20 + size]
    assert corpus([inside]).match(index).num_rows == found
    assert corpus([part]).match(index).num_rows == found


def test_human_references_and_prompts_come_out_with_their_label(tmp_path, corpus, register, words):
    text = words(120)
    segments = [
        register([text], set_id, label).id for set_id, label in (("b", "human"), ("c", "prompt"), ("a", "synthetic"))
    ]
    table = corpus([text]).match(Index.open(tmp_path, segments))
    assert table["set_id"].to_pylist() == ["a", "b", "c"]
    assert table["label"].to_pylist() == ["synthetic", "human", "prompt"]


def test_withdrawn_sets_do_not_count(tmp_path, corpus, register, words):
    shared, own = words(150), words(150)
    segments = [register([shared, own], "kept").id, register([shared], "gone").id]
    records = corpus([shared, own])
    everything = records.match(Index.open(tmp_path, segments))
    assert set(everything["set_id"].to_pylist()) == {"kept", "gone"}
    left = records.match(Index.open(tmp_path, segments, {"gone"}))
    assert left.equals(everything.filter(pc.equal(everything["set_id"], "kept")))
    assert records.match(Index.open(tmp_path, segments, {"gone", "kept"})).num_rows == 0


def test_the_split_into_segments_changes_nothing(tmp_path, corpus, register, words):
    texts = [words(200) for _ in range(30)]
    texts += [np.concatenate([texts[k][:100], words(90)]) for k in range(10)] + texts[:5]
    names = [f"n{k:03}" for k in range(len(texts))]
    whole = register(texts, names=names)
    parts = [register(texts[k::4], names=names[k::4]).id for k in range(4)] + [register(texts[:9], names=names[:9]).id]
    merged = compact(tmp_path, parts)
    assert merged.id == whole.id
    edited = [text.copy() for text in texts[:30]]
    for text in edited:
        text[::9] = words(len(text[::9]))
    records = corpus([*texts, *edited, *[np.concatenate([words(80), text[50:120]]) for text in texts]])
    expected = records.match(Index.open(tmp_path, [whole.id]))
    assert expected.num_rows > 2 * len(texts)
    assert records.match(Index.open(tmp_path, parts)).equals(expected)
    assert records.match(Index.open(tmp_path, parts[::-1])).equals(expected)


def test_order_of_references_changes_no_byte(tmp_path, corpus, register, words):
    texts = [words(60) for _ in range(20)]
    names = [f"n{k}" for k in range(20)]
    assert register(texts, names=names).id == register(texts[::-1], names=names[::-1]).id


def test_compaction_drops_withdrawn_sets(tmp_path, corpus, register, words):
    shared, first, second = words(150), words(150), words(150)
    parts = [register([shared, first], "kept").id, register([shared, second], "gone").id]
    merged = compact(tmp_path, parts, {"gone"})
    assert [entry.set_id for entry in merged.sets] == ["kept"]
    assert merged.id == register([shared, first], "kept").id
    records = corpus([shared, first, second])
    assert records.match(Index.open(tmp_path, [merged.id])).equals(records.match(Index.open(tmp_path, parts, {"gone"})))


def test_boilerplate_is_counted_and_proves_nothing(tmp_path, corpus, register, words):
    notice = words(60)
    texts = [np.concatenate([words(100), notice]) for _ in range(PASSAGE_LIMIT + 1)]
    index = Index.open(tmp_path, [register(texts[:50]).id, register(texts[50:], "more").id])
    records = corpus(
        [
            np.concatenate([words(300), notice]),
            np.concatenate([words(150), texts[7][:70], words(150), notice]),
            texts[90],
        ]
    )
    table = records.match(index)
    assert table["row"].to_pylist() == [1, 2]
    assert table["reference_id"].to_pylist() == ["set-0007", "more-0040"]
    assert int(table.schema.metadata[b"common_passages"]) > 0
    assert index.common_passages == 0
    merged = compact(tmp_path, [shelf.segment.id for shelf in index.shelves])
    assert 60 / 15 <= Index.open(tmp_path, [merged.id]).common_passages <= 60
    assert records.match(Index.open(tmp_path, [index.shelves[0].segment.id])).num_rows > 2


def test_a_notice_that_many_texts_end_with_makes_them_no_copies(tmp_path, corpus, register, words):
    notice = words(120)
    index = Index.open(tmp_path, [register([np.concatenate([words(80), notice]) for _ in range(300)]).id])
    assert corpus([np.concatenate([words(70), notice]) for _ in range(50)]).match(index).num_rows == 0


def test_a_text_in_very_many_variants_is_still_recognised(tmp_path, corpus, register, words):
    text = words(200)
    variants = []
    for _ in range(2 * PASSAGE_LIMIT):
        variant = text.copy()
        variant[100] = words(1)[0]
        variants.append(variant)
    index = Index.open(tmp_path, [register(variants).id])
    record = text.copy()
    record[100] = 5
    table = corpus([record]).match(index)
    assert table.num_rows == KEPT
    assert set(table["tier"].to_pylist()) == {"near"}
    assert min(table["share"].to_pylist()) == 199 / 200


def test_a_text_registered_many_times_gives_the_first_few_references(tmp_path, corpus, register, words):
    text = words(100)
    names = [f"n{k:03}" for k in range(200)]
    index = Index.open(tmp_path, [register([text] * 200, names=names).id])
    table = corpus([text, np.concatenate([text, words(100)])]).match(index)
    assert table["reference_id"].to_pylist() == names[:KEPT] * 2


def test_a_page_made_of_many_references_is_covered_by_all(tmp_path, corpus, register, words):
    texts = [words(60) for _ in range(30)]
    table = corpus([np.concatenate(texts)]).match(Index.open(tmp_path, [register(texts).id]))
    assert table.num_rows == 30


def test_stored_fingerprints_estimate_what_texts_prove(tmp_path, corpus, register, words):
    references = [words(300) for _ in range(20)]
    index = Index.open(tmp_path, [register(references).id])
    records = corpus(
        [references[0]]
        + [np.concatenate([words(200), references[k][40:240], words(100)]) for k in range(1, 20)]
        + [words(400) for _ in range(20)]
    )
    proven, estimated = records.match(index), index.match_packed(records.packed())
    assert estimated["row"].to_pylist() == proven["row"].to_pylist()
    assert estimated["reference_id"].to_pylist() == proven["reference_id"].to_pylist()
    assert estimated["verified"].to_pylist() == [True] + [False] * 19
    for guess, share in zip(estimated["share"].to_pylist(), proven["share"].to_pylist(), strict=True):
        assert share - 0.06 <= guess <= share


def test_duplicated_ids_and_checks_are_refused_when_malformed(tmp_path, corpus, register, words):
    corpus = corpus([words(30)])
    index = Index.open(tmp_path, [register([words(30)]).id])
    with pytest.raises(UsageError, match="32 hex"):
        index.match(corpus.fingerprints, ["xyz"], corpus.content_checks)
    with pytest.raises(UsageError, match="16 bytes"):
        index.match(corpus.fingerprints, corpus.content_ids, [b"short"])
    with pytest.raises(UsageError, match="number"):
        index.match(corpus.fingerprints, [], [])


def test_opening_writes_nothing_and_needs_no_right_to_write(tmp_path, corpus, register, words):
    text = words(100)
    segment = register([text])
    for path in [tmp_path / segment.id / "arrays.bin", tmp_path / segment.id / "segment.json", tmp_path / segment.id]:
        path.chmod(0o555)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert corpus([text]).match(Index.open(tmp_path, [segment.id])).num_rows == 1
    verify(tmp_path, [segment.id])
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    (tmp_path / segment.id).chmod(0o755)


def test_sweep_keeps_what_is_named(tmp_path, corpus, register, words):
    kept, dropped = register([words(30)]), register([words(30)])
    (tmp_path / ".partial-1234").mkdir()
    (tmp_path / "notes").mkdir()
    assert sweep(tmp_path, {kept.id}) == sorted([".partial-1234", dropped.id])
    assert {path.name for path in tmp_path.iterdir()} == {kept.id, "notes"}


def test_damaged_postings_are_an_error_not_a_crash(tmp_path, corpus, register, words):
    texts = [words(200) for _ in range(50)]
    segment = register(texts)
    records = corpus([np.concatenate([words(20), text]) for text in texts])
    entries = json.loads((tmp_path / segment.id / "segment.json").read_text())["arrays"]
    path = tmp_path / segment.id / "arrays.bin"
    whole = path.read_bytes()
    for name in ("band_texts", "passage_texts", "passage_directory", "band_directory", "token_offsets"):
        size = entries[name]["count"] * (8 if name == "token_offsets" else 4)
        start = entries[name]["offset"]
        path.write_bytes(whole[:start] + b"\xf0" * size + whole[start + size :])
        with pytest.raises(SegmentError):
            records.match(Index.open(tmp_path, [segment.id]))
        with pytest.raises(SegmentError, match=name):
            verify(tmp_path, [segment.id])
    path.write_bytes(whole)
    verify(tmp_path, [segment.id])
