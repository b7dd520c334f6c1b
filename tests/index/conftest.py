"""Small corpora of token hashes, with the identities that the index asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from provenance import fingerprint
from provenance.fingerprint import Fingerprints
from provenance.index import Index, ReferenceBatch, Segment, build_segment
from provenance.text.tokens import Tokens


@dataclass(frozen=True)
class Corpus:
    """Texts as token sequences, fingerprinted."""

    fingerprints: Fingerprints
    content_ids: list[str]
    content_checks: list[bytes]

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]]) -> Corpus:
        arrays = [np.asarray(text, dtype=np.uint32) for text in texts]
        offsets = np.concatenate([[0], np.cumsum([len(text) for text in arrays])]).astype(np.int64)
        tokens = Tokens(offsets, np.concatenate([*arrays, np.empty(0, np.uint32)]))
        checks = [blake2b(text.tobytes(), digest_size=16).digest() for text in arrays]
        return cls(fingerprint.fingerprint(tokens), [check[::-1].hex() for check in checks], checks)

    def match(self, index: Index) -> pa.Table:
        return index.match(self.fingerprints, self.content_ids, self.content_checks)

    def packed(self) -> pa.RecordBatch:
        names = [f"record-{k}" for k in range(len(self.content_checks))]
        return fingerprint.pack(self.fingerprints, names, self.content_checks)


@pytest.fixture
def corpus() -> Callable[[Sequence[Sequence[int]]], Corpus]:
    """Fingerprint token sequences."""
    return Corpus.of


@pytest.fixture
def register(tmp_path: Path) -> Callable[..., Segment]:
    """Build a segment of texts in the test's own folder."""

    def build(
        texts: Sequence[Sequence[int]],
        set_id: str = "set",
        label: str = "synthetic",
        names: Sequence[str] | None = None,
    ) -> Segment:
        corpus = Corpus.of(texts)
        names = names or [f"{set_id}-{k:04}" for k in range(len(texts))]
        return build_segment(
            tmp_path,
            ReferenceBatch(names, set_id, label, corpus.content_ids, corpus.content_checks, corpus.fingerprints),
        )

    return build


@pytest.fixture
def words() -> Callable[[int], np.ndarray]:
    """Give fresh random token hashes."""
    source = np.random.default_rng(7)
    return lambda size: source.integers(0, 1 << 32, size, dtype=np.uint32)
