"""The one writer of a scan: collects what was accepted and commits it from time to time."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from provenance.pipeline import catalogue
from provenance.pipeline.assembly import Accepted, Assembly
from provenance.pipeline.identity import Input, located
from provenance.pipeline.worker import Counts
from provenance.readers.marks import START, Mark
from provenance.store import PartFile, Store

_log = logging.getLogger(__name__)

COMMIT_SECONDS: Final = 30.0
COMMIT_SHARDS: Final = 64
"""A scan publishes what it has after so long, or so many accepted parts: often enough to be watched, and to lose little
when it is killed."""


class Publisher:
    """Parts are published together with the row that accounts for them, so a killed scan leaves nothing half told.

    Attributes:
        published: Files published so far.

    Args:
        store: Where to.
        scan_id: The scan.
    """

    def __init__(self, store: Store, scan_id: str) -> None:
        self._store, self._scan_id = store, scan_id
        self._files: list[PartFile] = []
        self._shards: list[dict[str, Any]] = []
        self._sources: list[dict[str, Any]] = []
        self._due = time.monotonic() + COMMIT_SECONDS
        self.published = 0

    def accept(self, item: Input, part: Accepted) -> None:
        """Take note of a part of a source."""
        self._files.extend(part.read.parts)
        if part.end is not None and part.read.error is None:
            row = {"source_id": item.source_id, "scan_id": self._scan_id, "ends": json.dumps(part.end)}
            self._shards.append(row | _columns(part.read.counts))

    def end(self, source: Assembly) -> None:
        """Take note that a source was read to its end, or can't be read on."""
        item, counts = source.item, source.counts
        _log.info("source", extra={"counters": {"uri": item.source.uri, "error": source.error, **_columns(counts)}})
        row = {
            "source_id": item.source_id,
            "scan_id": self._scan_id,
            "uri": item.source.uri,
            "location": located(item.source),
            "bytes": item.source.bytes,
            "digest": item.digest,
            "error": source.error,
        }
        self._sources.append(row | _columns(counts))
        self._shards = [shard for shard in self._shards if shard["source_id"] != item.source_id]

    def publish_if_due(self) -> None:
        """Commit if enough has come together."""
        waiting = len(self._shards) + len(self._sources)
        if waiting >= COMMIT_SHARDS or (waiting and time.monotonic() >= self._due):
            self.publish()

    def publish(self) -> None:
        """Commit what has come together."""
        if self._shards or self._sources:
            ended = [(row["source_id"],) for row in self._sources]
            with self._store.commit(f"scan {self._scan_id}") as commit:
                for file in self._files:
                    commit.add_part(file)
                commit.insert("shards", self._shards)
                commit.insert("sources", self._sources)
                for (source_id,) in ended:
                    commit.execute("delete from shards where scan_id = ? and source_id = ?", [self._scan_id, source_id])
                commit.add_edges(
                    [
                        (self._scan_id, "used", f"source:{row['source_id']}", {"digest": row["digest"]})
                        for row in self._sources
                    ]
                )
            _log.info("commit", extra={"counters": {"parts": len(self._files), "sources": len(self._sources)}})
            self.published += len(self._files)
            self._files, self._shards, self._sources = [], [], []
        self._due = time.monotonic() + COMMIT_SECONDS


def accepted_before(store: Store, scan_id: str) -> Mapping[str, tuple[Mark, Counts]]:
    """Return what earlier attempts at a scan have accepted of sources that they did not end, by source."""
    found: dict[str, tuple[Mark, Counts]] = {}
    for row in catalogue.rows(store, "select * from shards where scan_id = ?", [scan_id]):
        offset, line, stream, state = json.loads(row["ends"])
        end, counts = Mark(offset, line, stream, tuple(state)), _counts(row)
        mark, before = found.get(row["source_id"], (START, Counts()))
        found[row["source_id"]] = max(mark, end), before + counts
    return found


def _columns(counts: Counts) -> dict[str, Any]:
    return {
        "format": counts.format,
        "records": counts.records,
        "rejects": counts.rejects,
        "skipped": sum(counts.skipped.values()),
        "skipped_by_kind": dict(counts.skipped),
        "read": counts.read,
    }


def _counts(row: Mapping[str, Any]) -> Counts:
    return Counts(row["records"], row["rejects"], json.loads(row["skipped_by_kind"]), row["read"], row["format"])


def total_bytes(inputs: Sequence[Input]) -> int:
    """Return the size of all inputs as stored."""
    return sum(item.source.bytes for item in inputs)
