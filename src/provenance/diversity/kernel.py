"""The loop over tokens that NumPy has no word for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

_TABLE = 4096
"""Slots for the types of one factor; a factor that fills half of them is ended."""


@njit(cache=True, nogil=True)
def factors(hashes: npt.NDArray[np.uint32], threshold: float, backwards: bool) -> float:
    """Return the number of MTLD factors in a text, the last one counted by the part of it that is there."""
    slots = np.zeros(_TABLE, np.uint32)
    stamps = np.zeros(_TABLE, np.int64)
    mask = np.uint32(_TABLE - 1)
    count, types, tokens, stamp = 0.0, 0, 0, 1
    size = hashes.shape[0]
    for step in range(size):
        value = hashes[size - 1 - step] if backwards else hashes[step]
        slot = (value * np.uint32(2654435761) >> np.uint32(13)) & mask
        while stamps[slot] == stamp and slots[slot] != value:
            slot = (slot + np.uint32(1)) & mask
        if stamps[slot] != stamp:
            stamps[slot] = stamp
            slots[slot] = value
            types += 1
        tokens += 1
        if types < threshold * tokens or types >= _TABLE // 2:
            count += 1.0
            types, tokens = 0, 0
            stamp += 1
    if tokens:
        count += (1.0 - types / tokens) / (1.0 - threshold)
    return count
