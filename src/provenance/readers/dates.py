"""When a record was captured: the date formats of crawls and datasets, and which dates can't be true.

A date is implausible at the Unix epoch itself (a missing value written as 0), before the first web page for a
capture time (1991-08-06), and from 2038-01-19T03:14:07Z on. That upper bound, the largest signed 32-bit
time, is fixed on purpose: with the clock's own "now" the same file would give other rows tomorrow.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_PAGE: Final = datetime(1991, 8, 6, tzinfo=UTC)
LAST: Final = EPOCH + timedelta(seconds=2**31 - 1)

_COMPACT: Final = re.compile(r"^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-5]\d){0,3}$")
_MONTH: Final = re.compile(r"^((?:19|20)\d{2})(?:-(0[1-9]|1[0-2]))?$")
_NUMBER: Final = re.compile(r"^-?\d{1,19}(?:\.\d*)?$")
_FRACTION: Final = re.compile(r"(?<=:\d\d)[.,](\d+)")


def parse_date(value: object) -> datetime | None:
    """A date in UTC; None where nothing can be read from it.

    Understood: ISO 8601 (a time without zone is UTC; a month or year alone is its last second, so that it never
    makes a text older than it is), 14-digit and 8-digit crawl stamps, RFC 2822, and numbers as Unix time in
    seconds, milliseconds, microseconds or nanoseconds by their size.
    """
    if isinstance(value, str):
        return _text(value.strip()) if len(value) <= 64 else None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _number(value)
    return None


def origin_of(moment: datetime, origin: str) -> str:
    """``origin``, or ``implausible`` where a date of that origin can't be true (see the module)."""
    if moment == EPOCH or moment >= LAST or (origin != "page" and moment < FIRST_PAGE):
        return "implausible"
    return origin


@lru_cache(maxsize=4096)
def _text(text: str) -> datetime | None:
    if text[4:5] == "-" and text[7:8] == "-":
        try:
            return parse_date(datetime.fromisoformat(text))
        except ValueError:
            pass
    period = _MONTH.match(text)
    try:
        if period:
            year, month = int(period[1]), int(period[2] or 12)
            return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(seconds=1)
        if _COMPACT.match(text):
            return datetime.strptime(text, "%Y%m%d%H%M%S"[: len(text) - 2]).replace(tzinfo=UTC)
        if _NUMBER.match(text):
            return _number(float(text))
        if text[:4].isdigit():
            # fromisoformat refuses a fraction finer than microseconds in some Pythons.
            return parse_date(datetime.fromisoformat(_FRACTION.sub(lambda f: "." + f[1][:6].ljust(6, "0"), text)))
        return parse_date(parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError):
        return None


def _number(value: float) -> datetime | None:
    if value != value or abs(value) >= 1e19:
        return None
    if isinstance(value, int) and _COMPACT.match(str(value)):
        return _text(str(value))
    size = abs(value)
    scale = 1 if size < 1e11 else 1e3 if size < 1e14 else 1e6 if size < 1e17 else 1e9
    try:
        return EPOCH + timedelta(seconds=value / scale)
    except OverflowError:
        return None
