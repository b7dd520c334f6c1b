from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import schema
from provenance.fingerprint import Fingerprints, band_keys, content_checks, fingerprint, pack, unpack
from provenance.text.fold import fold
from provenance.text.tokens import tokenize


def made_from(texts: list[str]) -> tuple[Fingerprints, pa.RecordBatch]:
    folded = fold(pa.array(texts, pa.large_string()))
    made = fingerprint(tokenize(folded))
    return made, pack(made, [f"{row:032x}" for row in range(len(texts))], content_checks(folded))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("ab cd", max_size=300), max_size=12), st.integers(0, 12))
def test_what_is_packed_comes_back(texts: list[str], start: int) -> None:
    made, batch = made_from(texts)
    assert batch.schema == schema.FINGERPRINTS
    batch.validate(full=True)
    start = min(start, len(texts))
    stored = unpack(batch.slice(start))
    first = made.passage_offsets[start]
    assert stored.record_ids == [f"{row:032x}" for row in range(start, len(texts))]
    np.testing.assert_array_equal(stored.words, made.tokens.words[start:])
    np.testing.assert_array_equal(stored.bands, band_keys(made.signatures)[start:])
    np.testing.assert_array_equal(stored.passage_offsets, made.passage_offsets[start:] - first)
    np.testing.assert_array_equal(stored.passage_hashes, made.passage_hashes[first:])
    np.testing.assert_array_equal(stored.passage_positions, made.passage_positions[first:])


def test_a_record_of_500_words_takes_less_than_700_bytes() -> None:
    words = np.random.default_rng(0).integers(0, 50_000, (200, 500))
    _, batch = made_from([" ".join(f"w{word}" for word in row) for row in words])
    assert batch.nbytes / 200 <= 520
    without = batch.drop_columns(["passages", "positions"])
    assert without.nbytes / 200 <= 180


def test_layout_is_little_endian_and_documented() -> None:
    made, batch = made_from(["one two three four five six seven " * 20])
    row = batch.to_pylist()[0]
    assert row["bands"] == band_keys(made.signatures)[0].astype("<u4").tobytes()
    assert row["passages"] == made.passage_hashes.astype("<u4").tobytes()
    assert np.cumsum(list(row["positions"])).tolist() == made.passage_positions.tolist()
