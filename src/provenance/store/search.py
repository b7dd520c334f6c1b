"""Search: whether any byte of a store still says something, so that it can be shown that something is gone.

Every file is searched as it stands on the disk, and once more as what it decompresses to: columns of Parquet parts, and
tables of catalogues.
"""

from __future__ import annotations

import mmap
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import UsageError
from provenance.store.catalogue import attached

_WINDOW: Final = 8
_AT_ONCE: Final = 1 << 22
_ROWS: Final = 8192


class Needles:
    """Texts to be looked for, all at once.

    Of each text the last eight bytes are a number; a number that occurs at any offset is compared as a whole.
    URLs differ at their end rather than at their beginning.

    Args:
        texts: What to look for, each of at least 8 bytes in UTF-8.

    Raises:
        UsageError: If one is shorter: it would be found by chance.
    """

    def __init__(self, texts: Collection[str]) -> None:
        self._by_key: dict[int, list[bytes]] = {}
        for text in texts:
            needle = text.encode("utf-8", "surrogatepass")
            if len(needle) < _WINDOW:
                raise UsageError(f"{text!r} is too short to be searched for", next_step="Give at least 8 characters")
            key = int.from_bytes(needle[-_WINDOW:], "little")
            self._by_key.setdefault(key, []).append(needle)
        self._keys = np.array(sorted(self._by_key), dtype=np.uint64)
        self.longest = max((len(text) for texts in self._by_key.values() for text in texts), default=0)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def found_in(self, buffer: Any) -> bool:
        """Tell whether one of the texts stands anywhere in a buffer."""
        whole = np.frombuffer(buffer, dtype=np.uint8)
        # Pieces overlap by a window: each offset is looked at once.
        return any(
            self._in_piece(whole, start, min(start + _AT_ONCE + _WINDOW - 1, len(whole)))
            for start in range(0, max(len(whole) - _WINDOW + 1, 0), _AT_ONCE)
        )

    def _in_piece(self, whole: npt.NDArray[np.uint8], start: int, end: int) -> bool:
        for shift in range(min(_WINDOW, end - start - _WINDOW + 1)):
            count = (end - start - shift) // _WINDOW
            numbers = whole[start + shift : start + shift + count * _WINDOW].view("<u8")
            places = np.searchsorted(self._keys, numbers)
            places[places == len(self._keys)] = 0
            for hit in np.flatnonzero(self._keys[places] == numbers).tolist():
                last = start + shift + (hit + 1) * _WINDOW
                for needle in self._by_key[int(numbers[hit])]:
                    if last >= len(needle) and whole[last - len(needle) : last].tobytes() == needle:
                        return True
        return False


def search(root: Path, texts: Collection[str]) -> list[str]:
    """Return the files of a store, relative to it, in which one of the texts still stands.

    Args:
        root: The store's folder.
        texts: What to look for; each has at least 8 bytes.

    Raises:
        UsageError: If one of the texts is too short.
    """
    needles = Needles(texts)
    if not needles:
        return []
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return [path.relative_to(root).as_posix() for path in files if _stands_in(path, needles)]


def _stands_in(path: Path, needles: Needles) -> bool:
    try:
        if needles.found_in(path.name.encode()) or _in_bytes(path, needles):
            return True
        return any(needles.found_in(buffer) for buffer in _decompressed(path))
    except FileNotFoundError:  # gone meanwhile
        return False


def _in_bytes(path: Path, needles: Needles) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            return needles.found_in(view)
        finally:
            view.release()


def _decompressed(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, use_threads=False):
                yield from _texts(batch)
    elif path.suffix == ".duckdb":
        with attached(path) as connection:
            tables = connection.execute(
                "select table_name from duckdb_tables() where not internal and database_name = 'theirs'"
            ).fetchall()
            for (table,) in tables:
                name = '"' + table.replace('"', '""') + '"'
                for batch in connection.sql(f"from theirs.main.{name}").to_arrow_reader(_ROWS):
                    yield from _texts(batch)


def _texts(batch: pa.RecordBatch) -> Iterator[Any]:
    """Yield the bytes of every text in a batch, nested ones too."""
    waiting = list(batch.columns)
    while waiting:
        column = waiting.pop()
        if isinstance(column, pa.DictionaryArray):
            waiting.append(column.dictionary)
        elif isinstance(column, pa.StructArray):
            waiting += column.flatten()
        elif isinstance(column, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray | pa.MapArray):
            waiting.append(column.flatten() if not isinstance(column, pa.MapArray) else column.keys)
            if isinstance(column, pa.MapArray):
                waiting.append(column.items)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values = column.buffers()[2]
            if values is not None and values.size:
                yield values
        elif pa.types.is_string_view(column.type):
            waiting.append(column.cast(pa.large_string()))
