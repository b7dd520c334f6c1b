"""Rereading: the records of a source at known positions, from as little of the source as its container allows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import xxhash

from provenance.errors import ProvenanceError, UsageError
from provenance.readers import ReadOptions, Source, Tally, open_records, remote
from provenance.readers.sources import STDIN

_DIGEST_BLOCK: Final = 1 << 20


def reread(source: Mapping[str, Any], options: ReadOptions, positions: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Yield the records of a source (a row of ``sources``) at these positions, as `schema.RAW` batches."""
    wanted = np.unique(np.fromiter(positions, np.int64))
    yield from open_records(Source(source["location"], source["uri"], source["bytes"]), options, Tally(), wanted)


def is_unchanged(source: Mapping[str, Any]) -> bool:
    """Tell whether a source (a row of ``sources``) can be read and has the bytes that were scanned."""
    if source["location"] == STDIN:
        return False
    try:
        return digest_of(str(source["location"])) == str(source["digest"])
    except (OSError, ProvenanceError):  # of an object behind a URL: no fsspec, no permission any more
        return False


def refuse_if_changed(source: Mapping[str, Any]) -> None:
    """Raise unless a source (a row of ``sources``) can be read again as it was scanned.

    Raises:
        UsageError: If it is gone, has changed, or was standard input.
    """
    if source["location"] == STDIN:
        raise UsageError(
            "The scan read this source from standard input, which can't be read again",
            place=source["uri"],
            next_step="Write it to a file and scan that",
        )
    if not is_unchanged(source):
        raise UsageError(
            "A source is gone or has changed since it was scanned",
            place=source["location"],
            next_step="Put it back, or scan it again",
        )


def digest_of(location: str) -> str:
    """Return what identifies the bytes at a location: their digest, or what a server says of an object."""
    return remote.remote_identity(location) if remote.is_remote(location) else file_digest(Path(location))


def file_digest(path: Path) -> str:
    """Return the XXH3-128 of a file's bytes, 32 hex digits."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()
