"""How records of a crawl format begin: what a framer has to know of WARC, or of ARC.

WARC: ISO 28500:2017, sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# A pattern that begins with what it looks for is ninety times as fast as one that begins with what stands before.
_START: Final = re.compile(rb"WARC/(?:(?<=[\r\n]WARC/)|(?<=\AWARC/))[0-9]\.[0-9]{1,3}[ \t]{0,32}\r?\n[^\r\n:]{1,80}:")
_VERSION: Final = re.compile(rb"WARC/[0-9]")
_HEADER_END: Final = re.compile(rb"\r?\n\r?\n")
_FIELD: Final = re.compile(r"^([^:\n]+):([^\n]*)", re.MULTILINE)
_MAX_FOLDED_CHARS: Final = 1 << 16
"""A field that goes on over many lines is joined up to this length."""

_FOLDED: Final = re.compile(rb"\n[ \t]")


@dataclass(frozen=True, slots=True)
class Grammar:
    """How records of a crawl format begin.

    Attributes:
        name: What stands first in a record, for messages.
        begin: Matches where a record begins.
        reach: Bytes that ``begin`` has to see.
        start: Finds where one could begin, anywhere; it needs no more than ``reach`` and 256 bytes.
        header_end: Finds the end of its header.
        parse: The header's fields, names lower-case, ``content-length`` among them.
    """

    name: str
    begin: re.Pattern[bytes]
    reach: int
    start: re.Pattern[bytes]
    header_end: re.Pattern[bytes]
    parse: Callable[[bytes], dict[str, str]]


def parse_headers(block: bytes) -> dict[str, str]:
    """Header fields of a WARC record: names lower-case, folded lines joined, the first of a repeated field."""
    if not _FOLDED.search(block):
        # The later of two fields overwrites in a dict, and the first is the one that counts.
        fields = _FIELD.findall(block.decode("utf-8", "replace"))
        return {name.strip().lower(): value.strip() for name, value in reversed(fields)}
    headers: dict[str, str] = {}
    last = ""
    for line in block.decode("utf-8", "replace").split("\n")[1:]:
        if line[:1] in (" ", "\t"):
            if last and len(headers[last]) <= _MAX_FOLDED_CHARS:
                headers[last] = f"{headers[last]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        if colon:
            last = name.strip().lower()
            if last in headers:
                last = ""
            else:
                headers[last] = value.strip()
    return headers


WARC: Final = Grammar("WARC version line", _VERSION, 6, _START, _HEADER_END, parse_headers)
