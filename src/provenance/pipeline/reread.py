"""Rereading: the records of a source at known positions, from as little of the source as its container allows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import xxhash

from provenance.readers import ReadOptions, Source, Tally, open_records

_DIGEST_BLOCK: Final = 1 << 20


def reread(source: Mapping[str, Any], options: ReadOptions, positions: Collection[int]) -> Iterator[pa.RecordBatch]:
    """Yield the records of a source (a row of ``sources``) at these positions, as `schema.RAW` batches."""
    wanted = np.unique(np.fromiter(positions, np.int64))
    yield from open_records(Source(source["location"], source["uri"], source["bytes"]), options, Tally(), wanted)


def is_unchanged(source: Mapping[str, Any]) -> bool:
    """Tell whether a source (a row of ``sources``) can be read and has the bytes that were scanned."""
    try:
        return file_digest(Path(source["location"])) == str(source["digest"])
    except OSError:
        return False


def file_digest(path: Path) -> str:
    """Return the XXH3-128 of a file's bytes, 32 hex digits."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()
