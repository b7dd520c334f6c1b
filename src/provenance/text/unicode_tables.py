"""The shipped Unicode tables, as arrays that kernels read.

Made by ``scripts/make-unicode-tables``. Characters that the tables' Unicode version does not know map to
themselves and separate tokens, in every Python version.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

SLOTS: Final = 4096
"""Places in the hash table of composition pairs; a power of two, four times the pairs."""
LETTERS: Final = 0x590
"""Every letter that passes for another is below this code point."""


class UnicodeTables(NamedTuple):
    """Tables of one Unicode version.

    Attributes:
        blocks: uint16, block number of ``code >> 7``.
        properties: uint16 at ``block * 128 + (code & 127)``: bits 0-1 token class (0 separates, 1 word, 2 a
            token by itself, 3 goes with what stands before it), bit 2 joins what stands before it or vanishes,
            bit 3 folds to something else, bit 4 white space, bits 5-7 script (1 Latin, 2 Cyrillic, 3 Greek,
            4 Armenian, 5 for what folds to letters of several), bits 8-15 canonical combining class.
        entries: uint16 at the same place: which mapping, 0 for none.
        part_offsets: uint32, where the decomposed form of a mapping starts in ``parts``.
        parts: uint32 code points.
        composed_offsets: uint32, where the folded form of a mapping starts in ``composed``.
        composed: uint8, UTF-8, then eight bytes so that eight can be read anywhere.
        pair_keys: uint64, ``first << 21 | second`` in an open-addressing table of ``SLOTS``, 0 for free.
        pair_values: uint32, what the pair composes to.
        lookalikes: uint16 by code point below ``LETTERS``: the Latin letter it passes for, 0 for none.
        reverse: uint16 ``(5, 256)``: the letter of a script that a Latin letter stands for, 0 for none.
    """

    blocks: npt.NDArray[np.uint16]
    properties: npt.NDArray[np.uint16]
    entries: npt.NDArray[np.uint16]
    part_offsets: npt.NDArray[np.uint32]
    parts: npt.NDArray[np.uint32]
    composed_offsets: npt.NDArray[np.uint32]
    composed: npt.NDArray[np.uint8]
    pair_keys: npt.NDArray[np.uint64]
    pair_values: npt.NDArray[np.uint32]
    lookalikes: npt.NDArray[np.uint16]
    reverse: npt.NDArray[np.uint16]


def pair_slot(key: int) -> int:
    """Where the search for a composition pair starts."""
    return ((key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF) >> 52


@lru_cache(maxsize=1)
def unicode_tables() -> UnicodeTables:
    """Load the tables that ship with the package."""
    raw = np.load(BytesIO(files("provenance.text").joinpath("unicode_tables.npz").read_bytes()), allow_pickle=False)
    keys = np.zeros(SLOTS, np.uint64)
    values = np.zeros(SLOTS, np.uint32)
    for first, second, code in raw["pairs"].tolist():
        key = first << 21 | second
        slot = pair_slot(key)
        while keys[slot]:
            slot = (slot + 1) % SLOTS
        keys[slot], values[slot] = key, code
    lookalikes = np.zeros(LETTERS, np.uint16)
    lookalikes[raw["lookalikes"][:, 0]] = raw["lookalikes"][:, 1]
    reverse = np.zeros((5, 256), np.uint16)
    reverse[raw["reverse"][:, 0], raw["reverse"][:, 1]] = raw["reverse"][:, 2]
    return UnicodeTables(
        blocks=raw["blocks"],
        properties=raw["properties"],
        entries=raw["entries"],
        part_offsets=raw["part_offsets"],
        parts=raw["parts"],
        composed_offsets=raw["composed_offsets"],
        composed=np.pad(raw["composed"], (0, 8)),
        pair_keys=keys,
        pair_values=values,
        lookalikes=lookalikes,
        reverse=reverse,
    )
