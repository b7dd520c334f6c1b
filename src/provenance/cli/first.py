"""The first time on a machine: kernels are compiled, which takes a while in which nothing else is to be seen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provenance.cli import output

_KERNEL: Final = Path(__file__).parent.parent / "text" / "tokens" / "kernel.py"
"""One that every reading of texts needs."""


def say_if_compiling() -> None:
    """Say to a person who watches that this run compiles what later ones find compiled."""
    if sys.stderr.isatty() and not is_compiled(_KERNEL):
        output.note("Compiling the text kernels, once for this machine: some 20 seconds …")


def is_compiled(kernel: Path) -> bool:
    """Tell whether a kernel, as it is now, was compiled for this Python before."""
    written = kernel.stat().st_mtime
    return any(found.stat().st_mtime >= written for found in _compiled(kernel))


def _compiled(kernel: Path) -> Iterator[Path]:
    """Yield what numba has kept of a kernel, in the places that it keeps such things."""
    files = f"kernel.*.py{sys.version_info.major}{sys.version_info.minor}*.nbi"
    yield from (kernel.parent / "__pycache__").glob(files)
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    for folder in (
        os.environ.get("NUMBA_CACHE_DIR"),
        Path(cache, "numba"),
        Path("~/Library/Caches/numba").expanduser(),
    ):
        yield from Path(folder).glob(f"{kernel.parent.name}_*/{files}") if folder else ()
