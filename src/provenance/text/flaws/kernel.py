# mypy: ignore-errors
# Compiled in: text/blocks/kernel.py 42a77ebf, text/utf8/kernel.py 60a5d264
"""Kernel that finds texts with anything that repair changes."""

from __future__ import annotations

import numpy as np

from provenance.text.blocks.kernel import masks
from provenance.text.utf8.kernel import entry, inner_inlined, pointer, trailing_zeros

U64 = np.uint64
ONE = U64(1)
ALL = ~U64(0)

suspects = masks(((0, 8), (11, 31), (127, 127)), ((0xC2, 0xC2), (0xEF, 0xEF)))
"""Control characters of ASCII, and first bytes of C1 controls, byte-order marks and replacement characters."""


@inner_inlined
def _is_flaw(text, at, start, end):
    """Whether a suspect's first byte begins a flaw."""
    byte = text[U64(at)]
    if byte == 0xC2:
        return text[U64(at + 1)] < 0xA0
    if byte == 0xEF:
        second, third = text[U64(at + 1)], text[U64(at + 2)]
        if second == 0xBB and third == 0xBF:
            return at == start
        return (
            second == 0xBF
            and third == 0xBD
            and at + 5 < end
            and text[U64(at + 3)] == 0xEF
            and text[U64(at + 4)] == 0xBF
            and text[U64(at + 5)] == 0xBD
        )
    return (byte < 32 and byte != 9 and byte != 10) or byte == 127


@entry
def find_flaws(data, offsets, out):
    """Say of each text of valid UTF-8 whether it has a flaw."""
    text = pointer(data)
    size = data.size
    for row in range(offsets.size - 1):
        start, end = offsets[row], offsets[row + 1]
        at = start
        flawed = False
        while at < end and not flawed:
            if at + 64 > size:
                flawed = _is_flaw(text, at, start, end)
                at += 1
                continue
            controls, leads = suspects(text, at)
            if end - at < 64:
                controls &= ALL >> U64(64 - (end - at))
                leads &= ALL >> U64(64 - (end - at))
            flawed = controls != 0
            while leads and not flawed:
                flawed = _is_flaw(text, at + np.int64(trailing_zeros(leads)), start, end)
                leads &= leads - ONE
            at += 64
        out[row] = flawed
