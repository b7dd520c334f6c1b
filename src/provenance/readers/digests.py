"""Whether a crawl record's digests agree with its bytes: if none does, something about the record is damaged.

ISO 28500:2017, sections 5.8 and 5.9. What a payload digest is of, crawlers disagree about: it is tried with the codings
of the HTTP message and without them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from provenance.readers import http

_ALGORITHMS: Final = {"sha1": "sha1", "sha256": "sha256", "sha512": "sha512", "md5": "md5"}
_HTTP: Final = re.compile(r"application/http\b", re.IGNORECASE)


def disagree(headers: Mapping[str, str], block: bytes, max_header: int, max_decoded: int) -> bool:
    """Tell whether a record has digests that can be checked, and none of them is that of its block or payload.

    Args:
        headers: Fields of the record, names lower-case.
        block: The whole block.
        max_header: Longest header of an HTTP message.
        max_decoded: Longest payload without its codings.
    """
    checked = False
    stated = _stated(headers.get("warc-block-digest", ""))
    if stated is not None:
        if _agrees(*stated, block):
            return False
        checked = True
    # The payload of a revisit stands in another record.
    stated = _stated(headers.get("warc-payload-digest", "")) if headers.get("warc-type") != "revisit" else None
    if stated is not None:
        if any(_agrees(*stated, payload) for payload in _payloads(headers, block, max_header, max_decoded)):
            return False
        checked = True
    return checked


def _stated(digest: str) -> tuple[str, str] | None:
    """Algorithm and value of a digest; None if there is none, or one of no known algorithm."""
    label, colon, value = digest.partition(":")
    algorithm = _ALGORITHMS.get(label.strip().lower().replace("-", ""))
    return (algorithm, value.strip()) if algorithm is not None and colon else None


def _agrees(algorithm: str, value: str, data: bytes) -> bool:
    """Compare in any of the ways in which digests are written: base 16, 32 and 64."""
    digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    return (
        value.upper().rstrip("=") == base64.b32encode(digest).decode().rstrip("=")
        or value.lower() == digest.hex()
        or value.rstrip("=") == base64.b64encode(digest).decode().rstrip("=")
    )


def _payloads(headers: Mapping[str, str], block: bytes, max_header: int, max_decoded: int) -> Iterator[bytes]:
    if not _HTTP.match(headers.get("content-type", "")):
        yield block
        return
    _, _, body = block.partition(b"\r\n\r\n")
    yield body
    try:
        message = http.parse(block, max_header)
        yield http.dechunk(body)
        yield http.decoded_body(message, max_decoded)
    except http.BodyRefused:
        return
