"""The HTTP message inside a WARC response: status, fields, and its body with all codings removed.

Servers and archives lie about codings. A chunked body that is not chunked, or a gzip body that is plain, is
taken as it is. RFC 9112 section 7.1 (chunked), RFC 9110 section 8.4 (content codings).
"""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from typing import Final

_HEADER_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"^HTTP/[0-9.]+[ \t]+([0-9]{3})")
_CHUNK_SIZE: Final = re.compile(rb"[ \t]{0,64}([0-9A-Fa-f]{1,15})[^\r\n]{0,1024}\r?\n")
_MAX_CHUNKS: Final = 1_000_000
_MAX_CODINGS: Final = 4
_MAX_FOLDED_CHARS: Final = 1 << 16
"""A field that goes on over many lines is joined up to this length."""

_MEMBER: Final = 31
_ZLIB, _RAW_DEFLATE = 15, -15


class BodyRefused(ValueError):  # noqa: N818 - callers turn it into a reject
    """The body grows beyond its cap, or its coding is unknown or damaged; the message says which."""


@dataclass(frozen=True)
class Message:
    """An HTTP response as it stands in the record.

    Attributes:
        status: Status code; None where the block is no HTTP message.
        fields: Field names (lower-case) and values, in order.
        body: Everything behind the header, codings included.
    """

    status: int | None
    fields: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str:
        """The first value of a field, or the empty string."""
        return next((value for field, value in self.fields if field == name), "")


def parse(block: bytes, max_header: int) -> Message:
    """Split a record's block into header and body.

    Raises:
        BodyRefused: The header does not end within ``max_header`` bytes.
    """
    status = _STATUS.match(block)
    if not block.startswith(b"HTTP/"):
        return Message(None, [], block)
    end = _HEADER_END.search(block, 0, max_header)
    if end is None:
        if len(block) > max_header:
            raise BodyRefused(f"the HTTP header does not end within {max_header} bytes")
        header, body = block, b""
    else:
        header, body = block[: end.start()], block[end.end() :]
    fields: list[tuple[str, str]] = []
    for line in header.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")[1:]:
        if line[:1] in (" ", "\t") and fields:
            if len(fields[-1][1]) > _MAX_FOLDED_CHARS:
                continue
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.strip().lower(), value.strip()))
    return Message(int(status.group(1)) if status else None, fields, body)


def decoded_body(message: Message, limit: int) -> bytes:
    """The body without transfer and content codings.

    Args:
        message: The response.
        limit: Most bytes that any step may give.

    Raises:
        BodyRefused: Beyond ``limit``, of an unknown coding, or damaged so that nothing can be read.
    """
    body = message.body
    if "chunked" in message.get("transfer-encoding").lower():
        body = dechunk(body)
    codings = [
        coding.strip().lower()
        for field in ("content-encoding", "transfer-encoding")
        for coding in message.get(field).split(",")
    ]
    codings = [coding for coding in codings if coding not in ("", "identity", "chunked")]
    if len(codings) > _MAX_CODINGS:
        raise BodyRefused(f"the body is coded {len(codings)} times, more than {_MAX_CODINGS}")
    for coding in reversed(codings):
        body = _decode(body, coding, limit)
    if len(body) > limit:
        raise BodyRefused(f"the body has more than {limit} bytes")
    return body


def dechunk(body: bytes) -> bytes:
    """Join the chunks of a body; what does not parse as a chunk is taken as it is, and ends it.

    Raises:
        BodyRefused: There are more than a million chunks.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        size = _CHUNK_SIZE.match(body, at)
        if size is None:
            parts.append(body[at:])
            break
        length = int(size.group(1), 16)
        start = size.end()
        if length == 0:
            break
        if len(parts) == _MAX_CHUNKS:
            raise BodyRefused(f"more than {_MAX_CHUNKS} chunks")
        parts.append(body[start : start + length])
        at = start + length
        at += 2 if body[at : at + 2] == b"\r\n" else body[at : at + 1] == b"\n"
    return b"".join(parts)


def _decode(body: bytes, coding: str, limit: int) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, _MEMBER, limit) if body.startswith(b"\x1f\x8b") else body
    if coding == "deflate":
        # RFC 9110 says zlib format; half of the web's servers once sent raw deflate.
        framed = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return _inflate(body, _ZLIB if framed else _RAW_DEFLATE, limit)
    if coding in ("br", "zstd"):
        return _library(body, coding, limit)
    return body


def _inflate(body: bytes, bits: int, limit: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    try:
        out = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        return _inflate_until_damage(body, bits, limit, error)
    if len(out) > limit:
        raise BodyRefused(f"the body inflates to more than {limit} bytes")
    return out


def _inflate_until_damage(body: bytes, bits: int, limit: int, error: zlib.error) -> bytes:
    """What stands before the damage; the body itself where it was never deflated and looks like text."""
    inflater, out = zlib.decompressobj(bits), bytearray()
    try:
        for at in range(0, len(body), 512):
            out += inflater.decompress(body[at : at + 512], limit + 1 - len(out))
            if len(out) > limit:
                raise BodyRefused(f"the body inflates to more than {limit} bytes")
    except zlib.error:
        pass
    if out:
        return bytes(out)
    if body.lstrip()[:1] == b"<":
        return body
    raise BodyRefused(f"the body's deflate stream is damaged: {error}") from error


def _library(body: bytes, coding: str, limit: int) -> bytes:
    from fastwarc.stream_io import BrotliReader, ZstdReader

    reader = (BrotliReader if coding == "br" else ZstdReader)(io.BytesIO(body))
    out = bytearray()
    try:
        while len(out) <= limit:
            piece = reader.read(1 << 16)
            if not piece:
                break
            out += piece
    except (OSError, EOFError, ValueError) as error:
        if not out and body.lstrip()[:1] != b"<":
            raise BodyRefused(f"the body's {coding} stream is damaged: {error}") from error
        return bytes(out) or body
    if len(out) > limit:
        raise BodyRefused(f"the body inflates to more than {limit} bytes")
    return bytes(out)
