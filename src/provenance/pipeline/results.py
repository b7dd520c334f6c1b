"""What the verbs return: small records that answer the user's next question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """Matches found in records that were scanned before."""

    candidates: int
    verified: int
    unverified: int
    scans: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


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
