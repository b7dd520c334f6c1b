"""Rows gathered into bounded record batches of `schema.RAW`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa

from provenance import schema
from provenance.readers.options import Positions, ReadOptions, Tally

Declarations = list[tuple[str, str, str]]

_DECLARATIONS: Final = schema.RAW.field("declarations").type


class Gatherer:
    """Takes rows one by one, gives them out as batches; counts them when they leave."""

    def __init__(self, options: ReadOptions, tally: Tally) -> None:
        self.options, self.tally = options, tally
        self._reset()

    def _reset(self) -> None:
        self.positions: list[int] = []
        self.own_ids: list[str | None] = []
        self.urls: list[str | None] = []
        self.moments: list[datetime | None] = []
        self.origins: list[str | None] = []
        self.texts: list[str | bytes] = []
        self.declared: list[Declarations] = []
        self.recovered: list[bool] = []
        self.size = 0

    def add(
        self,
        position: int,
        own_id: str | None,
        url: str | None,
        date: tuple[datetime | None, str | None],
        text: str | bytes,
        declarations: Declarations,
        recovered: bool = False,
    ) -> None:
        """Add a row. A recovered row loses date and declarations here: a payload can have forged them.

        Of text given as bytes, what is no UTF-8 becomes U+FFFD.
        """
        self.positions.append(position)
        self.own_ids.append(own_id)
        self.urls.append(url)
        self.moments.append(None if recovered else date[0])
        self.origins.append(None if recovered or date[0] is None else date[1])
        self.texts.append(text)
        self.declared.append([] if recovered else declarations)
        self.recovered.append(recovered)
        self.size += len(text)

    @property
    def full(self) -> bool:
        """Whether the batch should be taken before another row is added."""
        return len(self.positions) >= self.options.batch_rows or self.size >= self.options.batch_bytes

    def take(self) -> pa.RecordBatch:
        """The rows so far, as one batch (which may be empty)."""
        columns = [
            pa.array(self.positions, pa.int64()),
            strings(self.own_ids),
            strings(self.urls),
            pa.array(self.moments, schema.TIMESTAMP),
            pa.array(self.origins, pa.string()),
            _texts(self.texts),
            declaration_lists(self.declared),
            pa.array(self.recovered, pa.bool_()),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema.RAW)
        self.tally.records += batch.num_rows
        self._reset()
        return batch


def declaration_lists(declared: list[Declarations]) -> pa.Array:
    """Lists of triples as an Arrow column of `schema.DECLARATION` lists."""
    if not any(declared):
        empty = pa.array([], schema.DECLARATION)
        return pa.ListArray.from_arrays(pa.array([0] * (len(declared) + 1), pa.int32()), empty, type=_DECLARATIONS)
    offsets = [0]
    for triples in declared:
        offsets.append(offsets[-1] + len(triples))
    flat = [triple for triples in declared for triple in triples]
    parts = [strings([triple[index] for triple in flat]) for index in range(3)]
    values = pa.StructArray.from_arrays(parts, fields=list(schema.DECLARATION))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=_DECLARATIONS)


def _texts(values: list[str | bytes]) -> pa.Array:
    """Texts as an Arrow column: bytes are checked all at once, and decoded one by one only where some are no UTF-8."""
    if all(isinstance(value, bytes) for value in values):
        found = pa.array(values, pa.large_binary()).view(pa.large_string())
        try:
            found.validate(full=True)
        except pa.ArrowInvalid:
            pass
        else:
            return found
    decoded = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]
    return strings(decoded, pa.large_string())


def strings(values: list[str | None] | list[str], kind: pa.DataType | None = None) -> pa.Array:
    """An Arrow string column; lone surrogates, which JSON can smuggle in, become U+FFFD."""
    kind = kind or pa.string()
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        cleaned = [value and value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for value in values]
        return pa.array(cleaned, kind)


def at_positions(batch: pa.RecordBatch, only: Positions) -> pa.RecordBatch:
    """Return the rows of a batch whose position is among these."""
    return batch.filter(pa.array(np.isin(batch.column("position").to_numpy(), only)))
