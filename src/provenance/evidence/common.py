"""The shape in which every kind hands over its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from provenance import schema

MAX_DETAIL: Final = 200
"""Longest detail that is kept, in characters."""


class Evidence(NamedTuple):
    """One reason (see `provenance.schema.EVIDENCE`)."""

    kind: str
    name: str
    detail: str
    weight: float
    measured: bool
    decides: bool


def as_lists(found: dict[int, list[Evidence]], rows: int) -> pa.ListArray:
    """Make the evidence column of a batch from what was found in some of its rows."""
    offsets = [0]
    reasons: list[Evidence] = []
    for row in range(rows):
        reasons.extend(found.get(row, ()))
        offsets.append(len(reasons))
    columns: Sequence[Sequence[Any]] = list(zip(*reasons, strict=True)) if reasons else [()] * len(Evidence._fields)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema.EVIDENCE, strict=True)]
    structs = pa.StructArray.from_arrays(arrays, fields=list(schema.EVIDENCE))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=pa.list_(schema.EVIDENCE))


def excerpt(text: str) -> str:
    """One line of at most ``MAX_DETAIL`` characters, fit to show."""
    line = " ".join(text.split())
    shown = "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in line)
    return shown if len(shown) <= MAX_DETAIL else shown[: MAX_DETAIL - 1] + "…"
