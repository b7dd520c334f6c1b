"""A file that may be a stranger's, read whole but never more of it than a bound."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def read(path: Path, most: int) -> bytes:
    """Return a file's bytes.

    Args:
        path: A regular file, or a link to one; a device or pipe might never end.
        most: The bound, in bytes.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is no regular file, or larger.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # else a pipe that nobody writes to waits
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content
