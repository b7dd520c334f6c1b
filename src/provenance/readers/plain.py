"""Plain text: a file is one record, whatever it holds. Its encoding is told by its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from provenance.readers.batches import Gatherer
from provenance.readers.card import card_declarations
from provenance.readers.options import Positions, ReadOptions, Source, Tally
from provenance.readers.pieces import fault_reason, pieces

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def encoding_of(start: bytes) -> str:
    """The encoding of a text from its first bytes: byte order mark, UTF-8 where most of it is, else by its statistics.

    A few bytes that are no UTF-8 in a text with other characters that are do not make it another encoding.
    """
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    decoded = start.decode("utf-8", "surrogateescape")
    bad = sum("\ud800" <= char <= "\udfff" for char in decoded)
    beyond_ascii = sum(char > "\x7f" for char in decoded)
    if bad <= 4 or 2 * bad < beyond_ascii:  # a character may be cut at the end of what is looked at
        return "utf-8"
    from resiliparse.parse.encoding import detect_encoding

    found = str(detect_encoding(start) or "utf-8")
    try:
        start.decode(found, "replace")
    except LookupError:
        return "utf-8"
    return found


def read_plain(
    source: Source, compression: str, options: ReadOptions, tally: Tally, only: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """The one record of a text file."""
    if (only is not None and 0 not in only) or not tally.takes(0, options):
        return

    def progress(offset: int) -> None:
        tally.bytes_read = max(tally.bytes_read, offset)

    found, fault = bytearray(), None
    for piece in pieces(source.location, compression, progress, caps=options):
        found += piece.data
        fault = fault or piece.fault
        if len(found) > options.max_record_bytes:
            tally.reject(0, "too-long", f"more than {options.max_record_bytes} bytes", options)
            return
    if fault is not None:
        tally.reject(0, fault_reason(fault), fault, options)
        return
    encoding = encoding_of(bytes(found[: 1 << 16]))
    text = found.decode(encoding, "replace").replace("\r\n", "\n")
    if "\0" in text[: 1 << 16]:
        tally.reject(0, "binary", "it holds NUL characters: this is no text", options)
        return
    if not text.strip():
        tally.skipped["empty"] += 1
        return
    tally.rests()
    gatherer = Gatherer(options, tally)
    gatherer.add(0, None, None, (None, None), text, card_declarations(source))
    yield gatherer.take()
