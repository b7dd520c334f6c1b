"""Passage fingerprints: winnowed token k-grams (Schleimer, Wilkerson and Aiken 2003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from provenance.fingerprint.minhash import gram_powers, shingle_hash
from provenance.text.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSAGE_TOKENS: Final = 6
PASSAGE_WINDOW: Final = 15


def passage_hash(tokens: Sequence[int]) -> int:
    """Combine the 32-bit hashes of a passage's tokens: the shingle's rule, then MurmurHash3's finaliser."""
    mixed = shingle_hash(tokens)
    mixed ^= mixed >> 16
    mixed = mixed * 0x85EBCA6B & 0xFFFFFFFF
    mixed ^= mixed >> 13
    mixed = mixed * 0xC2B2AE35 & 0xFFFFFFFF
    return mixed ^ mixed >> 16


def winnow_reference(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """The selected (hash, position) of one text, in plain Python."""
    if not tokens:
        return []
    count = max(1, len(tokens) - PASSAGE_TOKENS + 1)
    grams = [passage_hash(tokens[i : i + PASSAGE_TOKENS]) for i in range(count)]
    selected: list[tuple[int, int]] = []
    last = -1
    for end in range(min(PASSAGE_WINDOW, count), count + 1):
        start = max(0, end - PASSAGE_WINDOW)
        low = min(grams[start:end])
        if last >= start and grams[last] == low:
            continue
        last = max(i for i in range(start, end) if grams[i] == low)
        selected.append((low, last))
    return selected


def winnow(
    tokens: Tokens,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Passage offsets, hashes and positions of tokenised texts."""
    from provenance.fingerprint.kernel import winnow_rows

    offsets = np.zeros(len(tokens) + 1, np.int64)
    hashes = np.empty(len(tokens.hashes), np.uint32)
    positions = np.empty(len(tokens.hashes), np.uint32)
    powers = gram_powers(PASSAGE_TOKENS)
    total = winnow_rows(tokens.hashes, tokens.offsets, powers, PASSAGE_WINDOW, hashes, positions, offsets)
    hashes.resize(total, refcheck=False)
    positions.resize(total, refcheck=False)
    return offsets, hashes, positions
