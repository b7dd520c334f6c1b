"""Dated: what the time of capture says about who can have written a text.

Before 2019-02-14 (GPT-2's first, partial release) no language model wrote fluently; the default policy decides on
captures before 2019-01-01. Later captures only shift the prior share of synthetic text, which ranks and never
decides.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

LAST_HUMAN_DAY: Final = dt.date(2018, 12, 31)
WEIGHT: Final = -9.0
"""Log likelihood ratio of a trusted capture before 2019: one synthetic text in about eight thousand, for wrong
clocks. Assumed."""

NAME: Final = "captured"
DETAIL: Final = "captured {day}, before any language model wrote fluently"

PRIOR_BY_MONTH: Final[tuple[tuple[dt.date, float], ...]] = (
    (dt.date(1970, 1, 1), 0.0001),
    (dt.date(2019, 2, 1), 0.001),
    (dt.date(2020, 6, 1), 0.01),
    (dt.date(2022, 12, 1), 0.05),
    (dt.date(2023, 7, 1), 0.15),
    (dt.date(2024, 7, 1), 0.3),
    (dt.date(2025, 7, 1), 0.4),
)
"""Share of newly captured web text that models wrote, from each date on: steps at GPT-2, the GPT-3 API, ChatGPT,
then assumed growth. The shares are assumptions; the policies repeat them and may differ."""


def prior(captured: dt.date | None) -> float:
    """Share of synthetic text assumed for a capture on this day; the last step's when the day isn't known."""
    if captured is None:
        return PRIOR_BY_MONTH[-1][1]
    return [share for start, share in PRIOR_BY_MONTH if start <= captured or start == PRIOR_BY_MONTH[0][0]][-1]
