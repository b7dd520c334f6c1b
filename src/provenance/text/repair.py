"""The smallest repair that makes decoded text fit to read, line by line.

Repaired are line ends (CRLF, CR, vertical tab, form feed become LF), the other C0 controls and DEL (removed), C1
controls (Windows-1252 text that was read as Latin-1: they become what the WHATWG Encoding Standard says), runs
of the replacement character (one is enough) and a byte-order mark at the head. Case, punctuation, spacing and
normalisation form stay, because style and markers read them.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provenance.text.buffers import string_buffers

_LINE_END: Final = re.compile("\r\n?|[\x0b\x0c]")
_REPLACEMENTS: Final = re.compile("\ufffd{2,}")


def _controls() -> dict[int, str | None]:
    table: dict[int, str | None] = {code: None for code in range(0x20) if code not in (0x09, 0x0A)}
    table[0x7F] = None
    for code in range(0x80, 0xA0):
        table[code] = bytes([code]).decode("cp1252", errors="ignore") or None
    return table


_CONTROLS: Final = _controls()


def repair(raw: pa.LargeStringArray) -> pa.LargeStringArray:
    """Repair each text; the same array when none needs it.

    Args:
        raw: Decoded texts, without nulls.

    Returns:
        As many texts. ``raw`` itself, not a copy, when nothing had to change.
    """
    from provenance.text.flaws.kernel import find_flaws

    values, offsets = string_buffers(raw)
    found = np.zeros(len(raw), np.bool_)
    find_flaws(values, offsets, found)
    if not found.any():
        return raw
    flawed = pa.array(found)
    mended = pa.array([repair_one(text) for text in raw.filter(flawed).to_pylist()], pa.large_string())
    return pc.replace_with_mask(raw, flawed, mended)


def repair_one(text: str) -> str:
    """Repair one text (see the module's first lines for what that changes)."""
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff")).translate(_CONTROLS)
    return _REPLACEMENTS.sub("\ufffd", text)
