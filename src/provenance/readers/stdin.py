"""Standard input as a source: spooled to a temporary file, under a name that the caller gives."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from provenance.errors import UsageError
from provenance.readers.options import Source

MAX_SPOOL_BYTES: Final = 64 << 30
"""Standard input is copied to a temporary file as far as this."""

_BLOCK: Final = 1 << 20
_FOLDER: Final = "provenance-stdin-"


def spool(name: str, stream: BinaryIO | None = None, limit: int = MAX_SPOOL_BYTES) -> Source:
    """Copy standard input to a temporary file, which `discard` removes.

    Args:
        name: Becomes the source's URI; its ending tells the format where the bytes don't.
        stream: What to read instead.
        limit: Most bytes.

    Raises:
        UsageError: The input is a terminal, longer than ``limit``, or there is no room for it.
    """
    incoming = stream or sys.stdin.buffer
    if stream is None and sys.stdin.isatty():
        raise UsageError("Standard input is a terminal", next_step="Pipe the data in, or name files")
    # A folder of its own: nothing beside the file can be taken for its dataset card.
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    path, size = folder / "stdin", 0
    try:
        with path.open("wb") as file:
            while block := incoming.read(_BLOCK):
                size += len(block)
                if size > limit:
                    raise UsageError(
                        f"Standard input is longer than {limit >> 30} GiB",
                        next_step="Write it to files and name these",
                    )
                file.write(block)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(
            f"Standard input can't be kept for reading: {error.strerror or error}",
            place=str(folder),
            next_step="Make room there, or set TMPDIR to a folder that has some",
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Source(str(path), name, size, spooled=True)


def discard(sources: Iterable[Source]) -> None:
    """Remove the temporary files of spooled sources."""
    for source in sources:
        folder = Path(source.location).parent
        if source.spooled and folder.name.startswith(_FOLDER):
            with contextlib.suppress(OSError):
                shutil.rmtree(folder)
