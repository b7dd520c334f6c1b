"""The stored fingerprints of one scan as arrays that are mapped from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import StoreError
from provenance.fingerprint import BANDS

if TYPE_CHECKING:
    from provenance.pipeline.dedup.kernel import Sketches

_BATCH: Final = 65_536
_ID_BYTES: Final = 16
_COLUMNS: Final = ("record_id", "content_check", "bands", "passages")
_DIGITS: Final = np.frombuffer(b"0123456789abcdef", np.uint8)


@dataclass(frozen=True)
class Stored:
    """Fingerprints of ``n`` records, in the order in which they were read.

    Attributes:
        ids: uint8 ``(n, 16)``, record ids; mapped.
        bands: uint32 ``(n, 25)``; mapped.
        passages: uint32, hashes by record; mapped and writable.
        starts: int64, ``n + 1`` values: where the passages of each record begin.
        checks: uint64 ``(n, 2)``, ``content_check``; mapped.
    """

    ids: npt.NDArray[np.uint8]
    bands: npt.NDArray[np.uint32]
    passages: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    checks: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.ids)

    def kernel_view(self) -> Sketches:
        """Return what the kernels read."""
        from provenance.pipeline.dedup.kernel import Sketches

        return Sketches(self.bands, self.passages, self.starts, np.full(len(self), -1, np.int32))


def load(parts: Sequence[Path], folder: Path) -> Stored:
    """Copy fingerprints from parts to files that can be mapped.

    Args:
        parts: Parquet parts of kind ``fingerprints``.
        folder: An empty folder for about 110 bytes a record and 4 a passage. The arrays outlive its removal.

    Raises:
        StoreError: If a part holds something else than packed fingerprints.
    """
    lengths = [np.zeros(1, np.int64)]
    names = ("ids", "bands", "passages", "checks")
    files: dict[str, IO[bytes]] = {name: (folder / name).open("w+b") for name in names}
    try:
        for part in parts:
            with pq.ParquetFile(part) as file:
                for batch in file.iter_batches(_BATCH, columns=list(_COLUMNS)):
                    lengths.append(_append(batch, files, part))
        starts = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        rows = len(starts) - 1
        return Stored(
            mapped(files["ids"], np.uint8, (rows, _ID_BYTES)),
            mapped(files["bands"], np.uint32, (rows, BANDS)),
            mapped(files["passages"], np.uint32, (int(starts[-1]),)),
            starts,
            mapped(files["checks"], np.uint64, (rows, 2)),
        )
    finally:
        for opened in files.values():
            opened.close()


def mapped(file: IO[bytes], kind: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Map a file as an array; an empty one, which can't be mapped, is an array in memory."""
    file.flush()
    if 0 in shape:
        return np.zeros(shape, kind)
    # A plain array over the mapping: kernels are compiled for that type.
    return np.asarray(np.memmap(file, kind, "r+", shape=shape))


def hexadecimal(ids: npt.NDArray[np.uint8]) -> pa.Array:
    """Return ids of 16 bytes as strings of 32 hex digits."""
    digits = np.empty((len(ids), 2 * _ID_BYTES), np.uint8)
    digits[:, 0::2] = _DIGITS[ids >> 4]
    digits[:, 1::2] = _DIGITS[ids & 15]
    offsets = np.arange(len(ids) + 1, dtype=np.int64) * (2 * _ID_BYTES)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    return pa.Array.from_buffers(pa.large_string(), len(ids), buffers)


def binary(ids: pa.Array) -> npt.NDArray[np.uint8]:
    """Return strings of 32 hex digits as ids of 16 bytes, uint8 ``(n, 16)``.

    Raises:
        ValueError: If one is something else.
    """
    joined = _values(ids.cast(pa.binary()))
    if len(joined) != 2 * _ID_BYTES * len(ids):
        raise ValueError("An id does not have 32 digits")
    values = np.frombuffer(bytes.fromhex(joined.tobytes().decode("ascii")), np.uint8)
    return values.reshape(len(ids), _ID_BYTES)


def _append(batch: pa.RecordBatch, files: dict[str, IO[bytes]], part: Path) -> npt.NDArray[np.int64]:
    """Append a batch to the files and return the number of passages of each record."""
    ids, checks, bands, passages = (batch.column(name) for name in _COLUMNS)
    try:
        files["ids"].write(binary(ids).data)
    except ValueError as error:
        raise StoreError("The record ids of this part can't be read", place=str(part)) from error
    packed = _values(bands)
    if len(packed) != 4 * BANDS * len(bands):
        raise StoreError("The fingerprints of this part can't be read", place=str(part))
    files["bands"].write(packed.data)
    files["passages"].write(_values(passages).data)
    files["checks"].write(_values(checks.cast(pa.binary())).data)
    return np.diff(_offsets(passages)) // 4


def _offsets(column: pa.BinaryArray) -> npt.NDArray[np.int64]:
    buffer = column.buffers()[1]
    return np.frombuffer(buffer, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)


def _values(column: pa.BinaryArray) -> npt.NDArray[np.uint8]:
    offsets, buffer = _offsets(column), column.buffers()[2]
    return np.frombuffer(buffer, np.uint8)[offsets[0] : offsets[-1]] if buffer else np.zeros(0, np.uint8)
