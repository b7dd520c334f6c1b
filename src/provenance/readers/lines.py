"""Lines of a compressed or plain file, bounded in length, with damage reported at the line it cuts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from provenance.readers.pieces import Piece, fault_reason

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line without its line end.

    Attributes:
        number: From 0, blank lines counted.
        offset: Of its first byte in the decompressed stream.
        content: Its bytes; empty where ``fault`` is set.
        fault: Reason of a reject: ``line-too-long``, ``truncated``, ``damaged-member``.
        detail: The fault for a person.
    """

    number: int
    offset: int
    content: bytes
    fault: str | None = None
    detail: str = ""


def lines(stream: Iterator[Piece], limit: int, number: int = 0, offset: int = 0) -> Iterator[Line]:
    """Lines of a stream; a byte order mark at its head and carriage returns are dropped, blank lines left out.

    Args:
        stream: Pieces that begin where a line does.
        limit: Longest line.
        number: Number of the first line.
        offset: Its offset in the decompressed stream.
    """
    open_line = bytearray()
    overlong = 0
    first = offset == 0
    for piece in stream:
        data = piece.data
        if first and data:
            if data.startswith(_BOM):
                data, offset = data[len(_BOM) :], len(_BOM)
            first = False
        *whole, rest = data.split(b"\n")
        for part in whole:
            length = overlong + len(open_line) + len(part)
            if length > limit:
                yield Line(number, offset, b"", "line-too-long", f"byte {offset}: more than {limit} bytes")
            else:
                content = bytes(open_line) + part if open_line else part
                if content.strip():
                    yield Line(number, offset, content)
            if open_line or overlong:
                open_line, overlong = bytearray(), 0
            number, offset = number + 1, offset + length + 1
        if overlong or len(open_line) + len(rest) > limit:
            overlong += len(open_line) + len(rest)
            open_line = bytearray()
        else:
            open_line += rest
        if piece.fault is not None:
            length = overlong + len(open_line)
            yield Line(number, offset, b"", fault_reason(piece.fault), f"byte {offset}: {piece.fault}")
            number, offset, open_line, overlong = number + 1, offset + length, bytearray(), 0
    if overlong:
        yield Line(number, offset, b"", "line-too-long", f"byte {offset}: more than {limit} bytes")
    elif open_line.strip():
        yield Line(number, offset, bytes(open_line))
