"""Values of a table's column, as Python objects and as text, whatever their bytes: what is called UTF-8 may be none."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_UNREADABLE: Final = (ValueError, OverflowError, LookupError)
"""What Arrow raises for a value that Python has no object for: text in no UTF-8, a date too late, an unknown zone."""


def values_of(column: pa.Array) -> list[object]:
    """Values with bytes as text, escaped where they are no UTF-8; None for what Python can't hold."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.large_binary(), safe=False)
    try:
        found = column.to_pylist()
    except _UNREADABLE:
        found = [_value(each) for each in column]
    return [each.decode("utf-8", "backslashreplace") if isinstance(each, bytes) else each for each in found]


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except _UNREADABLE:
        return None


def as_strings(column: pa.Array) -> pa.Array:
    """Every value as a string, as Python shows it."""
    return pa.array([None if value is None else str(value) for value in values_of(column)], pa.string())


def as_text(column: pa.Array) -> tuple[pa.Array, set[int]]:
    """The column as large_string, and the rows whose bytes are no UTF-8 (null in the result)."""
    try:
        cast = column.cast(pa.large_string())
        cast.validate(full=True)
        return cast, set()
    except pa.ArrowInvalid:
        raw = column.cast(pa.large_binary(), safe=False)
        texts: list[str | None] = []
        bad: set[int] = set()
        for index, value in enumerate(raw.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                texts.append(None)
                bad.add(index)
        return pa.array(texts, pa.large_string()), bad
