"""What the verbs return: small records that answer the user's next question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenance.pipeline.changes import Change


@dataclass(frozen=True)
class SourceCount:
    """What one source held: ``records + rejects + skipped == read``."""

    uri: str
    read: int
    records: int
    rejects: int
    skipped: int
    error: str | None = None


@dataclass(frozen=True)
class ScanResult:
    """What a scan did.

    Attributes:
        scan_id: Identity of the scan: same input, configuration and versions give the same id.
        name: The name it can be asked for by.
        already_done: The same scan had finished before; nothing was read.
        tags: Records by tag.
        reasons: Records by (tag, reason).
        sources: One entry for each source.
        bytes: Bytes of the sources as stored.
        seconds: Wall time of this call.
        parts: Parquet parts written.
        late_matches: Matches found at the end with references that were registered meanwhile.
    """

    scan_id: str
    name: str
    already_done: bool
    tags: Mapping[str, int]
    reasons: Mapping[tuple[str, str], int]
    sources: tuple[SourceCount, ...]
    bytes: int
    seconds: float
    parts: int
    late_matches: int = 0

    @property
    def records(self) -> int:
        """Records observed."""
        return sum(source.records for source in self.sources)

    @property
    def rejects(self) -> int:
        """Records that could not be read."""
        return sum(source.rejects for source in self.sources)

    @property
    def skipped(self) -> int:
        """Units that hold no text of their own."""
        return sum(source.skipped for source in self.sources)

    @property
    def failed_sources(self) -> tuple[SourceCount, ...]:
        """Sources that could not be read at all."""
        return tuple(source for source in self.sources if source.error is not None)


@dataclass(frozen=True)
class RematchResult:
    """Matches found in records that were scanned before.

    Attributes:
        candidates: Records whose fingerprints were worth another look.
        verified: New matches that the text confirms.
        unverified: New matches by fingerprints alone.
        scans: The scans that were looked through.
        unreadable: Sources whose records can't be read again as they were scanned.
        unread: Candidates that were not read again because there were too many; `rematch` reads them all.
        changes: Whose tags these matches change.
    """

    candidates: int
    verified: int
    unverified: int
    scans: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unread: int = 0
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class RegisterResult:
    """What was registered as known text."""

    set_id: str
    name: str
    label: str
    model: str | None
    references: int
    prompts: int
    skipped: int
    already_done: bool
    rematch: RematchResult = field(default_factory=lambda: RematchResult(0, 0, 0))
    rejects: int = 0
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class UnregisterResult:
    """A reference set that no longer counts, and whose tags that changes."""

    set_id: str
    name: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class FilterResult:
    """What a filter kept and dropped."""

    out: str
    dropped_list: str
    kept: int
    dropped: int
    dropped_by_reason: Mapping[tuple[str, str], int]
    dataset_id: str | None = None
    unread_sources: tuple[str, ...] = ()
    unread_reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class UniqueCount:
    """Records and words of one tag: all of them, and those that remain when of each cluster one record is kept."""

    records: int
    words: int
    unique_records: int
    unique_words: int


@dataclass(frozen=True)
class DedupResult:
    """The near-duplicates inside a scan.

    Attributes:
        scan_id: The scan.
        name: Its name.
        threshold: Jaccard similarity of 5-token shingles from which two records are copies.
        already_done: The same clusters were in the store already.
        records: Records looked through.
        clusters: Groups of two or more records that are copies of each other.
        clustered: Records in them.
        equal: Records whose whole text stands in another record that counts once here.
        compared: Pairs of fingerprints compared.
        read_pairs: Pairs that fingerprints left open and the texts settled.
        open_pairs: Pairs that fingerprints left open and no text settled: the more probable answer counts.
        crowded: Records that share a key with so many that they were compared with some of them only.
        unasked: Open pairs let go because one record had too many.
        tags: Records and words by tag, with and without copies.
        unreadable: Sources whose texts could not be read again.
    """

    scan_id: str
    name: str
    threshold: float
    already_done: bool
    records: int
    clusters: int
    clustered: int
    equal: int
    compared: int
    read_pairs: int
    open_pairs: int
    crowded: int
    unasked: int
    tags: Mapping[str, UniqueCount]
    unreadable: tuple[str, ...] = ()

    @property
    def dropped(self) -> int:
        """Records that are a copy of the one that is kept."""
        return self.clustered - self.clusters
