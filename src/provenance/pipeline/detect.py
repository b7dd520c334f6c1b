"""Tag texts in memory, by the same stages and the same SQL as a scan."""

from __future__ import annotations

import datetime as dt
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from provenance import policy as policies
from provenance import schema
from provenance.errors import UsageError
from provenance.pipeline import catalogue
from provenance.pipeline.observe import Identity, observe
from provenance.pipeline.worker import detectors
from provenance.store import Store, write_part

_SCAN: Final = "detector"
_BATCH_ROWS: Final = 4096

Dates = dt.datetime | str | Sequence[dt.datetime | str | None] | None


class Detector:
    """Tags texts under one policy, and against one store's references.

    It holds the style model and, if a store is named, the snapshot of its index that was current when the
    detector was made.

    Args:
        policy: A named policy or a TOML file.
        store: Folder of a store whose reference sets are matched; none if left out.

    Raises:
        PolicyError: If the policy is malformed.
        StoreError: If the store can't be opened.
    """

    def __init__(self, policy: str | Path = "default", store: str | Path | None = None) -> None:
        self.policy = policies.load(policy)
        self._folder = tempfile.TemporaryDirectory(prefix="provenance-detector-")
        self._scratch = Store.create(Path(self._folder.name) / "store")
        snapshot: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        index_root = catalogue.index_folder(self._scratch)
        if store is not None:
            opened = Store.open(store)
            catalogue.copy_references(opened, self._scratch)
            snapshot, index_root = catalogue.live_segments(opened), catalogue.index_folder(opened)
        self._detectors = detectors(index_root, *snapshot)
        self._turn = threading.Lock()
        with self._scratch.commit("policy") as commit:
            commit.insert("scan_policies", [{"scan_id": _SCAN, "policy_id": commit.add_policy(self.policy)}])

    def tag(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        captured_at: Dates = None,
        url: str | Sequence[str | None] | None = None,
    ) -> pa.Table:
        """Tag texts.

        Args:
            texts: Texts; None counts as empty.
            captured_at: When they were captured: one time for all or one for each. Without zone: UTC.
            url: Where: one for all or one for each.

        Returns:
            One row for each text, in order, with the columns of ``records``; ``position`` is the row number.
        """
        raw = _raw(texts, captured_at, url)
        identity = Identity(_SCAN, _SCAN, "memory:")
        observed = [observe(batch, identity, self._detectors) for batch in _batches(raw)]
        if not observed:
            observed = [observe(raw, identity, self._detectors)]
        kinds = {
            "observations": pa.concat_tables([item.observations for item in observed]),
            "matches": pa.concat_tables([item.matches for item in observed]),
        }
        with self._turn:
            parts = [write_part(self._scratch.root, kind, _SCAN, kind, table) for kind, table in kinds.items()]
            with self._scratch.commit("tag") as commit:
                commit.execute("delete from parts")
                for part in parts:
                    commit.add_part(part)
            with self._scratch.read() as connection:
                tagged: pa.Table = connection.sql("select * from records order by position").to_arrow_table()
            for part in parts:
                (self._scratch.root / part.path).unlink()
        return tagged


def _batches(raw: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, raw.num_rows, _BATCH_ROWS):
        yield raw.slice(start, _BATCH_ROWS)


def _raw(texts: Any, captured_at: Dates, url: str | Sequence[str | None] | None) -> pa.RecordBatch:
    if isinstance(texts, str):
        raise UsageError("A list of texts is wanted, not one text", next_step="Put it in a list: tag([text])")
    try:
        column = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(list(texts), pa.large_string())
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        column = column.cast(pa.large_string()).fill_null("")
    except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
        raise UsageError(
            f"Texts are wanted: {error}", next_step="Give strings without lone surrogates, or None"
        ) from error
    rows = len(column)
    dates = pa.array([_time(value) for value in _each(captured_at, rows, "captured_at")], schema.TIMESTAMP)
    try:
        urls = pa.array(_each(url, rows, "url"), pa.string())
    except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
        raise UsageError(f"URLs are wanted: {error}", next_step="Give strings, or None") from error
    columns = {
        "position": pa.array(range(rows), pa.int64()),
        "own_id": pa.nulls(rows, pa.string()),
        "url": urls,
        "captured_at": dates,
        "date_origin": pa.array(["column" if date.is_valid else None for date in dates], pa.string()),
        "raw": column,
        "declarations": pa.array([[]] * rows, pa.list_(schema.DECLARATION)),
        "recovered": pa.array([False] * rows, pa.bool_()),
    }
    return pa.record_batch([columns[name] for name in schema.RAW.names], schema=schema.RAW)


def _each(value: Any, rows: int, name: str) -> list[Any]:
    if value is None or isinstance(value, str | dt.date):
        return [value] * rows
    values = list(value)
    if len(values) != rows:
        raise UsageError(f"`{name}` has {len(values)} entries for {rows} texts")
    return values


def _time(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            value = dt.datetime.fromisoformat(value)
        elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)
        time: dt.datetime = value
        return time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time.astimezone(dt.UTC)
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{value!r} is no time", next_step="Give a datetime or an ISO 8601 string") from error
