"""Bytes eight at a time, code points, and their properties, for the loops over Arrow string buffers.

Texts are valid UTF-8, as Arrow promises.
"""

# mypy: ignore-errors
# Numba gives an intrinsic another signature than its definition has.

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import pointer_add
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

# Only entry points need a place in the cache: their code holds all that they call.
inner = njit(nogil=True)
inner_inlined = njit(nogil=True, inline="always")


@intrinsic
def load(_context: Any, array: Any, index: Any) -> Any:
    """Eight bytes from any address, little-endian."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        address = pointer_add(builder, data, args[1], return_type=ir.IntType(64).as_pointer())
        return builder.load(address, align=1)

    return types.uint64(array, index), build


@intrinsic
def save(_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes to any address, little-endian."""

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        address = pointer_add(builder, data, args[1], return_type=ir.IntType(64).as_pointer())
        builder.store(args[2], address, align=1)
        return context.get_dummy_value()

    return types.none(array, index, value), build


@intrinsic
def trailing_zeros(_context: Any, value: Any) -> Any:
    """Zero bits below the lowest one; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(value), build


@intrinsic
def leading_zeros(_context: Any, value: Any) -> Any:
    """Zero bits above the highest one; 64 for zero."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(value), build


# Unsigned places spare the check for negative ones, which count from the end.
@inner_inlined
def decode(data, at):
    """The code point at a byte, and how many bytes it takes."""
    first = np.int64(data[np.uint64(at)])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | np.int64(data[np.uint64(at + 1)]) & 0x3F, 2
    if first < 0xF0:
        return (first & 0xF) << 12 | (np.int64(data[np.uint64(at + 1)]) & 0x3F) << 6 | np.int64(
            data[np.uint64(at + 2)]
        ) & 0x3F, 3
    return (
        (first & 7) << 18
        | (np.int64(data[np.uint64(at + 1)]) & 0x3F) << 12
        | (np.int64(data[np.uint64(at + 2)]) & 0x3F) << 6
        | np.int64(data[np.uint64(at + 3)]) & 0x3F
    ), 4


@inner
def encode(out, at, code):
    """Write a code point; the byte after it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@inner_inlined
def place_of(index, code):
    """Where a code point's properties and mapping stand; see ``UnicodeTables``."""
    return np.int64(index[np.uint64(code >> 7)]) << 7 | code & 127


@inner_inlined
def kind_of(index, properties, code):
    """The properties of a code point; see ``UnicodeTables``."""
    return np.int64(properties[np.uint64(np.int64(index[np.uint64(code >> 7)]) << 7 | code & 127)])
