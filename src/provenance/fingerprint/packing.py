"""Fingerprints as stored rows, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance import schema
from provenance.errors import StoreError
from provenance.fingerprint.fingerprints import Fingerprints
from provenance.fingerprint.minhash import BANDS, band_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_WORDS: Final = 1 << 26
"""More than the longest record can have: a word takes a byte, and a record has 64 MiB at most."""


@dataclass(frozen=True)
class StoredFingerprints:
    """What a stored batch of fingerprints holds.

    Attributes:
        record_ids: One id for each of ``n`` records.
        content_checks: BLAKE2b-128 of each folded text.
        words: int32, tokens of each text.
        bands: uint32 ``(n, 25)``, band keys.
        passage_offsets: int64, ``n + 1`` values.
        passage_hashes: uint32, by position in the text.
        passage_positions: uint32, counted in tokens within the text.
    """

    record_ids: list[str]
    content_checks: list[bytes]
    words: npt.NDArray[np.int32]
    bands: npt.NDArray[np.uint32]
    passage_offsets: npt.NDArray[np.int64]
    passage_hashes: npt.NDArray[np.uint32]
    passage_positions: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.record_ids)


def pack(fingerprints: Fingerprints, record_ids: Sequence[str], content_checks: Sequence[bytes]) -> pa.RecordBatch:
    """Pack fingerprints into rows of ``schema.FINGERPRINTS``.

    ``bands`` is 25 little-endian uint32; ``passages`` one little-endian uint32 each; ``positions`` one byte
    each: the distance to the passage before (for the first: to the start), which winnowing keeps below 256.
    """
    offsets, positions = fingerprints.passage_offsets, fingerprints.passage_positions
    before = np.zeros(len(positions), np.int64)
    before[1:] = positions[:-1]
    before[offsets[:-1][np.diff(offsets) > 0]] = 0
    deltas = (positions - before).astype(np.uint8)
    words = np.diff(fingerprints.tokens.offsets).astype(np.int32)
    count = len(fingerprints)
    return pa.RecordBatch.from_arrays(
        [
            pa.array(record_ids, pa.string()),
            pa.array(content_checks, pa.binary(16)),
            pa.array(words),
            _binary(
                np.arange(count + 1, dtype=np.int64) * (4 * BANDS), band_keys(fingerprints.signatures).astype("<u4")
            ),
            _binary(offsets * 4, fingerprints.passage_hashes.astype("<u4")),
            _binary(offsets, deltas),
        ],
        schema=schema.FINGERPRINTS,
    )


def unpack(batch: pa.RecordBatch) -> StoredFingerprints:
    """Read rows of ``schema.FINGERPRINTS``.

    Raises:
        StoreError: `pack` did not make them.
    """
    count = batch.num_rows
    ends_of_bands, bands = _bytes(batch.column("bands"))
    offsets, passages = _bytes(batch.column("passages"))
    ends, deltas = _bytes(batch.column("positions"))
    words = batch.column("words").to_numpy()
    sized = (np.diff(ends_of_bands) == 4 * BANDS).all() and np.array_equal(offsets, 4 * ends)
    if not sized or (count and not 0 <= words.min() <= words.max() <= _MOST_WORDS):
        raise StoreError(
            "A stored fingerprint is none: its bands, passages and words don't fit together",
            next_step="Run `provenance verify`",
        )
    running = np.cumsum(deltas, dtype=np.int64)
    base = np.concatenate(([0], running))[ends[:-1]]
    positions = running - np.repeat(base, np.diff(ends))
    return StoredFingerprints(
        batch.column("record_id").to_pylist(),
        batch.column("content_check").to_pylist(),
        words,
        bands.view("<u4").reshape(count, BANDS).astype(np.uint32, copy=False),
        offsets // 4,
        passages.view("<u4").astype(np.uint32, copy=False),
        positions.astype(np.uint32),
    )


def _binary(offsets: npt.NDArray[np.int64], values: npt.NDArray[np.generic]) -> pa.BinaryArray:
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _bytes(column: pa.BinaryArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    _, offset_buffer, value_buffer = column.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    values = np.frombuffer(value_buffer, np.uint8) if value_buffer else np.zeros(0, np.uint8)
    return offsets - offsets[0], values[offsets[0] : offsets[-1]]
