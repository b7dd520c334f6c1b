"""The log of a scan: JSON lines in the store's ``logs`` folder, by which a scan can be watched, and told of later.

It says what happened and how much, never what a record holds: events, names of sources, counters, reasons, times. What
any part of the package logs under the name ``provenance`` while the scan runs stands in it too.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from provenance.store import Store

FOLDER: Final = "logs"
LARGEST: Final = 8 << 20
"""Bytes of a log file. One that has so many is kept once, as ``<scan>.1.jsonl``, and begun anew."""
KEPT: Final = 200
"""Files that stay when a scan begins; the oldest go."""
PULSE: Final = 5.0
"""Seconds between two reports of progress."""

_LONGEST: Final = 500
_SECRETS: Final = re.compile(r"(?i)(?<=://)[^/@\s]*@|\?[^\s'\"]*|\b(?:key|token|secret|password|signature)=\S+")

Progress = Callable[[int, int, int], None]

_log = logging.getLogger("provenance")
_log.addHandler(logging.NullHandler())  # quiet unless the program that uses the package wants to hear


class ScanLog(logging.Handler):
    """Writes the log of one scan. A disk that refuses it stops no scan.

    Args:
        store: The store that is scanned into.
        scan_id: The scan.
    """

    def __init__(self, store: Store, scan_id: str) -> None:
        super().__init__(logging.INFO)
        self.path = store.root / FOLDER / f"{scan_id}.jsonl"
        self._began = time.monotonic()
        self._due = 0.0
        self._first: tuple[int, int] | None = None
        self._writing = threading.Lock()

    def __enter__(self) -> ScanLog:
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            _sweep(self.path.parent)
        self._level = _log.level
        if _log.getEffectiveLevel() > logging.INFO:
            _log.setLevel(logging.INFO)
        _log.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _log.removeHandler(self)
        _log.setLevel(self._level)
        if kind is not None:
            interrupted = issubclass(kind, KeyboardInterrupt)
            self.event("interrupted" if interrupted else "failed", error=kind.__name__, message=str(error))

    def emit(self, record: logging.LogRecord) -> None:
        """Write what some part of the package logged; ``extra={"counters": {…}}`` gives it fields."""
        counters = getattr(record, "counters", {})
        if record.levelno >= logging.WARNING:
            self.event("warning", message=record.getMessage(), **counters)
        elif counters:
            self.event(record.getMessage(), **counters)

    def event(self, name: str, **fields: Any) -> None:
        """Write one line: time, event, fields."""
        now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        row = {"time": now.isoformat(timespec="milliseconds"), "event": name, **_harmless(fields)}
        line = json.dumps(row, default=str, ensure_ascii=True) + "\n"
        with self._writing, contextlib.suppress(OSError):
            if self.path.exists() and self.path.stat().st_size + len(line) > LARGEST:
                self.path.replace(self.path.with_suffix(".1.jsonl"))
            with self.path.open("a", encoding="ascii") as file:
                file.write(line)

    def watching(self, report: Progress | None) -> Progress:
        """Return a function that reports progress as ``report`` does, and writes it down every few seconds."""

        def progress(done: int, total: int, records: int) -> None:
            if report is not None:
                report(done, total, records)
            now = time.monotonic()
            if self._first is None:
                self._first, self._began = (done, records), now
            if now < self._due and done < total:
                return
            self._due = now + PULSE
            seconds = max(now - self._began, 1e-6)
            rates = {
                "bytes_per_second": round((done - self._first[0]) / seconds),
                "records_per_second": round((records - self._first[1]) / seconds, 1),
            }
            self.event("progress", bytes=done, bytes_total=total, records=records, seconds=round(seconds, 1), **rates)

        return progress


def _harmless(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields without credentials and signatures, and of bounded length."""
    return {
        name: _SECRETS.sub("…", value)[:_LONGEST] if isinstance(value, str) else value for name, value in fields.items()
    }


def _sweep(folder: Path) -> None:
    """Remove the oldest logs, and their second halves."""
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT:]:
        path.unlink(missing_ok=True)


def last_progress(store: Store, scan_id: str) -> dict[str, Any]:
    """Return how far a running scan is, as its log has it; nothing if it has not said so.

    Returns:
        ``bytes``, ``bytes_total``, ``records``, the two rates, ``seconds_left`` (None if nothing has moved) and
        ``silent_seconds``, the time since it said anything.
    """
    path = store.root / FOLDER / f"{scan_id}.jsonl"
    found: dict[str, Any] = {}
    last = None
    for row in _tail(path):
        last = row.get("time", last)
        if row.get("event") == "progress":
            found = row
        elif row.get("event") == "begin":
            found = {}
    if not last:
        return {}
    with contextlib.suppress(TypeError, ValueError, KeyError):
        silent = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.datetime.fromisoformat(last)
        rate = found.get("bytes_per_second", 0)
        left = found["bytes_total"] - found["bytes"] if found else 0
        return {
            **{name: value for name, value in found.items() if name not in ("time", "event", "seconds")},
            "seconds_left": round(left / rate) if rate > 0 else None,
            "silent_seconds": max(0, round(silent.total_seconds())),
        }
    return {}


def _tail(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - (1 << 16)))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row
