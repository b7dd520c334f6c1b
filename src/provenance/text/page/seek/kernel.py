# mypy: ignore-errors
# ruff: noqa: C901, ARG001 - one comparison after the other; an intrinsic's arguments are types
# Compiled in: text/utf8/kernel.py 60a5d264
"""What a pass over markup looks for: the next byte of a kind, the end of a raw element, a tag that declares something.

Data are pointers (see `text.utf8.kernel.pointer`); nothing at or behind ``end`` is read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from provenance.text.utf8.kernel import BLOCK, _block_at, inner, inner_inlined, trailing_zeros

META, LINK, SCRIPT, A = (np.uint64(int.from_bytes(name, "big")) for name in (b"meta", b"link", b"script", b"a"))
_FARTHEST = 4096
"""Bytes of a meta tag in which its name is looked for."""
_LONGEST = 128
"""Bytes of a name in which a word is looked for."""


@intrinsic
def equal_bytes(_context: Any, data: Any, index: Any, byte: Any) -> Any:
    """Of 64 bytes, one bit for each that is this one."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        block = builder.load(_block_at(builder, *args[:2]), align=1)
        one = builder.insert_element(ir.Constant(BLOCK, ir.Undefined), args[2], ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        wanted = builder.shuffle_vector(one, ir.Constant(BLOCK, ir.Undefined), lanes)
        return builder.bitcast(builder.icmp_unsigned("==", block, wanted), ir.IntType(64))

    return types.uint64(data, index, types.uint8), build


@inner_inlined
def find(data, at, end, byte):
    """Where this byte stands next; ``end`` if nowhere."""
    while at + 64 <= end:
        found = equal_bytes(data, at, byte)
        if found:
            return at + np.int64(trailing_zeros(found))
        at += 64
    while at < end and data[at] != byte:
        at += 1
    return at


@inner
def name(data, at, end):
    """The first eight letters of a name in lower case, packed, and where it ends."""
    key = np.uint64(0)
    size = 0
    while at < end:
        byte = data[at]
        if byte <= 32 or byte == 47 or byte == 62 or byte == 61:
            break
        if size < 8:
            key = key << np.uint64(8) | np.uint64(byte | 32)
        size += 1
        at += 1
    return key, at


@inner
def raw_end(data, at, end, key):
    """Where the end tag of a raw element stands."""
    while True:
        at = find(data, at, end, np.uint8(60))
        if at >= end - 1:
            return end
        if data[at + 1] == 47:
            other, _ = name(data, at + 2, end)
            if other == key:
                return at
        at += 1


@inner
def comment_end(data, at, end):
    """The byte behind a comment whose text begins at ``at``."""
    while True:
        at = find(data, at, end, np.uint8(45))
        if at >= end - 2:
            return end
        if data[at + 1] == 45 and data[at + 2] == 62:
            return at + 3
        at += 1


@inner
def _is(data, at, end, text):
    """Whether a text in lower case stands here, in any case."""
    if at + len(text) > end:
        return False
    for place in range(len(text)):
        byte = data[at + place]
        if 65 <= byte <= 90:
            byte |= 32
        if byte != text[place]:
            return False
    return True


@inner_inlined
def _is_word(byte):
    return 48 <= byte <= 57 or 65 <= byte <= 90 or byte == 95 or 97 <= byte <= 122


@inner_inlined
def _is_space(byte):
    return byte == 32 or 9 <= byte <= 13


@inner
def _names(data, at, end):
    """Whether what is named here may say something of origin or rights."""
    for place in range(at, min(end, at + _LONGEST + 1)):
        byte = data[place]
        if _is_space(byte) or byte == 34 or byte == 39 or byte == 62:
            return False
        small = byte | 32
        if small == 97:
            if _is(data, place, end, b"ai"):
                return True
        elif small == 114:
            if _is(data, place, end, b"robots") or _is(data, place, end, b"rights"):
                return True
        elif small == 98:
            if _is(data, place, end, b"bot") and (place + 3 >= end or not _is_word(data[place + 3])):
                return True
        elif small == 116:
            if _is(data, place, end, b"tdm"):
                return True
        elif small == 103:
            if _is(data, place, end, b"generator") or _is(data, place, end, b"google-ext"):
                return True
        elif small == 108:
            if _is(data, place, end, b"licen"):
                return True
        elif small == 99:
            if (
                _is(data, place, end, b"copyright")
                or _is(data, place, end, b"content-usage")
                or _is(data, place, end, b"c2pa")
            ):
                return True
        elif small == 100 and _is(data, place, end, b"digitalsource"):
            return True
    return False


@inner
def _meta_tells(data, at, end):
    stop = min(end, at + 1 + _FARTHEST)
    for place in range(at, stop):
        small = data[place] | 32
        behind = 0
        if data[place] == 62:
            return False
        if _is_word(data[place - 1]):
            continue
        if small == 110 and _is(data, place, end, b"name"):
            behind = place + 4
        elif small == 112 and _is(data, place, end, b"property"):
            behind = place + 8
        if not behind:
            continue
        while behind < end and _is_space(data[behind]):
            behind += 1
        if behind >= end or data[behind] != 61:
            continue
        behind += 1
        while behind < end and _is_space(data[behind]):
            behind += 1
        if behind < end and (data[behind] == 34 or data[behind] == 39):
            behind += 1
            while behind < end and _is_space(data[behind]):
                behind += 1
        if _names(data, behind, end):
            return True
    return False


@inner
def tells(data, at, end, key):
    """Whether a tag, behind whose name ``at`` stands, may declare origin or rights: a quick look at its words alone."""
    if at >= end or not _is_space(data[at]):
        return False
    at += 1
    if key == META:
        return _meta_tells(data, at, end)
    if key != LINK and key != SCRIPT and key != A:
        return False
    for place in range(at, end):
        byte = data[place]
        if byte == 62:
            return False
        small = byte | 32
        if key == SCRIPT:
            if small == 106:
                if _is(data, place, end, b"json"):
                    return True
            elif small == 99 and _is(data, place, end, b"c2pa"):
                return True
        elif key == A:
            if small == 108 and _is(data, place, end, b"license"):
                return True
        elif small == 108:
            if _is(data, place, end, b"licen"):
                return True
        elif small == 99:
            if _is(data, place, end, b"copyright") or _is(data, place, end, b"c2pa"):
                return True
        elif small == 97:
            if _is(data, place, end, b"ai-disc"):
                return True
        elif small == 116 and _is(data, place, end, b"tdm"):
            return True
    return False
