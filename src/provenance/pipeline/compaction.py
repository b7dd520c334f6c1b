"""Compact: the segments of the reference index become one, without the sets that were withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from provenance.errors import StoreError
from provenance.index import Index, Segment, compact
from provenance.pipeline import catalogue
from provenance.store import Commit, Store


@dataclass(frozen=True)
class CompactResult:
    """What compaction did.

    Attributes:
        segments: Segments that were merged; 0 if there was nothing to do.
        references: References that the index holds now.
        dropped: References of withdrawn sets, and second registrations of a text under one id, that it holds no more.
        bytes: Size of the new segment.
    """

    segments: int
    references: int
    dropped: int
    bytes: int


def compact_index(*, store: str | Path = "provenance-store") -> CompactResult:
    """Merge all segments of a store's reference index into one; what is found stays the same.

    Scans and queries go on meanwhile with the segments they opened; those are swept by ``verify --repair`` when no
    catalogue on disk names them any more. A process that is killed leaves the index as it was.

    Raises:
        StoreError: If another process is compacting, or replaced a segment meanwhile.
    """
    opened = Store.open(store)
    with opened.session(), opened.claim("compact") as mine:
        if not mine:
            raise StoreError("Another process is compacting this store", place=str(opened.root))
        live, withdrawn = catalogue.live_segments(opened)
        folder = catalogue.index_folder(opened)
        index = Index.open(folder, live, withdrawn)
        if len(live) <= 1 and all(shelf.live_sets.all() for shelf in index.shelves):
            return CompactResult(0, index.references, 0, sum(shelf.segment.bytes for shelf in index.shelves))
        merged = compact(folder, live, withdrawn)
        with opened.commit("compact") as commit:
            _replace(commit, live, merged)
        return CompactResult(len(live), merged.references, index.references - merged.references, merged.bytes)


def _replace(commit: Commit, live: tuple[str, ...], merged: Segment) -> None:
    """Let the catalogue name the merged segment in place of those it was made of."""
    known = commit.execute("select distinct segment_id from segments where withdrawn_at is null").fetchall()
    missing = set(live) - {name for (name,) in known}
    if missing:
        raise StoreError(
            f"The segment {min(missing)} of the reference index was replaced while it was being compacted",
            next_step="Run it again",
        )
    for name in live:
        commit.execute(
            "update segments set withdrawn_at = ? where segment_id = ? and withdrawn_at is null",
            [commit.recorded_at, name],
        )
    if merged.references:
        row = {
            "segment_id": merged.id,
            "path": f"index/segments/{merged.id}",
            "set_id": merged.sets[0].set_id if len(merged.sets) == 1 else None,
            "reference_count": merged.references,
        }
        commit.insert("segments", [row])
