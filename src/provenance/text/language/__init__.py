"""The language of each text, or ``und`` where a confident answer can't be given.

Plain text in seven languages is told by its function words, compiled; it is what CLD2 would say too (of 99.9 in 100
such texts) at a twentieth of the time. CLD2 (Apache-2.0) answers for all else: its tables are compiled into the
``pycld2`` wheel, so no model file is read. Why it and not another, with figures:
``docs/decisions/0002-language-identification.md`` and ``benchmarks/language.py``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.text.buffers import string_buffers

VERSION: Final = "pycld2-3"
"""Changes whenever the same text may get another language; recorded with every scan."""

UNDETERMINED: Final = "und"

MIN_BYTES: Final = 24
"""Letters and the spaces between them that CLD2 must have found, in UTF-8 bytes: eight Han characters, four
English words."""

MIN_PERCENT: Final = 70
"""Share of the text that must be in one language. With ``MIN_BYTES`` and CLD2's own reliability flag this is the
confidence bound: on 75 languages' news it keeps 99 % of texts of 150 characters, of which 98 % are right."""

_WINDOW: Final = 1024
_WINDOWS: Final = 3
_REFUSED: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]|[\U0001fffe-\U0001ffff\U0010fffe-\U0010ffff]"
)

_CODES: Final = {
    "iw": "he",
    "in": "id",
    "jw": "jv",
    "ji": "yi",
    "mo": "ro",
    "bh": "bho",
    "bih": "bho",
    "zh-Hant": "zh",
    "sr-ME": "sr",
    "un": UNDETERMINED,
    "xxx": UNDETERMINED,
    "tlh": UNDETERMINED,
    "zzb": UNDETERMINED,
    "zze": UNDETERMINED,
    "zzh": UNDETERMINED,
    "zzp": UNDETERMINED,
}
"""CLD2's codes that are not ISO 639 as it stands, and its constructed or joke languages."""

_WORDS: Final = {
    "en": (
        "the of and to that is it for with was on as be by this are you have not from they he but his had were which "
        "we she their has been there who would when more if said what about will them than only then some could these "
        "first my now any her him its your how did into over after also where why because should through those while "
        "even such here us our just like know get one an at or can all may i me in am so do no up out a"
    ),
    "de": (
        "der die das und ist nicht den von zu mit sich auf ein eine einen einem einer des dem im als auch es werden "
        "aus er hat dass sie nach wird bei um noch wie nur oder aber vor zur bis mehr durch sein wurde sind hatte "
        "kann gegen vom haben wenn ihre diese dieser ich wir ihr zum unter mich mir uns doch schon in an am so"
    ),
    "es": (
        "de la que el en y los del se las por un con para una su al lo como le ya este sus esta entre pero cuando "
        "muy sin sobre ser hay han fue todo desde nos si dos hasta no me a o"
    ),
    "pt": (
        "de que e da em um para com uma os se na por dos como mas ao das seu sua ou quando nos pela pelo isso ela "
        "entre depois sem mesmo aos seus quem nas esse eles essa foi o a no"
    ),
    "fr": (
        "de la le et les des en un une du est que dans qui par pour au sur pas ne se sont avec il ce cette sa ses "
        "aux mais comme ou leur elle nous vous ils tout ont aussi entre deux sans y on"
    ),
    "it": (
        "di e il la che un non una con le si del da sono alla della lo ma al gli dei nel dal anche ed delle se alle "
        "su nella questo suo quando stato tra loro in a i"
    ),
    "nl": (
        "de het een van en dat op te zijn met voor niet aan er om ook als dan maar bij uit nog naar heeft hij door "
        "wordt deze worden dit al kan meer tot wel werd haar hun zich geen ze zij ik je in is of over"
    ),
}
"""Function words, of at most seven ASCII letters. A word of several languages is told of all of them."""

_OTHERS: Final = (
    "wi tae fae frae wis tha nae hae ane ither fowk syne cuid oot aboot fer whaur een ilka thair gie mair "  # Scots
    "dem dey wey na di dis wetin abi sey una "  # pidgins
    "w att av det og til jag ikke yang dan untuk dengan ini itu ang ng mga sa ay ad quod cum ut sed hic esse "
    "amb els dels seva aquest als fins molt unha coa coas moi ata polo pola nel nes col dins lei leis u "
    "nie hulle wat vir ons sy deur fan yn oan foar ek mei ass och vun mat eng gouf nich ook un "
    "cu pe care nu din este sau ina ils sia tut kaj estas mi ni nan yo ki ak pou ar ha"
)
_BITS: Final = 13
_SHIFT: Final = 64 - _BITS
_FACTOR: Final = 0x1FC1B7E20B546FDF
"""Under which no two of these words share a place in the table."""

_MIN_LETTERS: Final = 60
_MIN_WORDS: Final = 12
_LEAST_LETTERS: Final = 0.5
_RULES: Final = {
    "en": (0.15, 50, 0.03, 0.1),
    "de": (0.18, 0, 0.03, 0.12),
    "es": (0.3, 0, 0.03, 0.12),
    "pt": (0.2, 50, 0.05, 0.14),
    "fr": (0.25, 0, 0.03, 0.12),
    "it": (0.28, 0, 0.03, 0.1),
    "nl": (0.2, 50, 0.05, 0.14),
}
"""For each language the least share of its function words (English prose has 0.3 to 0.5), the fewest of them in a
thousand words of every chunk, the largest share of words that are other languages' alone, and of bytes beyond ASCII."""


def identify(texts: pa.LargeStringArray) -> list[str]:
    """Name the language of each text.

    At most three windows of 1 KiB are read: the head, the middle and the end.

    Args:
        texts: Repaired texts, without nulls.

    Returns:
        An ISO 639-1 code, else a 639-3 code, else ``und``, for each text. ``und`` means too few letters, no
        language with at least 70 % of the text, or an answer that CLD2 itself calls unreliable.
    """
    if len(texts) == 0:
        return []
    values, offsets = string_buffers(texts)
    first, starts, ends = _windows(offsets)
    answers = _by_words(values, first, starts, ends)
    for row in [row for row, answer in enumerate(answers) if not answer]:
        pieces = [values[starts[at] : ends[at]].tobytes() for at in range(first[row], first[row + 1])]
        answers[row] = _identify("\n".join(piece.decode("utf-8", errors="ignore") for piece in pieces))
    return answers


def _windows(
    offsets: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bounds of the windows of all texts; those of text ``i`` are ``first[i]`` up to ``first[i + 1]``."""
    begins, stops = offsets[:-1], offsets[1:]
    long = stops - begins > _WINDOW * _WINDOWS
    first = np.concatenate([[0], np.cumsum(np.where(long, _WINDOWS, 1))])
    starts, ends = np.empty(first[-1], np.int64), np.empty(first[-1], np.int64)
    heads = first[:-1]
    starts[heads], ends[heads] = begins, np.where(long, begins + _WINDOW, stops)
    heads, begins, stops = heads[long], begins[long], stops[long]
    for place, at in ((1, (begins + stops - _WINDOW) // 2), (2, stops - _WINDOW)):
        starts[heads + place], ends[heads + place] = at, at + _WINDOW
    return first, starts, ends


def _by_words(
    values: npt.NDArray[np.uint8],
    first: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> list[str]:
    """The languages of texts that are in one beyond doubt, in every part of their windows; empty for the others."""
    from provenance.text.language import kernel

    table, lanes = _tables()
    counts = np.zeros((len(first) - 1, kernel.COUNTS), np.int64)
    kernel.count_words(values, starts, ends, first, table, lanes, np.uint64(_SHIFT), np.uint64(_FACTOR), counts)
    letters, words, listed, foreign, size = counts.T[: kernel.HITS]
    clear = (letters >= np.maximum(_MIN_LETTERS, _LEAST_LETTERS * size)) & (words >= _MIN_WORDS)
    answers = np.full(len(counts), "", dtype=object)
    for number, (language, (share, fewest, most_others, most_foreign)) in enumerate(_RULES.items()):
        least, own = counts[:, kernel.LEAST + number], counts[:, kernel.HITS + number]
        others = listed - own
        answers[
            clear
            & (own >= share * words)
            & (least >= fewest)
            & (least < 1000)
            & (others <= most_others * words)
            & (foreign <= most_foreign * size)
        ] = language
    found: list[str] = answers.tolist()
    return found


@cache
def _tables() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Words by place, and a byte for each language by set of languages."""
    languages: dict[int, int] = {_packed(word): 0 for word in _OTHERS.split()}
    for number, words in enumerate(_WORDS.values()):
        for word in words.split():
            languages[_packed(word)] = languages.get(_packed(word), 0) | 1 << number
    table = np.zeros(1 << _BITS, np.uint64)
    for packed, of in languages.items():
        table[(packed * _FACTOR & 0xFFFFFFFFFFFFFFFF) >> _SHIFT] = packed << 8 | of
    lanes = [sum(1 << 8 * number for number in range(8) if of >> number & 1) for of in range(256)]
    return table, np.array(lanes, np.uint64)


def _packed(word: str) -> int:
    return int.from_bytes(word.encode(), "big")


def _identify(sample: str) -> str:
    import pycld2

    try:
        reliable, found, details = pycld2.detect(sample, isPlainText=True, bestEffort=True)
    except pycld2.error:
        try:
            reliable, found, details = pycld2.detect(_REFUSED.sub(" ", sample), isPlainText=True, bestEffort=True)
        except pycld2.error:
            return UNDETERMINED
    code, percent = details[0][1], details[0][2]
    if not reliable or found < MIN_BYTES or percent < MIN_PERCENT:
        return UNDETERMINED
    code = _CODES.get(code, code)
    return UNDETERMINED if code.startswith("xx-") else code
