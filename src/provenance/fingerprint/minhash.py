"""MinHash signatures of 5-token shingles, equal bit for bit to datasketch's ``affine32``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from provenance.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM_PERM: Final = 128
SEED: Final = 1
SHINGLE_TOKENS: Final = 5
BANDS: Final = 25
ROWS: Final = 5
SHINGLE_MULTIPLIER: Final = 0xACD5AD43
"""Odd, and 3 modulo 8: of two exchanged tokens at most four bits stay unmixed."""


def shingle_hash(tokens: Sequence[int]) -> int:
    """Combine the 32-bit hashes of up to five tokens into the hash of their shingle.

    From ``h = 0``, each token does ``h = (h * SHINGLE_MULTIPLIER + token) mod 2**32``. A text of fewer than
    five tokens is one shingle of all it has.
    """
    combined = 0
    for token in tokens:
        combined = (combined * SHINGLE_MULTIPLIER + int(token)) & 0xFFFFFFFF
    return combined


@lru_cache(maxsize=8)
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
    """MinHash signatures of tokenised texts, uint32 ``(n, num_perm)``.

    Equal to datasketch's ``MinHash(num_perm, seed, scheme="affine32")`` updated with each ``shingle_hash``.
    A text without tokens has ``0xFFFFFFFF`` throughout.
    """
    from provenance.fingerprint.kernel import LANES, minhash_rows

    multipliers, shifts = _padded_permutations(num_perm, seed, LANES)
    result = np.empty((len(tokens), len(shifts)), np.uint32)
    minhash_rows(tokens.hashes, tokens.offsets, gram_powers(SHINGLE_TOKENS), multipliers, shifts, result)
    return result if len(shifts) == num_perm else np.ascontiguousarray(result[:, :num_perm])


@lru_cache(maxsize=8)
def _padded_permutations(num_perm: int, seed: int, lanes: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    multipliers, shifts = permutations(num_perm, seed)
    more = -num_perm % lanes
    return np.pad(multipliers, (0, more)), np.pad(shifts, (0, more))


def band_keys(signatures: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """One 32-bit key for each of 25 bands of 5 rows, uint32 ``(n, 25)``.

    The band's number goes into its key. Equal texts have equal keys; so have all empty texts, which an index
    should not hold.
    """
    count = len(signatures)
    keys = np.tile(np.arange(1, BANDS + 1, dtype=np.uint32), (count, 1))
    rows = signatures[:, : BANDS * ROWS].reshape(count, BANDS, ROWS)
    for row in range(ROWS):
        keys = keys * np.uint32(SHINGLE_MULTIPLIER) + rows[:, :, row]
        keys ^= keys >> np.uint32(15)
    return finalise(keys)


def finalise(values: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """MurmurHash3's 32-bit finaliser, a bijection that spreads every bit."""
    values = (values ^ values >> np.uint32(16)) * np.uint32(0x85EBCA6B)
    values = (values ^ values >> np.uint32(13)) * np.uint32(0xC2B2AE35)
    return values ^ values >> np.uint32(16)


def jaccard(left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity of shingle sets: the share of equal values along the last axis.

    The standard error is ``sqrt(j * (1 - j) / num_perm)``, 0.04 at most for 128 permutations.
    """
    return np.asarray((left == right).mean(axis=-1), np.float64)
