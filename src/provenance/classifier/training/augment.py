"""Disguises that the alphabet can't take away, put into training windows of both labels: misspelt words.

Models don't misspell and people do, so a model of style learns slips as a mark of people, and a few slips sown by a
program would hide a synthetic text. Sown into both labels alike they mean less.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.classifier.training.corpus import Ints, uniform

MISSPELT_WINDOWS: Final = 0.5
"""Share of the windows that are misspelt."""
_FEWEST, _MOST = 0.02, 0.15
_SEED = 11


def misspelt(
    symbols: npt.NDArray[np.uint8], first: Ints, final: Ints, share: float = MISSPELT_WINDOWS
) -> tuple[npt.NDArray[np.uint8], Ints, Ints]:
    """Misspell 2 to 15 % of the words of some windows.

    Args:
        symbols: The corpus's symbols.
        first: First symbol of each window.
        final: One past its last symbol.
        share: How many of the windows, between 0 and 1.

    Returns:
        Symbols with the misspelt windows behind the given ones, and the windows' limits in them.
    """
    numbers = np.arange(len(first), dtype=np.int64)
    chosen = np.flatnonzero(uniform(numbers, 41) < share)
    if not len(chosen):
        return symbols, first, final
    rates = _FEWEST + (_MOST - _FEWEST) * uniform(chosen, 42)
    copies, starts = misspell_spans(symbols, first[chosen], final[chosen], rates)
    first, final = first.copy(), final.copy()
    first[chosen], final[chosen] = len(symbols) + starts[:-1], len(symbols) + starts[1:]
    return np.concatenate([symbols, copies]), first, final


def misspell_spans(
    symbols: npt.NDArray[np.uint8], first: Ints, final: Ints, rates: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.uint8], Ints]:
    """Misspelt copies of spans, end to end, and where each starts (``n + 1`` entries)."""
    from provenance.classifier.training.kernel import misspell

    room = int((final - first).sum())
    copies, starts = np.empty(room + room // 4 + 16, np.uint8), np.zeros(len(first) + 1, np.int64)
    misspell(symbols, first, final, rates, _SEED, copies, starts)
    return copies[: starts[-1]], starts
