"""References: known texts, read from their sources and written as index segments of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.index import ReferenceBatch, build_segment
from provenance.pipeline.observe import record_ids
from provenance.readers import ReadOptions, Source, Tally, open_records

if TYPE_CHECKING:
    from provenance.schema import Label

MIN_WORDS: Final = 5
"""Shorter references are not registered: one shingle says nothing about who wrote it."""

SEGMENT_REFERENCES: Final = 250_000
SEGMENT_TOKENS: Final = 1 << 25
"""A segment is closed at so many references or tokens: building one takes memory by what it holds."""

Progress = Callable[[int, int, int], None]


@dataclass
class Built:
    """Segments written of one set, and what went into them.

    Attributes:
        segments: Id and number of references of each.
        words: Tokens of all references.
        skipped: Texts that were too short.
        rejects: Units that could not be read.
    """

    segments: list[tuple[str, int]] = field(default_factory=list)
    words: int = 0
    skipped: int = 0
    rejects: int = 0

    @property
    def references(self) -> int:
        """References in all segments."""
        return sum(count for _, count in self.segments)


@dataclass
class _Texts:
    """Tokens and identities of texts that wait to be written."""

    reference_ids: list[str] = field(default_factory=list)
    content_ids: list[str] = field(default_factory=list)
    content_checks: list[bytes] = field(default_factory=list)
    lengths: list[npt.NDArray[np.int64]] = field(default_factory=list)
    hashes: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    words: int = 0

    @property
    def full(self) -> bool:
        return len(self.reference_ids) >= SEGMENT_REFERENCES or self.words >= SEGMENT_TOKENS


def build_segments(
    folder: Path,
    sources: Sequence[Source],
    options: ReadOptions,
    set_id: str,
    label: Label,
    progress: Progress | None = None,
) -> Built:
    """Fingerprint the texts of some sources and write them as segments that nothing refers to yet.

    Args:
        folder: The folder that holds segments.
        sources: Where the texts are.
        options: How they are read.
        set_id: The set that they belong to.
        label: What they are.
        progress: Called with (bytes done, bytes in all, texts so far).
    """
    built, waiting = Built(), _Texts()
    for batch, uri in _batches(sources, options, built, progress):
        built.skipped += _gather(batch, uri, waiting)
        if waiting.full:
            _write(folder, waiting, set_id, label, built)
            waiting = _Texts()
    if waiting.reference_ids:
        _write(folder, waiting, set_id, label, built)
    return built


def _batches(
    sources: Sequence[Source], options: ReadOptions, built: Built, progress: Progress | None
) -> Iterator[tuple[pa.RecordBatch, str]]:
    total, before, count = sum(source.bytes for source in sources), 0, 0
    for source in sources:
        tally = Tally()
        for batch in open_records(source, options, tally):
            yield batch, source.uri
            count += batch.num_rows
            if progress is not None:
                progress(before + tally.bytes_read, total, count)
        before += source.bytes
        built.rejects += len(tally.rejects)


def _gather(batch: pa.RecordBatch, uri: str, waiting: _Texts) -> int:
    """Add the texts of a batch that are long enough to be recognised; return how many are not."""
    from provenance.fingerprint import content_checks, content_ids
    from provenance.text.fold import fold
    from provenance.text.repair import repair
    from provenance.text.tokens import tokenize

    folded = fold(repair(batch.column("raw")))
    tokens = tokenize(folded)
    counts: npt.NDArray[np.int64] = np.diff(tokens.offsets)
    long_enough = counts >= MIN_WORDS
    chosen = np.flatnonzero(long_enough)
    kept = folded.take(pa.array(chosen))
    waiting.reference_ids += record_ids(batch.take(pa.array(chosen)), uri)
    waiting.content_ids += content_ids(kept)
    waiting.content_checks += content_checks(kept)
    waiting.lengths.append(counts[chosen])
    waiting.hashes.append(tokens.hashes[np.repeat(long_enough, counts)])
    waiting.words += int(counts[chosen].sum())
    return int(batch.num_rows) - len(chosen)


def _write(folder: Path, texts: _Texts, set_id: str, label: Label, built: Built) -> None:
    from provenance.fingerprint import fingerprint
    from provenance.text.tokens import Tokens

    offsets = np.zeros(len(texts.reference_ids) + 1, dtype=np.int64)
    np.cumsum(np.concatenate(texts.lengths), out=offsets[1:])
    hashes = np.concatenate(texts.hashes)
    texts.hashes.clear()
    batch = ReferenceBatch(
        texts.reference_ids,
        set_id,
        label,
        texts.content_ids,
        texts.content_checks,
        fingerprint(Tokens(offsets, hashes)),
    )
    built.segments.append((build_segment(folder, batch).id, len(texts.reference_ids)))
    built.words += texts.words
