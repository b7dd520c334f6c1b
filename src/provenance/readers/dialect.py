"""How a delimited file separates and quotes its fields, told from its first rows.

Every way that is in use is tried on the head of the file; the one under which most rows are as wide as the header
wins. `csv.Sniffer` looks at characters instead of rows and is often led astray by the texts inside.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

_DELIMITERS: Final = (",", "\t", ";", "|")
_ROWS: Final = 200


class _Quoted(csv.Dialect):
    delimiter = ","
    quotechar = '"'
    doublequote = True
    lineterminator = "\n"
    quoting = csv.QUOTE_MINIMAL
    strict = True


def dialect_of(sample: str, name: str, columns: Collection[str], *, whole: bool) -> type[csv.Dialect]:
    """The dialect of a file.

    Args:
        sample: Its first characters.
        name: Its name; ``.tsv`` and ``.tab`` speak for tabs.
        columns: Names, in lower case, of which the header is likely to have one.
        whole: The sample is the whole file.
    """
    if not whole:
        sample = sample[: sample.rfind("\n") + 1] or sample
    lines = list(io.StringIO(sample.removeprefix("\ufeff"), newline=""))
    tabs = re.search(r"\.(?:tsv|tab)\b", name.lower()) is not None
    ways = [(delimiter, way) for delimiter in _DELIMITERS for way in _ways(delimiter)]
    scored = []
    for order, (delimiter, dialect) in enumerate(ways):
        width, share = _fit(lines, dialect, whole)
        named = any(cell.strip().lower() in columns for cell in _header(lines, dialect))
        fits = width > 1 and share >= 0.5
        scored.append(
            ((named, fits, fits and tabs and delimiter == "\t", round(share, 3), width if fits else 0, -order), dialect)
        )
    return max(scored, key=lambda pair: pair[0])[1]


def _ways(delimiter: str) -> Iterator[type[csv.Dialect]]:
    yield type("Quoted", (_Quoted,), {"delimiter": delimiter})
    yield type("Escaped", (_Quoted,), {"delimiter": delimiter, "escapechar": "\\"})
    if delimiter == "\t":
        yield type("Bare", (_Quoted,), {"delimiter": delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None})


def _header(lines: list[str], dialect: type[csv.Dialect]) -> list[str]:
    try:
        return next(csv.reader(iter(lines), dialect), [])
    except csv.Error:
        return []


def _fit(lines: list[str], dialect: type[csv.Dialect], whole: bool) -> tuple[int, float]:
    """Width of the header, and the share of rows (the header's among them) that have it."""
    widths: list[int] = []
    at = 0
    while at < len(lines) and len(widths) < _ROWS:
        reader = csv.reader(iter(lines[at:]), dialect)
        good = 0
        try:
            for cells in islice(reader, _ROWS - len(widths)):
                widths.extend([len(cells)] if cells else [])
                good = reader.line_num
            break
        except csv.Error:
            if not whole and at + reader.line_num >= len(lines):
                break  # a row that goes on behind the sample
            widths.append(0)
            at += good + 1
    if not widths or not widths[0]:
        return 0, 0.0
    return widths[0], widths.count(widths[0]) / len(widths)
