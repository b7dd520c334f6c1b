"""What a source is, so that a scan knows its input again: the digest of its bytes, or a stamp that vouches for one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

import xxhash

from provenance.errors import SourceError, UsageError
from provenance.pipeline.reread import digest_of
from provenance.readers import Source, remote
from provenance.readers.sources import STDIN

_THREADS: Final = 4
_SETTLED_NS: Final = 2_000_000_000
"""A file that was changed less than so long before its stamp was taken could be changed again under the same stamp:
file systems count time in steps. Its stamp vouches for nothing."""


@dataclass(frozen=True)
class Stamp:
    """What the file system says of a file. Its owner can set ``modified_ns`` at will, but not ``changed_ns``."""

    device: int
    inode: int
    bytes: int
    modified_ns: int
    changed_ns: int

    def same_content(self, other: Stamp | None) -> bool:
        """Tell whether a file that is being read seems untouched. A new link to it, or other rights, change no byte."""
        return other is not None and (self.bytes, self.modified_ns) == (other.bytes, other.modified_ns)


@dataclass(frozen=True)
class Input:
    """A source with its identity."""

    source: Source
    source_id: str
    digest: str
    stamp: Stamp | None


def stamp_of(location: str) -> Stamp | None:
    """Return the stamp of a file, or nothing if it has none (or is gone)."""
    if remote.is_remote(location):
        return None
    try:
        found = Path(location).stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def identify(
    sources: Sequence[Source],
    known: Mapping[tuple[str, Stamp], str],
    tell: Callable[[int], None] = lambda _: None,
) -> list[Input]:
    """Return the sources with their digests, taken from all of their bytes unless a known stamp vouches for them.

    Args:
        sources: Files or objects.
        known: Digests taken before, by location and stamp.
        tell: Told how many bytes have been looked at.

    Raises:
        UsageError: If one can't be read.
        SourceError: If one changes while it is looked at.
    """
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        inputs = []
        for item in threads.map(lambda source: _identify(source, known), sources):
            inputs.append(item)
            tell(sum(done.source.bytes for done in inputs))
        return inputs


def _identify(source: Source, known: Mapping[tuple[str, Stamp], str]) -> Input:
    source_id = xxhash.xxh3_128_hexdigest(source.uri.encode())
    stamp = stamp_of(source.location)
    digest = None if stamp is None else known.get((absolute(source.location), stamp))
    if digest is None:
        try:
            digest = digest_of(source.location)
        except OSError as error:
            raise UsageError(
                f"The source can't be read: {error.strerror or error}",
                place=source.uri,
                next_step="Check its permissions",
            ) from error
        if stamp is not None and not stamp.same_content(stamp_of(source.location)):
            raise SourceError(
                "The source changes while it is read", place=source.uri, next_step="Scan it when it is whole"
            )
    return Input(source, source_id, digest, stamp)


def absolute(location: str) -> str:
    """Return a location that means the same from any folder, as text that a database can hold."""
    path = remote.without_secrets(location) if remote.is_remote(location) else str(Path(location).resolve())
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def located(source: Source) -> str:
    """Return where a source was read, for the store: `absolute`, or ``-`` for standard input."""
    return STDIN if source.spooled else absolute(source.location)


def rows_to_remember(inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """Return rows of ``digests`` for those inputs whose stamps vouch for them."""
    now = time.time_ns()
    return [
        {"location": absolute(item.source.location), "digest": item.digest}
        | dict(zip(STAMP_COLUMNS, astuple(item.stamp), strict=True))
        for item in inputs
        if item.stamp is not None
        and not item.source.spooled
        and max(item.stamp.modified_ns, item.stamp.changed_ns) < now - _SETTLED_NS
    ]


STAMP_COLUMNS: Final = ("device", "inode", "bytes", "modified_ns", "changed_ns")
