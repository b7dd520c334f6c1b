"""ARC, the format of crawls before WARC: one line of header, then the record, so often bytes later the next line.

The Internet Archive's ARC file format, versions 1 (five fields) and 2 (ten). The line is read from both ends, since
URLs and media types with spaces in them were written as they came, and a record asked for alone is read without the
version block that names the fields.
"""

from __future__ import annotations

import re
from typing import Final

from provenance.readers.grammar import Grammar

_MAX_LINE: Final = 16_384

# URL IP-address Archive-date Content-type [Result-code Checksum Location Offset Filename] Archive-length
_ADDRESS_AND_DATE: Final = rb" (?:[0-9A-Fa-f]{0,4}[.:][0-9A-Fa-f.:]{1,43}|-|0) (?:[0-9]{8,20}|-) "
_SCHEME: Final = rb"[A-Za-z][A-Za-z0-9+.-]{0,20}:"
# Only a line that stands where a record should begin may have spaces in its URL: a search has to stay linear.
_BEGIN: Final = re.compile(_SCHEME + rb"[^\r\n]{0,4096}?" + _ADDRESS_AND_DATE)
_START: Final = re.compile(rb"(?:\A|(?<=[\r\n]))" + _SCHEME + rb"[^\s]{0,4096}+" + _ADDRESS_AND_DATE)
_END: Final = re.compile(rb"\n")
_FIELDS: Final = re.compile(
    r"^(?P<url>\S.*?) (?:[0-9A-Fa-f]{0,4}[.:][0-9A-Fa-f.:]{1,43}|-|0) (?P<date>[0-9]{8,20}|-)(?: (?P<rest>.*))?$"
)
_VERSION_2: Final = re.compile(r"^(?P<type>.*?) (?:[0-9]{1,3}|-) \S+ \S+ (?:[0-9]+|-) \S+$")
_NO_TYPE: Final = frozenset({"-", "no-type", "unknown", "html", ""})


def parse_line(line: bytes) -> dict[str, str]:
    """A header line as the WARC fields that say the same; empty where it is none."""
    fields, _, length = line[:_MAX_LINE].decode("utf-8", "replace").strip().rpartition(" ")
    found = _FIELDS.match(fields)
    if found is None or len(line) > _MAX_LINE:
        return {}
    url, media = found["url"], found["rest"] or ""
    second = _VERSION_2.match(media)
    if second is not None:
        media = second["type"]
    headers = {"warc-type": "response", "warc-target-uri": url, "content-length": length}
    if found["date"] != "-":
        headers["warc-date"] = found["date"][:14]
    if url.startswith("filedesc:"):
        headers["warc-type"] = "filedesc"
    if url.startswith("dns:") or media == "text/dns":
        headers["content-type"] = "text/dns"
    if media.lower() not in _NO_TYPE:
        headers["warc-identified-payload-type"] = media
    return headers


ARC: Final = Grammar("ARC header line", _BEGIN, 4_200, _START, _END, parse_line)
