"""What a file is, by its first bytes; its name decides only where they say nothing."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from provenance.errors import SourceError
from provenance.readers import remote
from provenance.readers.options import ReadOptions, Source
from provenance.readers.pieces import Place, opened, pieces

_PROBE: Final = 1 << 16

_COMPRESSIONS: Final = (
    (re.compile(rb"\x1f\x8b"), "gz"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zst"),
    (re.compile(rb"[\x50-\x5f]\x2a\x4d\x18"), "zst"),
    (re.compile(rb"\x04\x22\x4d\x18"), "lz4"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bz2"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz"),
)
_KNOWN: Final = (
    (re.compile(rb"^PAR1"), "parquet"),
    (re.compile(rb"^\s*WARC/\d"), "warc"),
    (re.compile(rb"^\s*filedesc:"), "arc"),
    (re.compile(rb"^PK(?:\x03\x04|\x05\x06|\x07\x08)"), "wacz"),
    (re.compile(rb"^ARROW1"), "arrow"),
    (re.compile(rb"^\xff\xff\xff\xff"), "arrows"),
    (re.compile(rb"^FEA1"), "feather"),
    (re.compile(rb"^ORC"), "orc"),
    (re.compile(rb"^%PDF"), "pdf"),
    (re.compile(rb"^(?:\xef\xbb\xbf)?\s*\{"), "jsonl"),
    (re.compile(rb"^(?:\xef\xbb\xbf)?\s*\[\s*[{\[\]]"), "json"),
)
_NAMES: Final = (
    (re.compile(r"\.(?:warc|wet|wat)\b"), "warc"),
    (re.compile(r"\.arc\b"), "arc"),
    (re.compile(r"\.(?:jsonl|ndjson|json)\b"), "jsonl"),
    (re.compile(r"\.parquet\b"), "parquet"),
    (re.compile(r"\.(?:csv|tsv|tab)\b"), "csv"),
    (re.compile(r"\.(?:txt|text|md|rst)\b"), "txt"),
)
_BY_NAME_RATHER: Final = frozenset({"csv", "txt"})
"""Their first line may begin with a brace; it is JSON only if it can be read as such."""

_UNREAD: Final = {
    "feather": ("a Feather file of version 1", "Write it as Parquet, or as Feather version 2"),
    "orc": ("an ORC file", "Write it as Parquet"),
    "pdf": ("a PDF", "Extract its text into JSONL"),
    "utf-16": ("UTF-16 text", "Convert it to UTF-8, for example with iconv"),
}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class Form(NamedTuple):
    """How a file is built.

    Attributes:
        container: ``warc``, ``arc``, ``wacz``, ``jsonl``, ``json`` (one array), ``parquet``, ``arrow`` (an IPC file),
            ``arrows`` (an IPC stream), ``csv``, ``txt`` or ``empty``.
        compression: ``""``, ``gz``, ``zst``, ``lz4``, ``bz2``, ``xz``, or several of them with dots between, the
            outermost last, as in file names.
    """

    container: str
    compression: str

    @property
    def name(self) -> str:
        """Both, as in file names: ``warc.gz``."""
        return f"{self.container}.{self.compression}" if self.compression else self.container


def detect(source: Source, options: ReadOptions | None = None) -> Form:
    """Container and compression of a source.

    Raises:
        SourceError: It can't be opened, is of a kind that is not read (the message names it), or is compressed more
            than ``max_layers`` times.
    """
    return detect_place(source.location, source.uri, options or ReadOptions())


def detect_place(place: Place, uri: str, options: ReadOptions) -> Form:
    """Container and compression of a file, an object or a part of either; ``uri`` is its name."""
    try:
        with opened(place) as file:
            head = file.read(_PROBE)
    except OSError as error:
        far = isinstance(place, str) and remote.is_remote(place)
        raise SourceError(
            f"The {'object' if far else 'file'} can't be opened: {error.strerror or error}",
            place=uri,
            next_step="Check the connection and try again" if far else "Check it with ls -l",
        ) from error
    if not head:
        return Form("empty", "")
    compression, start, whole = "", head, True
    while layer := _layer(start, "" if compression else uri):
        if compression.count(".") + bool(compression) == options.max_layers:
            raise SourceError(
                f"The file is compressed more than {options.max_layers} times",
                place=uri,
                next_step="Decompress it first, if you trust it",
            )
        compression = f"{layer}.{compression}" if compression else layer
        start, whole = _start(place, compression, options)
        if not start and whole:
            return Form("empty", compression)
    container = _container(uri, start)
    if container is not None:
        return Form(container, compression)
    if compression and not start:
        raise SourceError(
            f"The file is compressed ({compression}) but nothing of it can be decompressed",
            place=uri,
            next_step="It is truncated or damaged; download it again",
        )
    raise SourceError(
        "The file is in no format that can be read (WARC, WET, ARC, WACZ, JSONL, Parquet, CSV, TSV, Arrow IPC, text)",
        place=uri,
        next_step="Convert it, or leave it out of the input; tables and texts without a mark are told by their name, "
        "such as NAME.csv or NAME.txt",
    )


def _container(uri: str, start: bytes) -> str | None:
    by_name = next((container for pattern, container in _NAMES if pattern.search(uri.lower())), None)
    for pattern, container in _KNOWN:
        if not pattern.match(start):
            continue
        if container in _UNREAD:
            raise _unread(uri, container)
        if by_name in _BY_NAME_RATHER and container in ("jsonl", "json") and not _is_json(start):
            break
        return container
    if start.startswith(_UTF16) and by_name not in ("csv", "txt"):
        raise _unread(uri, "utf-16")
    return by_name


def _is_json(start: bytes) -> bool:
    try:
        json.loads(start.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0])
    except (ValueError, RecursionError):
        return False
    return True


def _layer(start: bytes, name: str) -> str | None:
    """The compression that bytes begin with; where its first bytes are damaged, the one in the name, if it is there."""
    for magic, layer in _COMPRESSIONS:
        if magic.match(start):
            return layer
    if any(pattern.match(start) for pattern, _ in _KNOWN):
        return None  # named as if it were compressed, and decompressed on its way
    named = (layer for magic, layer in _COMPRESSIONS if name.lower().endswith(f".{layer}") and magic.search(start))
    return next(named, None)


def _start(place: Place, compression: str, options: ReadOptions) -> tuple[bytes, bool]:
    """The first bytes that a file decompresses to, and whether nothing was wrong up to there."""
    found, whole = bytearray(), True
    for piece in pieces(place, compression, lambda _: None, caps=options):
        found += piece.data
        whole = whole and piece.fault is None
        if len(found) >= _PROBE or (found and not whole):
            break
    return bytes(found[:_PROBE]), whole


def _unread(uri: str, kind: str) -> SourceError:
    what, next_step = _UNREAD[kind]
    return SourceError(f"The file is {what}, which is not read", place=uri, next_step=next_step)
