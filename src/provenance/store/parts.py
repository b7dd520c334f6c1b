"""Immutable Parquet parts: how one is written, and the view that reads all live ones of a kind."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from provenance import schema
from provenance.errors import StoreError
from provenance.store import layout

KINDS: Final[dict[str, pa.Schema]] = {
    "observations": schema.OBSERVATIONS,
    "matches": schema.MATCHES,
    "rejects": schema.REJECTS,
    "fingerprints": schema.FINGERPRINTS,
    "dataset_records": schema.DATASET_RECORDS,
    "duplicates": schema.DUPLICATES,
}

# Low-cardinality columns; everything else (ids, URLs, packed bytes) only wastes time on a dictionary.
_DICTIONARY: Final = frozenset(
    {
        *("scan_id", "source_id", "host", "date_origin", "language", "text_kind", "calibration_bin"),
        *("attributed_family", "set_id", "tier", "reason", "dataset_id"),
    }
)
_ROW_GROUP: Final = 122_880

Rows: TypeAlias = "pa.Table | pa.RecordBatch | Iterable[pa.RecordBatch | pa.Table]"


@dataclass(frozen=True)
class PartFile:
    """One immutable file of rows.

    Attributes:
        kind: Which table the rows belong to, a key of `KINDS`.
        group_id: The scan, reference set or dataset that the rows belong to.
        path: Relative to the store's folder, with ``/``.
        rows: Number of rows.
        bytes: Size of the file.
        checksum: XXH3-128 of the file, 32 hex digits.
        source_id: The source that the rows come from, if it is one.
    """

    kind: str
    group_id: str
    path: str
    rows: int
    bytes: int
    checksum: str
    source_id: str | None = None


def stored_schema(kind: str) -> pa.Schema:
    """Return the Arrow schema of a kind as its parts hold it.

    Times are stored without a zone, in UTC: a zoned column would compare and print by the session's zone,
    so two people's queries would differ.
    """
    fields = [
        field.with_type(pa.timestamp("us")) if pa.types.is_timestamp(field.type) else field for field in KINDS[kind]
    ]
    return pa.schema(fields)


def write_part(
    store_root: Path | str, kind: str, group_id: str, name: str, rows: Rows, *, source_id: str | None = None
) -> PartFile:
    """Write rows as one part under a final name that no catalogue refers to yet.

    Opens no database, so workers call it; hand the result to `Commit.add_part`. The final name holds part of
    the checksum: the same rows give the same file, different rows never overwrite one that is live.

    Args:
        store_root: The store's folder.
        kind: A key of `KINDS`.
        group_id: The scan, reference set or dataset that the rows belong to.
        name: A name within the group, such as a shard's number.
        rows: Table, batch, or iterable of them, with the columns of the kind. ``recorded_at`` is filled in if
            it is missing. Zoned times are stored in UTC.
        source_id: The source that the rows come from, if it is one.

    Raises:
        StoreError: If the columns are not those of the kind, or the file can't be written.
    """
    if kind not in KINDS:
        raise StoreError(f"There is no kind of part {kind!r}", next_step=f"The kinds are {', '.join(KINDS)}")
    root = Path(store_root)
    folder = root / layout.PARTS / kind / layout.safe_name(group_id)
    layout.safe_name(name)
    waiting = root / layout.STAGING / f"{kind}-{group_id}-{name}-{os.getpid()}.tmp"
    with layout.refusals(waiting):
        try:
            written = _write(waiting, kind, rows)
            layout.sync_file(waiting)
            checksum = file_checksum(waiting)
            size = waiting.stat().st_size
            layout.make_folder(folder)
            final = folder / f"{name}-{checksum[:12]}.parquet"
            waiting.replace(final)
        except BaseException:
            with contextlib.suppress(OSError):
                waiting.unlink(missing_ok=True)
            raise
        layout.sync_folder(folder)
    return PartFile(kind, group_id, final.relative_to(root).as_posix(), written, size, checksum, source_id)


def _write(path: Path, kind: str, rows: Rows) -> int:
    target = stored_schema(kind)
    dictionary = [field.name for field in target if field.name in _DICTIONARY]
    written = 0
    with pq.ParquetWriter(path, target, compression="zstd", compression_level=3, use_dictionary=dictionary) as writer:
        for table in _tables(rows):
            writer.write_table(_conform(table, kind, target), row_group_size=_ROW_GROUP)
            written += table.num_rows
    return written


def _tables(rows: Rows) -> Iterator[pa.Table]:
    for item in [rows] if isinstance(rows, pa.Table | pa.RecordBatch) else rows:
        yield item if isinstance(item, pa.Table) else pa.Table.from_batches([item])


def _conform(table: pa.Table, kind: str, target: pa.Schema) -> pa.Table:
    if "recorded_at" in target.names and "recorded_at" not in table.column_names:
        now = pa.scalar(dt.datetime.now(dt.UTC).replace(tzinfo=None), pa.timestamp("us"))
        table = table.append_column("recorded_at", pa.repeat(now, table.num_rows))
    if set(table.column_names) != set(target.names):
        missing = sorted(set(target.names) - set(table.column_names))
        extra = sorted(set(table.column_names) - set(target.names))
        raise StoreError(f"These rows are not {kind}: missing columns {missing}, unknown columns {extra}")
    try:
        return table.select(target.names).cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise StoreError(f"These rows are not {kind}: {error}") from error


def file_checksum(path: Path) -> str:
    """Return the XXH3-128 of a file as 32 hex digits."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
