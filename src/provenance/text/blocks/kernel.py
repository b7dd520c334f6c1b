"""Makes the tests of 64 bytes at once that loops over text begin with."""

# mypy: ignore-errors
# Numba gives an intrinsic another signature than its definition has.

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import pointer_add
from numba.extending import intrinsic

BLOCK = ir.VectorType(ir.IntType(8), 64)


def _all(value: int) -> Any:
    return ir.Constant(BLOCK, [value] * 64)


def _among(builder: Any, block: Any, ranges: Any) -> Any:
    found = None
    for first, last in ranges:
        if first == last:
            inside = builder.icmp_unsigned("==", block, _all(first))
        elif first == 0:
            inside = builder.icmp_unsigned("<=", block, _all(last))
        elif last == 255:
            inside = builder.icmp_unsigned(">=", block, _all(first))
        else:
            inside = builder.icmp_unsigned("<=", builder.sub(block, _all(first)), _all(last - first))
        found = inside if found is None else builder.or_(found, inside)
    return found


def masks(*classes: tuple[tuple[int, int], ...]) -> Any:
    """A function of an address and an index for kernels: of 64 bytes, one number of 64 bits for each class.

    Args:
        classes: Each a tuple of ranges of bytes, both ends included.
    """
    several = types.UniTuple(types.uint64, len(classes))

    @intrinsic
    def of_block(_context: Any, data: Any, index: Any) -> Any:
        def build(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            block = builder.load(pointer_add(builder, *args, return_type=BLOCK.as_pointer()), align=1)
            found = [builder.bitcast(_among(builder, block, ranges), ir.IntType(64)) for ranges in classes]
            return context.make_tuple(builder, several, found)

        return several(data, index), build

    return of_block


@intrinsic
def ones(_context: Any, value: Any) -> Any:
    """How many bits are set."""

    def build(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(value), build
