"""HTML to main text, with what the page declares about itself.

`text.page` reads the markup in one pass and builds no tree, so neither depth nor broken nesting can make it slow. On
500 real pages it agrees with Trafilatura by a token F1 of 0.88 (Resiliparse 0.87, jusText 0.73), at twenty times its
speed (``docs/decisions/0001-html-extraction.md``, ``benchmarks/extraction.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Final

from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

from provenance.text.buffers import is_utf8
from provenance.text.page import read_page

EXTRACTOR_VERSION: Final = "2"
"""Changes whenever the same page may give another text; recorded with every scan."""

MAX_HTML_BYTES: Final = 8 << 20
"""A longer page is refused; crawlers truncate pages at 1 to 5 MiB themselves."""

MAX_DEPTH: Final = 50_000
"""No page that is meant to be read is nested so deeply."""

MAX_DECLARATIONS: Final = 64
MAX_VALUE_CHARS: Final = 4_096
MAX_SCRIPT_CHARS: Final = 262_144
"""A longer script or JSON-LD block is left out: half a JSON text declares nothing."""

_MAX_TAG_BYTES: Final = 1 << 16
_ATTRIBUTE: Final = re.compile(
    rb"[\s/\"']([a-z][a-z-]{0,15})[\s]*=[\s]*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.IGNORECASE
)
_META: Final = re.compile(
    r"^(?:ai[-_:].*|.*[-_:]ai|aigc|.*noai.*|.*noimageai.*|robots|googlebot|bingbot|gptbot|ccbot|google-extended"
    r"|tdm[-_].*|generator|.*licen[sc]e.*|.*rights.*|copyright|digitalsourcetype|iptc.*digitalsourcetype"
    r"|content-usage|c2pa.*)$"
)
_LINK: Final = frozenset({"license", "licence", "copyright", "c2pa-manifest", "ai-disclosure", "tdm-policy"})
_SCRIPTS: Final = {
    "application/ld+json": ("jsonld", "ld+json"),
    "application/c2pa": ("script", "application/c2pa"),
    "application/aigc+json": ("script", "application/aigc+json"),
}

_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(frozen=True)
class Page:
    """What a page says.

    Attributes:
        text: Main text, one block a line; empty when the page has none.
        declarations: Triples of `schema.DECLARATION`: where, name, value; in document order of each kind.
        title: The page's title, stripped; None without one.
    """

    text: str
    declarations: list[tuple[str, str, str]]
    title: str | None


class PageRefused(ValueError):  # noqa: N818 - it is a refusal with a reason, which callers turn into a reject
    """The page would cost too much to parse; the message says why."""


def extract(payload: bytes, charset: str | None, url: str | None) -> Page:  # noqa: ARG001
    """Main text and declarations of an HTML or XHTML page.

    Args:
        payload: The page as sent, content codings removed.
        charset: The charset that the transport declared, if any. A byte order mark outranks it; without
            either the page's own ``<meta>`` counts, then Resiliparse's detector.
        url: Where the page was found. Nothing needs it today; relative links stay relative.

    Raises:
        PageRefused: The page exceeds a bound.
    """
    if len(payload) > MAX_HTML_BYTES:
        raise PageRefused(f"{len(payload)} bytes of HTML, more than {MAX_HTML_BYTES}")
    read = read_page(_utf8(payload, charset))
    if read.depth > MAX_DEPTH:
        raise PageRefused(f"elements nested {read.depth} deep, more than {MAX_DEPTH}")
    return Page(read.text, list(_declarations(read.declaring)), read.title[:MAX_VALUE_CHARS] or None)


def decode(payload: bytes, charset: str | None, *, html: bool = False) -> str:
    """Text of ``payload``: byte order mark, then ``charset``, then (``html``) its meta tag, then detection.

    Undecodable bytes become U+FFFD; a declared charset that does not fit falls back to UTF-8 and Windows-1252.
    """
    for mark, name in _BOMS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(name, "replace")
    decoded: str = bytes_to_str(payload, _encoding(payload, charset, html=html), "replace")
    return decoded


def _encoding(payload: bytes, charset: str | None, *, html: bool) -> str:
    declared = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    encoding: str = declared or detect_encoding(payload, from_html_meta=html) or "utf-8"
    return encoding


def _utf8(payload: bytes, charset: str | None) -> bytes:
    """What `decode` gives of a page, in UTF-8: most are that already, and are neither decoded nor copied."""
    if not payload.startswith(tuple(mark for mark, _ in _BOMS)):
        encoding = _encoding(payload, charset, html=True)
        if encoding == "utf-8" and is_utf8(payload):
            return payload
    return decode(payload, charset, html=True).encode("utf-8", "replace")


def _declarations(elements: list[bytes]) -> Iterator[tuple[str, str, str]]:
    found = 0
    for element in elements:
        declaration = _declaration(element)
        if declaration is None:
            continue
        yield declaration
        found += 1
        if found >= MAX_DECLARATIONS:
            return


def _declaration(element: bytes) -> tuple[str, str, str] | None:
    tag = element[1:7].lower()
    if tag == b"script":
        start, _, content = element.partition(b">")
        kind = _SCRIPTS.get(_attributes(start).get("type", "").partition(";")[0].strip().lower())
        text = content.decode("utf-8", "replace").replace("\r\n", "\n").strip()
        return (*kind, text) if kind is not None and 0 < len(text) <= MAX_SCRIPT_CHARS else None
    said = _attributes(element)
    if tag.startswith(b"meta"):
        name = (said.get("name") or said.get("property") or "").strip().lower()
        if not _META.match(name[:128]):
            return None
        return "meta", name[:128], said.get("content", "").strip()[:MAX_VALUE_CHARS]
    relation = next((rel for rel in said.get("rel", "").lower().split() if rel in _LINK), None)
    if relation is None or (tag[:1] == b"a" and relation != "license"):
        return None
    return "link", relation, said.get("href", "").strip()[:MAX_VALUE_CHARS]


def _attributes(tag: bytes) -> dict[str, str]:
    """Attributes of a tag that have a value, names in lower case; the first of a repeated one."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(tag[:_MAX_TAG_BYTES]):
        found.setdefault(name.decode().lower(), unescape(b"".join(values).decode("utf-8", "replace")))
    return found
