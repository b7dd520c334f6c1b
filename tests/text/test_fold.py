from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.text.fold import fold, fold_reference

IGNORABLE = "\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u202e\u2060\u2066\ufe0f\ufeff\U000e0041\U000e0100"
JOINING = "\u0301\u0308\u0323\u0345\u0327\u3099\u1161\u11a8\u09be\u0f71\u0f72"
LOOKALIKES = "abcehikmnopstuxyабвехкмнорсухіјѕαεηικνορτυχհոսօ"
MIXED = "жщдλδբéёñ19 -.\t世カไ한ﬁΩ㎛ﾊﾟİßςẞ\u1e9e\u212bǅ"

hostile = st.one_of(
    st.text(),
    st.text(st.sampled_from(LOOKALIKES + MIXED + JOINING + IGNORABLE)),
    st.text(st.sampled_from("aeE nN" + JOINING), max_size=300),
    st.text(st.sampled_from(LOOKALIKES + " 1")),
    st.text(st.characters(min_codepoint=0x300, max_codepoint=0x1200)),
)


def folded(*texts: str | None) -> list[str | None]:
    result: list[str | None] = fold(pa.array(texts, pa.large_string())).to_pylist()
    return result


@settings(max_examples=300, deadline=None)
@given(st.lists(hostile, min_size=1, max_size=30))
def test_kernel_gives_what_the_plain_form_gives(texts: list[str]) -> None:
    assert folded(*texts) == [fold_reference(text) for text in texts]


pieces = st.sampled_from(
    [
        "Word ",
        "word",
        "АБВ ",
        "где",
        "ß",
        "É",
        "é",
        "世",
        "한",
        "ش",
        "ไม่",
        "க",
        "\u0bbe",
        "য\u09bc",
        "1",
        "ΩΜ",
        "ѕее",
        " ",
        "\n\n",
        "\t ",
        "\u00a0",
        "，",
        "…",
        "—",
        "ﬁ",
        "㉠",
        "\u200d",
        "\u0301",
        "\u0334",
        "\u0323",
        "\u0338",
        "<",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(pieces, max_size=60).map("".join), min_size=1, max_size=4))
def test_every_kind_of_character_crosses_the_edges_of_blocks(texts: list[str]) -> None:
    assert folded(*texts, " " * 100) == [*map(fold_reference, texts), ""]


@settings(max_examples=300, deadline=None)
@given(st.lists(hostile, min_size=1, max_size=30))
def test_folding_again_changes_nothing(texts: list[str]) -> None:
    once = folded(*texts)
    assert folded(*once) == once


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=0x2FFFF, exclude_categories=["Cs", "Cn"])), min_size=1))
def test_one_script_folds_as_the_standard_library_does(texts: list[str]) -> None:
    """NFKC_Casefold is NFKC of the case-folded NFKC, less ignorable characters, for what Python knows."""
    texts = ["".join(c for c in text if plain(c) and not of_other_script(c)) for text in texts]
    expected = []
    for text in texts:
        normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        expected.append(" ".join(piece for piece in normal.split(" ") if piece))
    assert folded(*texts) == expected


def plain(character: str) -> bool:
    """No ignorable or control character, and nothing that folds together with its neighbours."""
    return (
        unicodedata.category(character) not in ("Cf", "Cc", "Zl", "Zp")
        and character != "\u1680"
        and "\u0345" not in unicodedata.normalize("NFD", character)
        and not any(ord(c) in IGNORED for c in unicodedata.normalize("NFKD", character))
    )


def of_other_script(character: str) -> bool:
    """Whether it becomes a letter that may be taken for a disguise beside a Latin one."""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    return any(unicodedata.name(c, "").startswith(("CYRILLIC", "GREEK", "ARMENIAN")) for c in decomposed)


def of_two_scripts(character: str) -> bool:
    """Whether it becomes a word of two scripts by itself, as the kilo-ohm sign does."""
    return len(unicodedata.normalize("NFKC", character)) > 1 and of_other_script(character)


IGNORED = frozenset(
    (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10))
)
IGNORED |= frozenset(range(0xE0000, 0xE1000))


def test_every_assigned_code_point_alone() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    characters = [c for c in characters if unicodedata.category(c) != "Cn" and plain(c) and not of_two_scripts(c)]
    expected = [
        unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", c).casefold()).strip(" ") for c in characters
    ]
    assert len(characters) > 280_000
    assert folded(*characters) == expected


def test_every_character_that_changes_beside_letters_of_two_scripts() -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    changing = [c for c, result in zip(characters, folded(*characters), strict=True) if c != result]
    assert len(changing) > 10_000
    changing = changing[:7000] + changing[7000::5]
    texts = [text for c in changing for text in (c, f"a{c}", f"{c}\u0431", f"e {c}{c}\u0301")]
    assert folded(*texts) == [fold_reference(text) for text in texts]


@pytest.mark.parametrize(
    ("disguised", "plain_text"),
    [
        ("The quick\u00a0 brown\n\n\tfox ", "the quick brown fox"),
        ("q\u200bu\u00adi\u2060ck\ufeff", "quick"),
        ("\u202eright\u202c to left", "right to left"),
        ("\uff34\uff48\uff45 \uff43\uff41\uff54", "the cat"),
        ("\U0001d42d\U0001d421\U0001d41e", "the"),
        ("Strasse STRASSE straße", "strasse strasse strasse"),
        ("cafe\u0301 CAFÉ", "café café"),
        ("e\u200b\u0301", "é"),
        ("ⅷ ﬁve", "viii five"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("ΟΔΟΣ", "οδοσ"),
        ("g\U000e0067\U000e007f", "g"),
    ],
)
def test_disguises_vanish(disguised: str, plain_text: str) -> None:
    assert folded(disguised) == [plain_text]


@pytest.mark.parametrize(
    ("disguised", "plain_text"),
    [
        ("pаypаl", "paypal"),
        ("Ηello Wоrld", "hello world"),
        ("сhаrасtеrѕ", "characters"),
        ("tհe սոit", "the unit"),
        ("Мocквa это гoрoд", "москва это город"),
        ("Тhе саt ѕаt оn а mаt", "the cat sat on a mat"),
    ],
)
def test_mixed_words_are_written_in_one_script(disguised: str, plain_text: str) -> None:
    assert folded(disguised) == [plain_text]


@pytest.mark.parametrize(
    "whole",
    [
        "привет мир",
        "роса и сосна",
        "раса",
        "καλημερα κοσμε",
        "hello ссср world",
        "the α level",
        "5 μm",
        "بسم الله",
        "բարեւ ձեզ",
        "english и русский",
    ],
)
def test_words_of_one_script_stay(whole: str) -> None:
    assert folded(whole) == [whole]


def test_persian_words_stay_one_word_with_and_without_the_joiner() -> None:
    assert folded("می\u200cخواهم") == folded("میخواهم") == ["میخواهم"]


def test_nulls_stay_and_slices_fold_alike() -> None:
    texts = pa.array(["Skip", "A", None, "", "B " * 100, "\u00c9"], pa.large_string())
    assert fold(texts.slice(1)).to_pylist() == ["a", None, "", ("b " * 100).strip(), "é"]
    assert fold(texts.slice(0, 0)).to_pylist() == []


def test_a_character_that_grows_needs_no_room_in_advance() -> None:
    text = "\ufdfa" * 20_000
    assert folded("a", text, "b") == ["a", fold_reference("\ufdfa") * 20_000, "b"]


def test_a_million_marks_take_linear_time() -> None:
    marks = "\u0301\u0323" * 300_000
    assert folded("a" + marks) == ["\u1ea1" + "\u0323" * 299_999 + "\u0301" * 300_000]


def test_unassigned_code_points_pass() -> None:
    assert folded("A\U0003fffdB\u0378") == ["a\U0003fffdb\u0378"]
