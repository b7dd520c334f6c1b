"""What commands print: tables for people, JSON for programs, progress on stderr when a person watches."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from provenance import escapes

if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[int, int, int], None]


_CELL: Final = 4000
"""Characters of a value that a table shows."""

_NAMED: Final = 5
"""Sources that a message names one by one."""
_EXAMPLES: Final = 2

_UNSEEN_WIDTH: Final = 140
"""Characters of a line where no terminal says how many it has."""

safe = escapes.terminal
safe_lines = escapes.terminal_lines


def emit(text: str) -> None:
    """Write lines to stdout; what could drive a terminal is shown instead, wherever in them it came from."""
    sys.stdout.write(safe_lines(text) + "\n")


def outcome(what: str, node: str, *, json: bool) -> None:
    """Write what became of one thing: a line for people, ``{what: node}`` for programs."""
    if json:
        emit_json({what: node})
    else:
        emit(f"{what} {safe(node)}")


def note(text: str) -> None:
    """Write lines to stderr, likewise."""
    sys.stderr.write(safe_lines(text) + "\n")


def emit_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    emit(as_json(value, indent=2))


def as_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that can't drive a terminal; NaN and infinities, which JSON lacks, become null."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, default=_plain, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, default=_plain)
    return escapes.json_text(text)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return _number(value)
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


def _number(value: Decimal) -> int | float:
    """DuckDB's sums are decimals; a whole one is a whole number."""
    return int(value) if value == value.to_integral_value() else float(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table; where not even the names of the columns fit side by side, one value a line."""
    if sum(len(name) + 2 for name in names) <= _width():
        table(names, rows)
        return
    if not rows:
        emit(f"no rows of {', '.join(map(safe, names))}")
    longest = max(map(len, names))
    for number, row in enumerate(rows, 1):
        emit(f"{'' if number == 1 else chr(10)}row {number:,}")
        for name, value in zip(names, row, strict=True):
            emit(f"  {safe(name):<{longest}}  {_cell(value)}".rstrip())


def _width() -> int:
    if not sys.stdout.isatty():
        return _UNSEEN_WIDTH
    import shutil

    return shutil.get_terminal_size().columns


def table(headers: Sequence[str], rows: Sequence[Sequence[object]], title: str | None = None) -> None:
    """Print a table to stdout; numbers are set right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, header in enumerate(headers):
        numeric = bool(rows) and all(
            isinstance(row[place], int | float | Decimal) or row[place] is None for row in rows
        )
        grid.add_column(Text(safe(header)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(_cell(value)) for value in row))
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNSEEN_WIDTH, highlight=False)
    if title is not None:  # as Text, so that square brackets in a name are not taken for markup
        console.print(Text(safe(title), style="bold"), soft_wrap=True)
    console.print(grid)


def _cell(value: object) -> str:
    if isinstance(value, Decimal):
        value = _number(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    text = str(value)
    if len(text) > _CELL:  # laying out megabytes takes minutes
        return f"{safe(text[:_CELL])}… ({len(text):,} characters)"
    return safe(value)


def left_out(what: str, sources: Sequence[tuple[str, str]], query: str) -> None:
    """Write to stderr which sources were left out and why; many of them by reason.

    Args:
        what: What became of them, such as ``not read``.
        sources: URI of each, and the reason.
        query: SQL that lists them.
    """
    reasons: dict[str, list[str]] = {}
    for uri, reason in sources:
        # An error names its place, which would make each one another reason.
        reasons.setdefault(reason.replace(f" ({uri})", ""), []).append(uri)
    few = len(sources) <= _NAMED
    for reason, uris in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        named = ", ".join(map(safe, uris if few else uris[:_EXAMPLES]))
        count = "" if few else f"{len(uris):,} sources, such as "
        note(f"{what}: {count}{named}: {safe(reason)}")
    if not few:
        note(f'`provenance sql "{query}"` lists them')


def size(count: float) -> str:
    """Return a byte count as people read it."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def duration(seconds: float) -> str:
    """Return a span of time as people read it, such as ``3 h 20 min``."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


@contextmanager
def progress(label: str) -> Iterator[Progress | None]:
    """Show a bar on stderr while work goes on; yields nothing when stderr is not a terminal.

    The yielded function takes (bytes done, bytes in all, records so far).
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task(label, total=None, records=0)

        def update(done: int, total: int, records: int) -> None:
            bar.update(task, completed=done, total=total or None, records=records)

        yield update
