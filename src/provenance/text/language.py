"""The language of each text, or ``und`` where a confident answer can't be given.

CLD2 (Apache-2.0) does the work: its tables are compiled into the ``pycld2`` wheel, so no model file is read. Why
it and not another, with figures: ``docs/decisions/0002-language-identification.md`` and ``benchmarks/language.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import pyarrow as pa

VERSION: Final = "pycld2-1"
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


def identify(texts: pa.LargeStringArray) -> list[str]:
    """Name the language of each text.

    At most three windows of 1 KiB are read: the head, the middle and the end.

    Args:
        texts: Repaired texts, without nulls.

    Returns:
        An ISO 639-1 code, else a 639-3 code, else ``und``, for each text. ``und`` means too few letters, no
        language with at least 70 % of the text, or an answer that CLD2 itself calls unreliable.
    """
    return [_identify(sample) for sample in _samples(texts)]


def _samples(texts: pa.LargeStringArray) -> Iterator[str]:
    if len(texts) == 0:
        return
    _, offset_buffer, data = texts.buffers()
    offsets = memoryview(offset_buffer).cast("q")[texts.offset : texts.offset + len(texts) + 1].tolist()
    content = memoryview(data) if data is not None else memoryview(b"")
    for start, end in pairwise(offsets):
        if end - start <= _WINDOW * _WINDOWS:
            pieces = [bytes(content[start:end])]
        else:
            middle = (start + end - _WINDOW) // 2
            pieces = [bytes(content[at : at + _WINDOW]) for at in (start, middle, end - _WINDOW)]
        yield "\n".join(piece.decode("utf-8", errors="ignore") for piece in pieces)


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
