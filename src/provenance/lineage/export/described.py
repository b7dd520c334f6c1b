"""What is said of a dataset to those who will use it, whatever the form it is said in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a dataset.

    Attributes:
        name: Its name, without folders.
        bytes: Its size.
        sha256: Checksum of its bytes, 64 hex digits.
        media_type: Its MIME type.
        columns: Names of its columns, each with an Arrow type in words; empty where it has none.
    """

    name: str
    bytes: int
    sha256: str
    media_type: str
    columns: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class DescribedDataset:
    """A sealed dataset and what is known of its records.

    Attributes:
        name: Its name, without the version.
        version: Its version.
        digest: Over its record ids; null if its members are not listed.
        records: How many.
        words: How many.
        sealed_at: ISO 8601.
        policy: Name and digest of the policy that the tags are computed under.
        tags: Records and words by tag.
        reasons: Records by reason, most frequent first.
        languages: Records by language, most frequent first.
        licences: Records by licence found in them, most frequent first.
        opt_out: Records whose rights are reserved.
        models: Words of verified text by model that wrote it.
        origins: What it was made of: (relation, kind, name).
        files: Its files.
    """

    name: str
    version: str | None
    digest: str | None
    records: int
    words: int
    sealed_at: str
    policy: str
    tags: Mapping[str, tuple[int, int]]
    reasons: Mapping[str, int]
    languages: Mapping[str, int]
    licences: Mapping[str, int]
    opt_out: int
    models: Mapping[str, int]
    origins: Sequence[tuple[str, str, str]]
    files: Sequence[DataFile]

    @property
    def summary(self) -> str:
        """One sentence: how much of it is whose."""
        shares = ", ".join(
            f"{words / self.words if self.words else 0:.1%} {tag}" for tag, (_, words) in sorted(self.tags.items())
        )
        return f"{self.records:,} records of {self.words:,} words ({shares or 'nothing is known of their origin'})."
