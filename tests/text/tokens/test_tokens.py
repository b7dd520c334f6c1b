from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.text.fold import fold
from provenance.text.tokens import token_hash, tokenize, tokens_reference

words = st.text(
    st.one_of(
        st.sampled_from("abcdefghij0123456789 -'_.,\nzA[@{/:`"),
        st.sampled_from("éжλا한世カーไย์ป\u0301\u093fक—’\U0001d7d8\U00020000😀\u0e33"),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(words, st.text(), st.text("abcdefghijklmnop ", max_size=100)), max_size=20))
def test_kernel_gives_what_the_plain_form_gives(texts: list[str]) -> None:
    tokens = tokenize(pa.array(texts, pa.large_string()))
    expected = [[token_hash(token) for token in tokens_reference(text)] for text in texts]
    assert tokens.words.tolist() == [len(row) for row in expected]
    assert tokens.hashes.tolist() == [value for row in expected for value in row]


pieces = st.sampled_from(
    [
        "word",
        "a",
        "extraordinarily",
        "x" * 40,
        "世界",
        "世",
        "カー",
        "ไม่",
        "हिन्दी",
        "привет",
        "é",
        "\u0301",
        "1",
        " ",
        "  ",
        "-",
        "。",
        "—",
        "\U00020000",
        "\U0001d7d8",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(pieces, max_size=60).map("".join), min_size=1, max_size=4))
def test_every_kind_of_token_crosses_the_edges_of_blocks(texts: list[str]) -> None:
    tokens = tokenize(pa.array([*texts, " " * 100], pa.large_string()))
    expected = [[token_hash(token) for token in tokens_reference(text)] for text in texts]
    assert tokens.words.tolist() == [*map(len, expected), 0]
    assert tokens.hashes.tolist() == [value for row in expected for value in row]


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cn", "Cs"])))
def test_spaced_scripts_split_where_the_standard_library_sees_no_letter_mark_or_digit(text: str) -> None:
    unspaced = ("THAI ", "LAO ", "KHMER ", "MYANMAR ", "CJK ", "KANGXI ", "HANGZHOU ", "HIRAGANA ", "KATAKANA")
    text = "".join(c for c in text if not unicodedata.name(c, "").startswith(unspaced))
    spaced = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    assert tokens_reference(text) == [piece for piece in spaced.split(" ") if piece]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("don't re-use it", ["don", "t", "re", "use", "it"]),
        ("don’t", ["don", "t"]),
        ("snake_case 3.14 a1b2", ["snake", "case", "3", "14", "a1b2"]),
        ("我们2024年", ["我", "们", "2024", "年"]),
        ("カタカナー", ["カ", "タ", "カ", "ナ", "ー"]),
        ("ที่นี่", ["ที่", "นี่"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("naïve café", ["naïve", "café"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
    ],
)
def test_what_a_token_is(text: str, tokens: list[str]) -> None:
    assert tokens_reference(text) == tokens
    assert tokenize(pa.array([text], pa.large_string())).hashes.tolist() == [token_hash(token) for token in tokens]


def test_hash_is_pinned() -> None:
    """Stores and indexes hold these values: a change here is a new normaliser version."""
    assert [token_hash(token) for token in ("", "a", "provenance", "世", "12345678")] == [
        0,
        2068553842,
        3219952177,
        2662320463,
        610516985,
    ]


def test_hashes_of_short_words_do_not_collide() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    values = [token_hash(a + b + c) for a in letters for b in letters for c in letters]
    assert len(set(values)) >= len(values) - 1
    ones = np.unpackbits(np.array(values, np.uint32).view(np.uint8)).reshape(-1, 32).mean(axis=0)
    assert np.all(np.abs(ones - 0.5) < 0.02)


def test_words_at_every_distance_from_the_end_of_the_buffer() -> None:
    for length in range(1, 40):
        text = "x" * length
        exact = pa.LargeStringArray.from_buffers(
            1, pa.py_buffer(np.array([0, length], np.int64)), pa.py_buffer(text.encode())
        )
        assert tokenize(exact).hashes.tolist() == [token_hash(text)]


def test_neighbouring_texts_do_not_run_together() -> None:
    tokens = tokenize(pa.array(["abc", "def", None, "", "ghi"], pa.large_string()))
    assert tokens.words.tolist() == [1, 1, 0, 0, 1]
    assert tokens.hashes.tolist() == [token_hash(word) for word in ("abc", "def", "ghi")]


def test_white_space_case_and_width_do_not_matter() -> None:
    plain, other = fold(pa.array(["The cat sat.", " ＴＨＥ\u3000CAT\n\nSat ."], pa.large_string())).to_pylist()
    hashes = tokenize(pa.array([plain, other], pa.large_string())).hashes
    assert hashes[:3].tolist() == hashes[3:].tolist()
