"""MinHash signatures of 5-token shingles, equal bit for bit to datasketch's ``affine32``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from provenance.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    import datasketch

NUM_PERM: Final = 128
SEED: Final = 1
SHINGLE_TOKENS: Final = 5
BANDS: Final = 25
ROWS: Final = 5
SHINGLE_MULTIPLIER: Final = 0xACD5AD43
EMPTY: Final = 0xFFFFFFFF


def shingle_hash(tokens: Sequence[int]) -> int:
    """Combine the 32-bit hashes of up to five tokens into the hash of their shingle."""
    combined = 0
    for token in tokens:
        combined = (combined * SHINGLE_MULTIPLIER + int(token)) & 0xFFFFFFFF
    return combined


def gram_powers(width: int) -> npt.NDArray[np.uint32]:
    """What each token's hash is multiplied by in the hash of a run of ``width`` tokens."""
    return np.array([pow(SHINGLE_MULTIPLIER, width - 1 - place, 1 << 32) for place in range(width)], np.uint32)


@lru_cache(maxsize=8)
def permutations(num_perm: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The odd multipliers and the offsets that datasketch draws for ``affine32``, uint32 each."""
    draw = np.random.RandomState(seed)
    multipliers = draw.randint(0, 1 << 31, num_perm, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    offsets = draw.randint(0, 1 << 32, num_perm, dtype=np.uint32)
    return multipliers, offsets


def minhash(tokens: Tokens, num_perm: int = NUM_PERM, seed: int = SEED) -> npt.NDArray[np.uint32]:
    """Signatures uint32 ``(n, num_perm)`` of tokenised texts."""
    from provenance.fingerprint.kernel import LANES, minhash_rows

    padded = -(-num_perm // LANES) * LANES
    multipliers, shifts = (np.pad(drawn, (0, padded - num_perm)) for drawn in permutations(num_perm, seed))
    result = np.empty((len(tokens), padded), np.uint32)
    minhash_rows(tokens.hashes, tokens.offsets, gram_powers(SHINGLE_TOKENS), multipliers, shifts, result)
    return result if padded == num_perm else np.ascontiguousarray(result[:, :num_perm])


def band_keys(signatures: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """One 32-bit key for each of 25 bands of 5 rows, uint32 ``(n, 25)``."""
    keys = np.zeros((len(signatures), BANDS), np.uint32) + np.arange(1, BANDS + 1, dtype=np.uint32)
    rows = signatures[:, : BANDS * ROWS].reshape(len(signatures), BANDS, ROWS)
    for row in range(ROWS):
        keys = keys * np.uint32(SHINGLE_MULTIPLIER) + rows[:, :, row]
        keys ^= keys >> np.uint32(15)
    return keys


def signatures(texts: Any, num_perm: int = NUM_PERM, seed: int = SEED) -> npt.NDArray[np.uint32]:
    """Signatures of texts. None counts as the empty text."""
    import pyarrow as pa

    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    return minhash(tokenize(fold(pa.array(texts, pa.large_string()))), num_perm, seed)


def jaccard(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity: the share of equal values along the last axis."""
    return np.asarray((left == right).mean(axis=-1), np.float64)


def to_datasketch(signature: npt.NDArray[np.uint32], seed: int = SEED) -> datasketch.MinHash:
    """A datasketch MinHash."""
    from datasketch import MinHash

    return MinHash(seed=seed, hashvalues=signature, scheme="affine32")


def from_datasketch(sketch: datasketch.MinHash, num_perm: int = NUM_PERM, seed: int = SEED) -> npt.NDArray[np.uint32]:
    """The signature in a datasketch MinHash."""
    return np.array(sketch.hashvalues, np.uint32)
