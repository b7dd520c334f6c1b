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
inner_inlined = njit(nogil=True, forceinline=True)


def entry(function: Any) -> Any:
    """Compile a function that Python calls, and keep its machine code.

    It lies beside the package, or in the user's cache folder where the package can't be written, or in
    ``NUMBA_CACHE_DIR``. Where there is no such place either, it is compiled anew in every process.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


BLOCK = ir.VectorType(ir.IntType(8), 64)
THREE = types.UniTuple(types.uint64, 3)


@intrinsic
def pointer(_context: Any, array: Any) -> Any:
    """The address of an array's first element, to be read and written by place like the array itself.

    Passing an array counts its references up and down, which costs more than most of what is done with it here.
    """

    def build(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), build


@intrinsic
def load(_context: Any, data: Any, index: Any) -> Any:
    """Eight bytes from any address, little-endian."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(pointer_add(builder, *args, return_type=ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, index), build


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


def _all(value: int) -> Any:
    return ir.Constant(BLOCK, [value] * 64)


def _between(builder: Any, block: Any, first: int, last: int) -> Any:
    return builder.icmp_unsigned("<=", builder.sub(block, _all(first)), _all(last - first))


def _block_at(builder: Any, data: Any, index: Any) -> Any:
    return pointer_add(builder, data, index, return_type=BLOCK.as_pointer())


def _bits(context: Any, builder: Any, masks: Any) -> Any:
    return context.make_tuple(builder, THREE, [builder.bitcast(mask, ir.IntType(64)) for mask in masks])


@intrinsic
def classify_block(_context: Any, data: Any, index: Any) -> Any:
    """Of 64 bytes, one bit each: ASCII letters and digits; all beyond ASCII; the first of each such character."""

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        block = builder.load(_block_at(builder, *args), align=1)
        letters = _between(builder, builder.or_(block, _all(0x20)), 97, 122)
        words = builder.or_(letters, _between(builder, block, 48, 57))
        foreign = builder.icmp_signed("<", block, _all(0))
        return _bits(context, builder, (words, foreign, _between(builder, block, 0xC0, 0xFF)))

    return THREE(data, index), build


@intrinsic
def fold_block(_context: Any, data: Any, index: Any, out: Any, to: Any) -> Any:
    """Copy 64 bytes, ASCII in lower case and its white space as spaces.

    Returns one bit for each byte: white space; ASCII letters and digits; the first of each character beyond ASCII.
    """

    def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        block = builder.load(_block_at(builder, *args[:2]), align=1)
        spaces = builder.or_(_between(builder, block, 9, 13), builder.icmp_unsigned("==", block, _all(32)))
        folded = builder.select(_between(builder, block, 65, 90), builder.or_(block, _all(0x20)), block)
        folded = builder.select(spaces, _all(32), folded)
        builder.store(folded, _block_at(builder, *args[2:]), align=1)
        words = builder.or_(_between(builder, folded, 97, 122), _between(builder, block, 48, 57))
        return _bits(context, builder, (spaces, words, _between(builder, block, 0xC0, 0xFF)))

    return THREE(data, index, out, to), build


# In an array, unsigned places spare the check for negative ones, which count from the end.
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
