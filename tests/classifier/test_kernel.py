"""The compiled passes against plain Python and against what a reader would call the same text."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.classifier.alphabet import LOWER, build_table
from provenance.classifier.features import margins, symbolise
from provenance.classifier.modelfile import LONGEST_WINDOW, ModelArrays

PLAIN = "Hello world, it's naive. Don't stop… 10 yes — no (or 2.5 well-known ones)!"
TABLE = build_table()
MASK = (1 << 64) - 1


def symbols_of(text: str) -> list[int]:
    symbols, starts = symbolise(TABLE, pa.array([text], pa.large_string()))
    assert starts.tolist() == [0, len(symbols)]
    return symbols.tolist()


@pytest.mark.parametrize(
    "same",
    [
        PLAIN.upper(),
        "  " + PLAIN.replace(" ", " \n\t "),
        "\u200b".join(PLAIN),
        PLAIN.replace("e", "е").replace("o", "ο").replace("a", "а"),
        "".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in PLAIN),
        PLAIN.replace("naive", "nai\u0308ve"),
        PLAIN.replace("naive", "naïve"),
        PLAIN.replace("'", "’").replace("…", "...").replace("—", "–"),
        PLAIN.replace(" — ", "—"),
        PLAIN.replace(" — ", " -- "),
        "# **Hello** world , it 's naive . Do n't stop … `10` yes — no ( or 2.5 well-known ones ) !",
        "- " + PLAIN,
        "1. " + PLAIN.replace("2.5", "13,000"),
        PLAIN.replace(". Don", ".Don"),
    ],
)
def test_disguise_and_formatting_leave_the_symbols_alone(same: str) -> None:
    assert symbols_of(same) == symbols_of(PLAIN)


@pytest.mark.parametrize("other", [PLAIN.replace("stop", "stay"), PLAIN.replace(",", ""), PLAIN.replace("…", ".")])
def test_words_and_punctuation_do_matter(other: str) -> None:
    assert symbols_of(other) != symbols_of(PLAIN)


def test_symbols_of_hostile_texts_fit_their_room() -> None:
    texts = [
        "",
        "\0",
        "(((((",
        "a,b,c,d",
        "'" * 50,
        "- - -",
        "\n" * 9,
        "æœß" * 40,
        "漢字かな" * 30,
        "1.2.3.",
        "a\u0301" * 70,
        "𝐀😀" * 9,
    ]
    symbols, starts = symbolise(TABLE, pa.array(texts * 3, pa.large_string()))
    assert starts[-1] == len(symbols)
    apart = [symbols_of(text) for text in texts * 3]
    assert [symbols[a:b].tolist() for a, b in itertools.pairwise(starts)] == apart


PIECES = ("word", "An", "n", " ", "  ", "'", "n't", " 's", "-", " - ", ".", ", ", "!?", ": ", "\n", "(", "4", "é", "’")


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_symbols_are_the_same_whatever_stands_behind_a_text(text: str) -> None:
    """Sixty-four bytes at a time where so many are left, one after the other where a buffer ends."""
    text = text.encode()[:60].decode(errors="ignore")
    symbols, starts = symbolise(TABLE, pa.array([text, "n" * 200], pa.large_string()))
    assert symbols[: starts[1]].tolist() == symbols_of(text)


def slot(value: int, seed: int, bits: int) -> int:
    mixed = ((value ^ (value >> 29)) * seed) & MASK
    return (((mixed ^ (mixed >> 32)) * 0xFF51AFD7ED558CCD) & MASK) >> (64 - bits)


def plain_slots(symbols: list[int], bits: int) -> tuple[set[int], set[int]]:
    """What the documentation of the kernel says, in sets."""
    character, word = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
    grams = {
        slot(sum(s << (8 * i) for i, s in enumerate(symbols[at : at + 5])), character, bits)
        for at in range(len(symbols) - 4)
    }
    tokens: list[int] = []
    run = 0
    for symbol in [*symbols, 1]:
        if symbol >= LOWER or symbol in {8, 3, 4}:
            run = ((run ^ symbol) * word) & MASK
            run ^= run >> 31
            continue
        if run:
            tokens.append(run)
            run = 0
        if symbol != 1:
            tokens.append((symbol * 0xFF51AFD7ED558CCD) & MASK)
    words = set()
    padded = [1, 1, *tokens]
    for before, previous, token in zip(padded, padded[1:], padded[2:], strict=False):
        pair = token ^ ((previous * character + 0x51) & MASK)
        triple = ((pair ^ ((before * 0xFF51AFD7ED558CCD) & MASK)) + 0x53) & MASK
        words |= {(1 << bits) + slot(gram, word, bits) for gram in (token, pair, triple)}
    return grams, words


def toy_model(bits: int = 10, window: int = 64, experts: int = 3) -> ModelArrays:
    factors = np.array([[37], [53], [71]])[:experts]
    steps = ((np.arange(2 << bits) * factors) % 251 - 125).astype(np.int8)
    scales = ((0.01, 0.02, -0.3), (0.02, -0.01, 0.2), (-0.015, 0.01, 0.0))[:experts]
    return ModelArrays(TABLE, steps, bits, window, scales, ())


def plain_margin(model: ModelArrays, text: str) -> float:
    symbols = symbols_of(text)
    parts = max(1, -(-len(symbols) // model.window))
    totals = [0.0] * len(model.scales)
    for part in range(parts):
        piece = symbols[len(symbols) * part // parts : len(symbols) * (part + 1) // parts]
        blocks = plain_slots(piece, model.bits)
        for expert, scales in enumerate(model.scales):
            sums = [
                scale * sum(int(model.weights[expert, s]) for s in block) / math.sqrt(max(1, len(block)))
                for scale, block in zip(scales, blocks, strict=False)
            ]
            totals[expert] += sum(sums) + scales[2]
    return max(totals) / parts


@pytest.mark.parametrize("experts", [1, 2, 3])
def test_scores_equal_the_plain_form(experts: int) -> None:
    texts = ["", "a", "one two", PLAIN, PLAIN * 7, "Привет, мир! " * 9, "漢字かな。" * 30, "x" * 500]
    model = toy_model(experts=experts)
    raw, words = margins(model, pa.array(texts, pa.large_string()))
    assert raw == pytest.approx([plain_margin(model, text) for text in texts], abs=1e-12)
    assert words.tolist()[:4] == [0, 1, 2, 16]


@pytest.mark.parametrize("step", [-127, 127])
def test_the_sums_have_room_for_the_longest_window(step: int) -> None:
    # Nearly every run of five symbols differs, and of one-letter words and marks nearly every pair and triple does.
    text = "".join(
        f"{'abcdefghijklmnopqrstuvwxyz'[at * at % 677 % 26]}{',;:.!?'[at * at % 331 % 6]} "
        for at in range(LONGEST_WINDOW // 3)
    )
    model = ModelArrays(TABLE, np.full((3, 2 << 16), step, np.int8), 16, LONGEST_WINDOW, ((1.0, 1.0, 0.0),) * 3, ())
    raw, _ = margins(model, pa.array([text], pa.large_string()))
    assert raw.tolist() == pytest.approx([plain_margin(model, text)], abs=1e-9)


def test_scores_do_not_depend_on_the_batch() -> None:
    texts = [PLAIN * n + str(n) for n in range(1, 40)] * 8
    whole, _ = margins(toy_model(), pa.array(texts, pa.large_string()))
    alone = [margins(toy_model(), pa.array([text], pa.large_string()))[0][0] for text in texts]
    sliced, _ = margins(toy_model(), pa.array(["other", *texts], pa.large_string()).slice(1))
    assert whole.tolist() == alone == sliced.tolist()


def test_more_windows_than_stamps() -> None:
    model = toy_model(bits=8, window=64)
    texts = pa.array(["word and word again, " * 3300] * 2, pa.large_string())
    raw, _ = margins(model, texts)
    assert raw[0] == raw[1]
    many, _ = margins(model, pa.array(["word and word again, " * 3300] * 70, pa.large_string()))
    assert set(many.tolist()) == {raw[0]}


def test_null_reads_as_empty() -> None:
    raw, words = margins(toy_model(), pa.array([None, ""], pa.large_string()))
    assert raw[0] == raw[1] == pytest.approx(0.2)
    assert words.tolist() == [0, 0]
