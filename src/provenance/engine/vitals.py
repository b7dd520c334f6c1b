"""What a process has used, asked from outside: CPU time and memory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Vitals(NamedTuple):
    """CPU seconds used so far, and bytes of memory that are its own (files that it maps are not)."""

    cpu: float
    memory: int


def vitals(pid: int) -> Vitals | None:
    """Return what a process has used, or nothing if it is gone."""
    return _from_proc(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_proc(pid: int) -> Vitals | None:
    folder = Path("/proc", str(pid))
    try:
        fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        resident, shared = (folder / "statm").read_bytes().split()[1:3]
    except (OSError, ValueError):
        return None
    if len(fields) < 13 or fields[0] in (b"Z", b"X"):
        return None
    ticks = int(fields[11]) + int(fields[12])
    # Shared pages are those of mapped files: they are the page cache's, and go when memory is short.
    return Vitals(ticks / os.sysconf("SC_CLK_TCK"), (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE"))


def _from_ps(pid: int) -> Vitals | None:
    asked = subprocess.run(  # noqa: S603 - a number of our own
        ["/bin/ps", "-o", "time=,rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    fields = asked.stdout.split()
    if len(fields) != 2:
        return None
    days, _, clock = fields[0].rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = 60 * seconds + float(part)
    return Vitals(86_400 * int(days or 0) + seconds, 1024 * int(fields[1]))
