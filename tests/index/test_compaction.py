"""Compaction of several segments against a single build, and against what was found before."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.index import Index, build, compact, compaction
from provenance.index.segment import SegmentWriter


@pytest.fixture
def small_ranges(monkeypatch):
    """Cut everything into many ranges."""
    monkeypatch.setattr(build, "CHUNK", 64)
    monkeypatch.setattr(compaction, "TEXTS_AT_ONCE", 8)
    monkeypatch.setattr(compaction, "_TOKENS_AT_ONCE", 1000)


@pytest.fixture
def texts(words):
    """Texts that share parts, one without tokens, some very short, one of repetition."""
    made = [words(int(size)) for size in np.random.default_rng(3).integers(1, 200, 120)]
    made += [np.concatenate([made[k][:100], words(60)]) for k in range(20)]
    return [*made, words(0), np.tile(words(3), 80)]


def test_ranges_change_no_byte(tmp_path, register, texts, request):
    whole = register(texts)
    request.getfixturevalue("small_ranges")
    again = register(texts)
    assert again.id == whole.id
    parts = [register(texts[k::3], names=[f"set-{i:04}" for i in range(k, len(texts), 3)]).id for k in range(3)]
    assert compact(tmp_path, parts).id == whole.id
    assert compact(tmp_path, [whole.id]).id == whole.id


@pytest.mark.usefixtures("small_ranges")
def test_everything_is_found_as_before_and_withdrawn_sets_are_gone(tmp_path, corpus, register, texts, words):
    sets = {f"s{k}": texts[k::4] + texts[: 10 * k] for k in range(4)}
    parts = [register(some, name, "human" if name == "s2" else "synthetic").id for name, some in sets.items()]
    parts.append(register(texts[5:60], "s1", names=[f"other-{k}" for k in range(55)]).id)
    records = corpus([*texts, *[np.concatenate([words(30), text[10:], words(20)]) for text in texts]])
    for withdrawn in (set(), {"s0"}, {"s0", "s1", "s3"}):
        before = records.match(Index.open(tmp_path, parts, withdrawn))
        merged = compact(tmp_path, parts, withdrawn)
        after = records.match(Index.open(tmp_path, [merged.id]))
        assert after.num_rows > 20
        assert after.equals(before)
        assert {entry.set_id for entry in merged.sets} == sets.keys() - withdrawn
        live = {(name, k) for name in sets.keys() - withdrawn for k in range(len(sets[name]))}
        assert merged.references == len(live) + (0 if "s1" in withdrawn else 55)
    assert compact(tmp_path, parts, set(sets)).texts == 0


def test_the_same_registration_in_two_segments_is_kept_once(tmp_path, corpus, register, words):
    shared, own = words(80), words(80)
    first = register([shared, own], "s", names=["b", "c"])
    second = register([shared, shared], "s", names=["a", "b"])
    merged = compact(tmp_path, [first.id, second.id])
    assert (merged.texts, merged.references) == (2, 3)
    names = corpus([shared, own]).match(Index.open(tmp_path, [merged.id]))["reference_id"].to_pylist()
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize("count", [1, 3])
def test_an_array_that_is_too_short_or_too_long_is_noticed(tmp_path, count):
    def write(writer):
        writer.reserve(tokens=2, checks=0)
        writer.append("tokens", np.zeros(count))
        writer.begin("content_ids")

    with SegmentWriter(tmp_path) as writer, pytest.raises(RuntimeError, match="reserved: tokens"):
        write(writer)
    assert list(tmp_path.iterdir()) == []
