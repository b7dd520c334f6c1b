from __future__ import annotations

import threading
import time

import datasketch
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import UsageError
from provenance.fingerprint import (
    band_keys,
    from_datasketch,
    jaccard,
    shingle_hash,
    signatures,
    to_datasketch,
)
from provenance.fingerprint.kernel import minhash_rows
from provenance.fingerprint.minhash import gram_powers, minhash, permutations
from provenance.text.fold import fold_reference
from provenance.text.tokens import Tokens, token_hash, tokens_reference

scripts = st.one_of(
    st.text(),
    st.text("abc def", max_size=200),
    st.text(st.characters(min_codepoint=0x370, max_codepoint=0x700), max_size=80),
    st.text(st.characters(min_codepoint=0x900, max_codepoint=0x1100), max_size=80),
    st.text(st.characters(min_codepoint=0x3040, max_codepoint=0x9FFF), max_size=80),
)


def shingles(text: str) -> list[int]:
    tokens = [token_hash(token) for token in tokens_reference(fold_reference(text))]
    return [shingle_hash(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))] if tokens else []


def sketch(values: list[int], num_perm: int = 128, seed: int = 1) -> datasketch.MinHash:
    result = datasketch.MinHash(num_perm, seed, scheme="affine32", hashfunc=lambda value: value)
    result.update_batch(values)
    return result


@settings(max_examples=250, deadline=None)
@given(st.lists(scripts, max_size=20), st.sampled_from([(128, 1), (64, 7), (1, 1), (200, 3)]))
def test_equal_to_datasketch(texts: list[str], shape: tuple[int, int]) -> None:
    result = signatures(texts, *shape)
    assert result.dtype == np.uint32
    assert result.shape == (len(texts), shape[0])
    for row, text in zip(result, texts, strict=True):
        np.testing.assert_array_equal(row, sketch(shingles(text), *shape).hashvalues)


def test_long_texts_cross_every_tile() -> None:
    words = np.random.default_rng(0).integers(0, 1 << 32, 5000, dtype=np.uint32)
    for count in (1, 4, 5, 6, 11, 12, 13, 1027, 1028, 1029, 2052, 2053, 5000):
        tokens = Tokens(np.array([0, count], np.int64), words[:count])
        values = [shingle_hash(words[i : i + 5][: count - i].tolist()) for i in range(max(1, count - 4))]
        np.testing.assert_array_equal(minhash(tokens)[0], sketch(values).hashvalues)


def test_the_loop_means_the_same_in_python() -> None:
    hashes = np.arange(40, dtype=np.uint32) * np.uint32(2654435761)
    offsets = np.array([0, 0, 3, 40], np.int64)
    a, b = permutations(64, 1)
    result = np.empty((3, 64), np.uint32)
    with np.errstate(over="ignore"):
        getattr(minhash_rows, "py_func", minhash_rows)(hashes, offsets, gram_powers(5), a, b, result)
    np.testing.assert_array_equal(result, minhash(Tokens(offsets, hashes), 64, 1))


def test_permutations_are_datasketchs() -> None:
    np.testing.assert_array_equal(
        np.stack(permutations(128, 1)), datasketch.MinHash(128, 1, scheme="affine32").permutations
    )


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        tuple,
        np.array,
        lambda texts: np.array(texts, object),
        pa.array,
        lambda texts: pa.array(texts, pa.large_string()),
        lambda texts: pa.array(["x", *texts], pa.string_view())[1:],
        lambda texts: pa.chunked_array([texts[:2], texts[2:]]),
        lambda texts: pa.array(texts).dictionary_encode(),
        pl.Series,
    ],
)
def test_any_column_of_strings(wrap: object) -> None:
    texts = ["one two three four five six", "Ünï cödé", "", "mon tue wed"]
    assert callable(wrap)
    np.testing.assert_array_equal(signatures(wrap(texts)), signatures(texts))


def test_none_and_nothing_count_as_empty() -> None:
    assert (signatures([None, "", " ., "]) == 0xFFFFFFFF).all()
    assert signatures(pa.array([None])).shape == (1, 128)
    assert signatures([]).shape == (0, 128)


@pytest.mark.parametrize("texts", ["one text", b"bytes", [1, 2], pa.array([1.5]), ["\ud800"]])
def test_what_is_no_column_of_strings_is_refused(texts: object) -> None:
    with pytest.raises(UsageError):
        signatures(texts)


def test_more_than_one_slice() -> None:
    texts = [f"text {i} " * 300 for i in range(1500)]
    np.testing.assert_array_equal(signatures(texts)[1400:], signatures(texts[1400:]))


def test_to_datasketch_compares_with_a_users_own_sketch() -> None:
    text, other = "the cat sat on the mat and slept all day long", "the cat sat on the mat and ate all day long"
    ours = signatures([text, other])
    own = sketch(shingles(other))
    assert to_datasketch(ours[0]).jaccard(own) == jaccard(ours[0], ours[1])
    np.testing.assert_array_equal(from_datasketch(own), ours[1])
    np.testing.assert_array_equal(from_datasketch(datasketch.LeanMinHash(own)), ours[1])
    lsh = datasketch.MinHashLSH(threshold=0.9, num_perm=128)
    lsh.insert("other", own)
    assert lsh.query(to_datasketch(ours[1])) == ["other"]


@pytest.mark.parametrize(
    ("foreign", "why"),
    [
        (lambda: datasketch.MinHash(128, 1, scheme="legacy"), "legacy"),
        (lambda: datasketch.MinHash(128, 1, scheme="affine64"), "affine64"),
        (lambda: datasketch.MinHash(128, 2), "seed is 2"),
        (lambda: datasketch.MinHash(64, 1), "64 values"),
        (
            lambda: datasketch.MinHash(
                hashvalues=[1] * 128, permutations=([1] * 128, [2] * 128), scheme="affine32", seed=1
            ),
            "permutations",
        ),
    ],
)
def test_foreign_sketches_are_refused(foreign: object, why: str) -> None:
    assert callable(foreign)
    with pytest.raises(UsageError, match=why):
        from_datasketch(foreign())


@pytest.mark.parametrize("sketch", [None, "sketch", np.zeros(128, np.uint32), object()])
def test_what_is_no_sketch_is_refused(sketch: object) -> None:
    with pytest.raises(UsageError, match="not a datasketch"):
        from_datasketch(sketch)


@pytest.mark.parametrize(
    "signature",
    [
        signatures(["a", "b"]),
        signatures(["a"])[0].astype(np.uint64),
        signatures(["a"])[0].tolist(),
        np.zeros(0, np.uint32),
        None,
    ],
)
def test_what_is_no_signature_is_refused(signature: object) -> None:
    with pytest.raises(UsageError, match="one row of uint32"):
        to_datasketch(signature)


def test_a_sketch_of_another_seed_is_not_compared_with() -> None:
    assert to_datasketch(signatures(["a"], seed=7)[0], seed=7).seed == 7
    with pytest.raises(ValueError, match="seed"):
        to_datasketch(signatures(["a"])[0]).jaccard(datasketch.MinHash(128, 7, scheme="affine32"))


@pytest.mark.parametrize(("num_perm", "seed"), [(0, 1), (-1, 1), (1.5, 1), (128, -1), (128, 1 << 32), (128, None)])
def test_numbers_that_datasketch_would_refuse(num_perm: int, seed: int) -> None:
    with pytest.raises(UsageError):
        signatures(["a"], num_perm, seed)


def test_the_sketch_shares_no_memory_with_the_signature() -> None:
    row = signatures(["one two three"])[0]
    before = row.copy()
    to_datasketch(row).update(b"more")
    np.testing.assert_array_equal(row, before)


def test_other_threads_run_meanwhile() -> None:
    texts = pa.array(["the cat sat on the mat and slept all day long " * 50_000] * 10, pa.large_string())
    signatures(texts[:1])
    turns = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            turns.append(time.perf_counter())
            time.sleep(0.0005)

    counter = threading.Thread(target=count)
    counter.start()
    start = time.perf_counter()
    signatures(texts)
    seconds = time.perf_counter() - start
    done.set()
    counter.join()
    # Each text is one call into a kernel: while one holds the lock, nobody's turn comes.
    waits = np.diff([start, *(turn for turn in turns if start < turn < start + seconds), start + seconds])
    assert len(waits) > 5
    assert waits.max() < seconds / 3


def test_band_keys_tell_bands_and_rows_apart() -> None:
    rows = np.random.default_rng(1).integers(0, 1 << 32, (2000, 128), dtype=np.uint32)
    rows[1] = rows[0]
    rows[1, 7] += 1
    keys = band_keys(rows)
    assert keys.shape == (2000, 25)
    assert np.flatnonzero(keys[0] != keys[1]).tolist() == [1]
    assert len(np.unique(keys)) >= keys.size - 24 - 2
    same = np.full((1, 128), 5, np.uint32)
    assert len(np.unique(band_keys(same))) == 25
