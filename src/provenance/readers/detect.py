"""What a file is, by its first bytes; its name decides only where they say nothing."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from provenance.errors import SourceError
from provenance.readers.options import Source

_PROBE: Final = 1 << 16

_COMPRESSIONS: Final = (
    (b"\x1f\x8b", "gz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_SKIPPABLE_FRAME: Final = re.compile(rb"^[\x50-\x5f]\x2a\x4d\x18")

_KNOWN: Final = (
    (re.compile(rb"^PAR1"), "parquet"),
    (re.compile(rb"^\s*WARC/\d"), "warc"),
    (re.compile(rb"^filedesc://"), "arc"),
    (re.compile(rb"^PK\x03\x04"), "wacz"),
    (re.compile(rb"^(?:ARROW1|\xff\xff\xff\xff)"), "arrow"),
    (re.compile(rb"^ORC"), "orc"),
    (re.compile(rb"^%PDF"), "pdf"),
    (re.compile(rb"^(?:\xef\xbb\xbf)?\s*\{"), "jsonl"),
    (re.compile(rb"^(?:\xef\xbb\xbf)?\s*\[\s*[{\[\]]"), "json"),
)
_UNREAD: Final = {
    "arc": ("an ARC file", "Convert it to WARC first (warcio recompress, or jwarc)"),
    "wacz": ("a ZIP archive (WACZ?)", "Unpack it and name the files in its archive/ folder"),
    "arrow": ("an Arrow IPC file", "Write it as Parquet"),
    "orc": ("an ORC file", "Write it as Parquet"),
    "pdf": ("a PDF", "Extract its text into JSONL"),
    "csv": ("CSV or TSV", "Write it as Parquet or JSONL, for example with duckdb"),
    "bz2": ("compressed with bzip2", "Decompress it, or recompress it with gzip or zstd"),
    "xz": ("compressed with xz", "Decompress it, or recompress it with gzip or zstd"),
    "utf-16": ("UTF-16 text", "Convert it to UTF-8, for example with iconv"),
}


class Form(NamedTuple):
    """How a file is built.

    Attributes:
        container: ``warc``, ``jsonl``, ``json`` (one array), ``parquet`` or ``empty``.
        compression: ``""``, ``gz``, ``zst`` or ``lz4``.
    """

    container: str
    compression: str

    @property
    def name(self) -> str:
        """Both, as in file names: ``warc.gz``."""
        return f"{self.container}.{self.compression}" if self.compression else self.container


def detect(source: Source) -> Form:
    """Container and compression of a source.

    Raises:
        SourceError: It can't be opened, or is of a kind that is not read; the message names the kind.
    """
    try:
        with Path(source.location).open("rb") as file:
            head = file.read(_PROBE)
    except OSError as error:
        raise SourceError(
            f"The file can't be opened: {error.strerror}", place=source.uri, next_step="Check it with ls -l"
        ) from error
    if not head:
        return Form("empty", "")
    compression = next((name for magic, name in _COMPRESSIONS if head.startswith(magic)), "")
    if not compression and _SKIPPABLE_FRAME.match(head):
        compression = "zst"
    if compression in _UNREAD:
        raise _unread(source, compression)
    start = _inflate_start(source, head, compression)
    if start == b"" and compression and _is_complete_and_empty(head, compression):
        return Form("empty", compression)
    container = _container(source, start)
    if container is not None:
        return Form(container, compression)
    if compression and not start:
        raise SourceError(
            f"The file is compressed ({compression}) but nothing of it can be decompressed",
            place=source.uri,
            next_step="It is truncated or damaged; download it again",
        )
    raise SourceError(
        "The file is in no format that can be read (WARC, WET, JSONL, Parquet)",
        place=source.uri,
        next_step="Convert it, or leave it out of the input",
    )


def _container(source: Source, start: bytes) -> str | None:
    for pattern, container in _KNOWN:
        if pattern.match(start):
            if container in _UNREAD:
                raise _unread(source, container)
            return container
    name = source.location.lower()
    if re.search(r"\.(?:warc|wet|wat)\b", name):
        return "warc"
    if re.search(r"\.(?:jsonl|ndjson|json)\b", name):
        return "jsonl"
    if ".parquet" in name:
        return "parquet"
    if re.search(r"\.(?:csv|tsv)\b", name):
        raise _unread(source, "csv")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _unread(source, "utf-16")
    return None


def _inflate_start(source: Source, head: bytes, compression: str) -> bytes:
    try:
        if compression == "gz":
            return zlib.decompressobj(31).decompress(head, _PROBE)
        if compression:
            from fastwarc.stream_io import Lz4Reader, ZstdReader

            # A block can be longer than any head, so the library reads from the file itself.
            with Path(source.location).open("rb") as file:
                start: bytes = (ZstdReader if compression == "zst" else Lz4Reader)(file).read(512)
                return start
    except (OSError, EOFError, zlib.error, ValueError):
        return b""
    return head


def _is_complete_and_empty(head: bytes, compression: str) -> bool:
    if compression != "gz":
        return False
    inflater = zlib.decompressobj(31)
    try:
        return inflater.decompress(head) == b"" and inflater.eof and not inflater.unused_data
    except zlib.error:
        return False


def _unread(source: Source, kind: str) -> SourceError:
    what, next_step = _UNREAD[kind]
    return SourceError(f"The file is {what}, which is not read yet", place=source.uri, next_step=next_step)
