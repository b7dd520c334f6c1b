"""Raw linear scores of Arrow string arrays: the door to the compiled passes."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.modelfile import ModelArrays
from provenance.text.buffers import string_buffers

ROOM: Final = 16
"""Symbols of room beyond two for each byte."""


def margins(model: ModelArrays, texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Score texts.

    Args:
        model: Weights and alphabet.
        texts: Texts with case and punctuation; null reads as empty.

    Returns:
        The score of each text and its number of words (runs of letters and digits).
    """
    from provenance.classifier.scoring.kernel import score_texts

    values, offsets = string_buffers(texts)
    result = np.zeros(len(texts), np.float64)
    words = np.zeros(len(texts), np.int64)
    if len(texts):
        longest = int(np.diff(offsets).max())
        score_texts(
            values,
            offsets,
            model.symbols,
            model.window,
            model.bits,
            model.weights,
            np.array(model.scales),
            np.empty(2 * longest + ROOM, np.uint8),
            result,
            words,
        )
    return result, words


def symbolise(
    symbols_table: npt.NDArray[np.uint8], texts: pa.LargeStringArray
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Symbols of all texts end to end, and where each starts (``n + 1`` entries)."""
    from provenance.classifier.kernel import symbolise_texts

    values, offsets = string_buffers(texts)
    starts = np.zeros(len(texts) + 1, np.int64)
    symbols = np.empty(2 * int(offsets[-1] - offsets[0]) + ROOM, np.uint8)
    symbolise_texts(values, offsets, symbols_table, symbols, starts)
    return symbols[: starts[-1]].copy(), starts
