"""What fuzzing runs: targets, each with its check, its seeds and the words of its language."""

from __future__ import annotations

import atexit
import ctypes
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("PROVENANCE_SHARED", ROOT.parent / "shared")) / "data/crawl"
PAGE = mmap.PAGESIZE
AREA = 1 << 24
Check = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        check: Fails with any exception when the thing does not keep its promise on these bytes.
        seeds: What it starts from.
        most: Longest input, in bytes. Time for an execution grows with it.
        words: Of the language that it reads, put into inputs whole.
        plain: Its kernels can run as plain Python, so that their branches guide too.
        mutate: Changes what a container holds and packs it again, where changed bytes would fail a checksum.
    """

    check: Check
    seeds: Callable[[], list[bytes]]
    most: int = 4096
    words: tuple[bytes, ...] = ()
    plain: bool = False
    mutate: Callable[[bytes, int, int], bytes] | None = None


@cache
def folder() -> Path:
    """A folder in memory, removed at the end."""
    made = tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def area(_use: str) -> tuple[mmap.mmap, int]:
    """Memory whose last page can't be touched, and its size without that page."""
    whole = mmap.mmap(-1, AREA + PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + AREA), PAGE, 0):
        raise OSError("mprotect")
    return whole, AREA


def guarded(content: bytes, room: int | None = None) -> Any:
    """The bytes as an array that ends where memory does; with ``room``, that many bytes to be written."""
    import numpy as np

    size = len(content) if room is None else room
    memory, end = area("read" if room is None else "write")
    array = np.frombuffer(memory, np.uint8)[end - size : end]
    array[: len(content)] = np.frombuffer(content, np.uint8)
    if room is None:
        array.flags.writeable = False
    return array
