"""The language of each text, or ``und`` where a confident answer can't be given.

Plain English is told by its function words, compiled; it is what CLD2 would say too (in 99.99 of 100 such texts) at a
twentieth of the time. CLD2 (Apache-2.0) answers for all else: its tables are compiled into the ``pycld2`` wheel, so no
model file is read. Why it and not another, with figures: ``docs/decisions/0002-language-identification.md`` and
``benchmarks/language.py``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.text.buffers import string_buffers

VERSION: Final = "pycld2-2"
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

_ENGLISH: Final = (
    "the of and to that is it for with was on as be by this are you have not from they he but his had were which we "
    "she their has been there who would when more if said what about will them than only then some could these first "
    "my now any her him its your how did into over after also where why because should through those while even such "
    "here us our just like know get one an at or can all may"
)
_OTHERS: Final = (
    "o wi tae fae frae wis tha nae hae ane ither fowk syne cuid oot aboot fer whaur een ilka thair gie mair "  # Scots
    "dem dey wey na di dis wetin abi sey una "  # pidgins
    "de la le les des et en un une que los las el y por para con del che non il per der die und das ist nicht den von "
    "zu van het dat niet da os em um com i w je se och att av det og til jag ikke im yang dan untuk dengan ini "
    "itu ang ng mga sa ay si est ad qui quod cum ut sed hic esse"
)
_SHIFT: Final = 53
_FACTOR: Final = 0x7FA6F938F8F36341
"""Under which no two of these words share a place in the table."""

_MIN_LETTERS: Final = 60
_MIN_WORDS: Final = 12
_LEAST_ENGLISH: Final = 120
"""English function words that every chunk must have in a thousand words; English prose has 300 to 500."""

_MOST_OTHERS: Final = 0.02
_MOST_FOREIGN: Final = 0.05
_LEAST_LETTERS: Final = 0.5


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
    found = ["en"] * len(texts)
    for row in np.flatnonzero(~_plain_english(values, first, starts, ends)).tolist():
        pieces = [values[starts[at] : ends[at]].tobytes() for at in range(first[row], first[row + 1])]
        found[row] = _identify("\n".join(piece.decode("utf-8", errors="ignore") for piece in pieces))
    return found


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


def _plain_english(
    values: npt.NDArray[np.uint8],
    first: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Which texts are English beyond doubt, in every part of their windows."""
    from provenance.text.language import kernel

    counts = np.zeros((len(first) - 1, kernel.COUNTS), np.int64)
    kernel.count_words(values, starts, ends, first, _table(), np.uint64(_SHIFT), np.uint64(_FACTOR), counts)
    letters, words, least, others, foreign, size = counts.T
    plain: npt.NDArray[np.bool_] = (
        (letters >= np.maximum(_MIN_LETTERS, _LEAST_LETTERS * size))
        & (words >= _MIN_WORDS)
        & (least >= _LEAST_ENGLISH)
        & (least < 1000)
        & (others <= _MOST_OTHERS * words)
        & (foreign <= _MOST_FOREIGN * size)
    )
    return plain


@cache
def _table() -> npt.NDArray[np.uint64]:
    table = np.zeros(1 << 64 - _SHIFT, np.uint64)
    for words, english in ((_OTHERS, 0), (_ENGLISH, 1)):
        for word in words.split():
            packed = int.from_bytes(word.encode(), "big")
            table[(packed * _FACTOR & 0xFFFFFFFFFFFFFFFF) >> _SHIFT] = packed << 1 | english
    return table


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
