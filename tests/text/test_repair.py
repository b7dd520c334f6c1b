"""Repair changes what is broken and nothing else."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.text.repair import repair, repair_one


def test_nothing_is_copied_when_nothing_is_broken() -> None:
    texts = pa.array(
        ["Straße,\tTab\nund Zeile", "日本語", "", "e\u0301 stays decomposed", "a\u200db"], pa.large_string()
    )
    assert repair(texts) is texts


@pytest.mark.parametrize(
    ("raw", "mended"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("page\x0cbreak\x0bhere", "page\nbreak\nhere"),
        ("nul\x00 bell\x07 delete\x7f", "nul bell delete"),
        ("it\x92s \x93quoted\x94\x85", "it’s “quoted”…"),
        ("lost \ufffd\ufffd\ufffd bytes \ufffd", "lost \ufffd bytes \ufffd"),
        ("\ufeffhead", "head"),
        ("inside\ufeff stays", "inside\ufeff stays"),
        ("\x81\x8d", ""),
    ],
)
def test_what_is_repaired(raw: str, mended: str) -> None:
    texts = pa.array(["before", raw, "after"], pa.large_string())
    assert repair(texts).to_pylist() == ["before", mended, "after"]
    assert repair(texts.slice(1, 1)).to_pylist() == [mended]


def test_a_manifest_in_variation_selectors_survives() -> None:
    wrapper = "\ufeff" + "".join(chr(0xE0100 + value) for value in range(30))
    assert repair_one("text\r\n" + wrapper) == "text\n" + wrapper


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_repair_is_idempotent_and_agrees_with_its_one_text_form(texts: list[str]) -> None:
    mended = repair(pa.array(texts, pa.large_string()))
    assert mended.to_pylist() == [repair_one(text) for text in texts]
    assert repair(mended) is mended or repair(mended).equals(mended)


FLAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]|\ufffd\ufffd|\\A\ufeff")
PIECES = ["plain words ", "x" * 50, "\t", "\n", "é", "\xa0", "\uff1a", "\uffff", "\ufeff", "\ufffd"]
FLAWS = ["\x00", "\x1f", "\x0b", "\x7f", "\x80", "\x9f", "\ufffd\ufffd"]


@given(st.lists(st.lists(st.sampled_from(PIECES * 4 + FLAWS), max_size=12).map("".join), min_size=1))
def test_texts_that_need_repair_are_told_wherever_the_flaw_stands(texts: list[str]) -> None:
    mended = repair(pa.array(texts, pa.large_string())).to_pylist()
    for raw, whole in zip(texts, mended, strict=True):
        assert whole == repair_one(raw)
        assert (whole != raw) == bool(FLAW.search(raw))
