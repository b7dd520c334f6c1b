"""Split folded text into tokens, each known by a 32-bit hash.

A token is a maximal run of letters, marks and digits (Unicode categories L, M, N without the letters and
numbers below); everything else separates. An apostrophe and a hyphen therefore separate too: ``don't``
is ``don`` and ``t`` whichever of a dozen apostrophes was typed. In scripts written without spaces (Han,
kana, Thai, Lao, Khmer, Myanmar) every base character with the marks that follow it is a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from provenance.text.buffers import string_buffers

if TYPE_CHECKING:
    import pyarrow as pa

MULTIPLIER: Final = 0x9E3779B97F4A7C15
FINAL_MULTIPLIER: Final = 0xD6E8FEB86659FD93
_MASK64: Final = (1 << 64) - 1


@dataclass(frozen=True)
class Tokens:
    """The token hashes of ``n`` texts, one after another.

    Attributes:
        offsets: int64, ``n + 1`` values; text ``i`` has the hashes ``offsets[i]:offsets[i + 1]``.
        hashes: uint32, one per token.
    """

    offsets: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def words(self) -> npt.NDArray[np.int32]:
        """Tokens of each text, int32."""
        return np.diff(self.offsets).astype(np.int32)


def token_hash(token: str) -> int:
    """Hash one folded token to 32 bits.

    The UTF-8 bytes are read as little-endian 64-bit words, the last padded with zeros. From ``h = 0``, each
    word does ``h = (h ^ word) * MULTIPLIER; h ^= h >> 32`` modulo 2**64; at the end the upper half of
    ``(h ^ length in bytes) * FINAL_MULTIPLIER`` is the hash.
    """
    encoded = token.encode()
    mixed = 0
    for start in range(0, len(encoded), 8):
        mixed = ((mixed ^ int.from_bytes(encoded[start : start + 8], "little")) * MULTIPLIER) & _MASK64
        mixed ^= mixed >> 32
    return (((mixed ^ len(encoded)) * FINAL_MULTIPLIER) & _MASK64) >> 32


def tokens_reference(folded: str) -> list[str]:
    """Split one folded text in plain Python: slow, and what :func:`tokenize` is measured against."""
    from provenance.text.reference import split_text

    return split_text(folded)


def tokenize(folded: pa.LargeStringArray) -> Tokens:
    """Split folded texts into tokens.

    Args:
        folded: What :func:`provenance.text.fold.fold` gives. A null has no tokens.

    Returns:
        The hash of every token, in order.
    """
    from provenance.text.tokens.kernel import split_texts
    from provenance.text.unicode_tables import unicode_tables

    values, offsets = string_buffers(folded)
    rows = len(offsets) - 1
    token_offsets = np.zeros(rows + 1, np.int64)
    # A token and what ends it take two bytes at least, except for the last of a text.
    hashes = np.empty(int(offsets[-1] - offsets[0]) // 2 + rows + 1, np.uint32)
    total = split_texts(unicode_tables(), values, offsets, hashes, token_offsets)
    hashes.resize(total, refcheck=False)
    return Tokens(token_offsets, hashes)
