"""Letting members in, one after the other, as long as every limit is kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator, unused-ignore]
def admit(costs: Floats, totals: Floats, admitted: npt.NDArray[np.bool_], rounding: float) -> int:
    """Let in each member whose costs keep every total at or below zero; return how many were let in.

    Args:
        costs: By member and limit.
        totals: By limit; what is let in is added.
        admitted: By member; those that are in already are passed over, those that come in are marked.
        rounding: How far above zero is still zero.
    """
    count = 0
    for member in range(costs.shape[0]):
        if admitted[member]:
            continue
        fits = True
        for limit in range(costs.shape[1]):
            if totals[limit] + costs[member, limit] > rounding:
                fits = False
                break
        if fits:
            for limit in range(costs.shape[1]):
                totals[limit] += costs[member, limit]
            admitted[member] = True
            count += 1
    return count
