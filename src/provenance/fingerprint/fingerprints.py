"""The fingerprints of a batch of texts, made from their token hashes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from provenance.fingerprint.minhash import NUM_PERM, SEED, minhash
from provenance.fingerprint.passages import winnow
from provenance.text.tokens import Tokens


@dataclass(frozen=True)
class Fingerprints:
    """What copies of ``n`` texts are found by.

    Attributes:
        tokens: The token hashes that everything else here follows from.
        signatures: uint32 ``(n, 128)``, MinHash of 5-token shingles; all ``0xFFFFFFFF`` for an empty text.
        passage_offsets: int64, ``n + 1`` values; text ``i`` has the passages ``offsets[i]:offsets[i + 1]``.
        passage_hashes: uint32, the selected hash of each passage, by position in the text.
        passage_positions: uint32, the first token of each passage, counted within its text.
    """

    tokens: Tokens
    signatures: npt.NDArray[np.uint32]
    passage_offsets: npt.NDArray[np.int64]
    passage_hashes: npt.NDArray[np.uint32]
    passage_positions: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.tokens)


def fingerprint(tokens: Tokens) -> Fingerprints:
    """Make signatures and passage hashes of tokenised texts."""
    offsets, hashes, positions = winnow(tokens)
    return Fingerprints(tokens, minhash(tokens, NUM_PERM, SEED), offsets, hashes, positions)
