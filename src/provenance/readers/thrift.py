"""As much of Thrift's compact protocol as the metadata of a Parquet file needs: the fields that are asked for, bounded.

Arrow hands out the sizes of pages nowhere, and ends the process over some metadata that lies.
The format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Wanted: TypeAlias = "dict[int, Wanted | None]"
"""Fields of a struct by number; below a struct, or a list of structs, the fields of that."""

_MAX_DEPTH: Final = 32
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT, _UUID = range(1, 14)
_FIXED: Final = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8, _UUID: 16}
"""Bytes that an element of a list takes; a field of type bool takes none."""


class MalformedError(OSError):
    """The bytes are no struct in this protocol."""


def read_struct(data: bytes | memoryview, at: int, wanted: Wanted, depth: int = 0) -> tuple[dict[int, Any], int]:
    """Read the wanted fields of a struct; numbers, bytes, lists and structs as dicts.

    Returns:
        The fields that are there, and the offset behind the struct.

    Raises:
        MalformedError: It is broken or nested too deeply.
        IndexError: ``data`` ends within it.
    """
    found: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _signed(data, at)
        keep = number in wanted
        if kind in (_TRUE, _FALSE):
            value: Any = kind == _TRUE
        else:
            value, at = _value(data, at, kind, wanted.get(number) or {}, keep, depth)
        if keep:
            found[number] = value
    return found, at + 1


def _value(data: bytes | memoryview, at: int, kind: int, wanted: Wanted, keep: bool, depth: int) -> tuple[Any, int]:
    if depth > _MAX_DEPTH:
        raise MalformedError("metadata nested too deeply")
    if kind in (_I16, _I32, _I64):
        return _signed(data, at)
    if kind == _BINARY:
        size, at = _unsigned(data, at)
        _within(data, at, size)
        return bytes(data[at : at + size]) if keep else None, at + size
    if kind == _STRUCT:
        return read_struct(data, at, wanted if keep else {}, depth + 1)
    if kind in (_LIST, _SET):
        return _list(data, at, wanted, keep, depth)
    if kind == _MAP:
        return None, _behind_map(data, at, depth)
    if kind not in _FIXED:
        raise MalformedError(f"metadata of unknown type {kind}")
    _within(data, at, _FIXED[kind])
    return data[at], at + _FIXED[kind]


def _list(data: bytes | memoryview, at: int, wanted: Wanted, keep: bool, depth: int) -> tuple[list[Any], int]:
    size, kind = data[at] >> 4, data[at] & 15
    at += 1
    if size == 15:
        size, at = _unsigned(data, at)
    _within(data, at, size)  # each element takes a byte at least
    if kind in _FIXED:
        _within(data, at, size * _FIXED[kind])
        return [], at + size * _FIXED[kind]
    values = []
    for _ in range(size):
        value, at = _value(data, at, kind, wanted, keep, depth + 1)
        if keep:
            values.append(value)
    return values, at


def _behind_map(data: bytes | memoryview, at: int, depth: int) -> int:
    size, at = _unsigned(data, at)
    if size:
        kinds = data[at]
        at += 1
        _within(data, at, size)
        for _ in range(size):
            for kind in (kinds >> 4, kinds & 15):
                _, at = _value(data, at, kind, {}, False, depth + 1)
    return at


def _unsigned(data: bytes | memoryview, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise MalformedError("a number of more than 64 bits in the metadata")


def _signed(data: bytes | memoryview, at: int) -> tuple[int, int]:
    value, at = _unsigned(data, at)
    return (value >> 1) ^ -(value & 1), at


def _within(data: bytes | memoryview, at: int, size: int) -> None:
    if at + size > len(data):
        raise IndexError
