"""HTML to main text, with what the page declares about itself.

Resiliparse's main-content extraction without comments and alternative texts: of the settings measured on
500 real pages it agrees best with Trafilatura (token F1 0.87; Trafilatura and jusText agree by 0.73), at
fourteen times Trafilatura's speed (``docs/decisions/0001-html-extraction.md``, ``benchmarks/extraction.py``).

The HTML of a crawl is hostile: size, attributes of one tag and unclosed formatting are bounded before the
parser sees them, and a tree deeper than `MAX_DEPTH` is walked plainly, because main-content extraction
takes time that grows with the square of the depth. These bounds catch the known ways in which parse trees explode; they
do not replace a time limit on the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLTree

EXTRACTOR_VERSION: Final = "1"
"""Changes whenever the same page may give another text; recorded with every scan."""

MAX_HTML_BYTES: Final = 8 << 20
"""A longer page is refused; crawlers truncate pages at 1 to 5 MiB themselves."""

MAX_DEPTH: Final = 300
MAX_TAG_ATTRIBUTES: Final = 5_000
MAX_CLONED_ELEMENTS: Final = 1_000_000
MAX_DECLARATIONS: Final = 64
MAX_VALUE_CHARS: Final = 4_096
MAX_SCRIPT_CHARS: Final = 262_144
"""A longer script or JSON-LD block is left out: half a JSON text declares nothing."""

_SKIPPED_WHEN_PLAIN: Final = ["nav", "footer", "aside", "form", "button", "select"]
_DEEP: Final = ">".join(["*"] * MAX_DEPTH)
_DECLARING: Final = "meta[name], meta[property], link[rel], a[rel~=license], script[type]"

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

_LONG_TAG: Final = re.compile(rb"<[^<>]{32768,}")
_FORMATTING: Final = re.compile(
    r"<(/?)((?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s>/])[^>]{0,200})", re.IGNORECASE
)
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
    html = decode(payload, charset, html=True)
    _refuse_explosive(payload, html)
    tree = HTMLTree.parse(html)
    document: Any = tree.document
    if document.query_selector(_DEEP) is not None:
        text = extract_plain_text(tree, alt_texts=False, skip_elements=_SKIPPED_WHEN_PLAIN)
    else:
        text = extract_plain_text(tree, main_content=True, comments=False, alt_texts=False)
    title = (tree.title or "").strip()[:MAX_VALUE_CHARS]
    return Page(text, list(_declarations(tree)), title or None)


def decode(payload: bytes, charset: str | None, *, html: bool = False) -> str:
    """Text of ``payload``: byte order mark, then ``charset``, then (``html``) its meta tag, then detection.

    Undecodable bytes become U+FFFD; a declared charset that does not fit falls back to UTF-8 and Windows-1252.
    """
    for mark, name in _BOMS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(name, "replace")
    declared = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    encoding: str = declared or detect_encoding(payload, from_html_meta=html) or "utf-8"
    decoded: str = bytes_to_str(payload, encoding, "replace")
    return decoded


def _refuse_explosive(payload: bytes, html: str) -> None:
    for tag in _LONG_TAG.finditer(payload):
        if len(tag.group().split(None, MAX_TAG_ATTRIBUTES)) >= MAX_TAG_ATTRIBUTES:
            raise PageRefused(f"a tag with more than {MAX_TAG_ATTRIBUTES} attributes")
    # Bytes are counted three times as fast as characters; the expensive look is taken at the characters.
    opened, closed = payload.count(b"<"), payload.count(b"</")
    # HTML reopens unclosed formatting elements in every later block, so a tree can be the square of its page.
    if opened - 2 * closed > 1_000:
        tags = _FORMATTING.findall(html)
        unclosed = len(tags) - 2 * sum(bool(slash) for slash, _ in tags)
        # Of equal ones, it reopens three.
        unclosed = min(unclosed, 3 * len({tag for slash, tag in tags if not slash}))
        if unclosed > 64 and unclosed * (opened - closed) > MAX_CLONED_ELEMENTS:
            raise PageRefused(f"{unclosed} unclosed formatting elements, which the parser would repeat in each block")


def _declarations(tree: Any) -> Iterator[tuple[str, str, str]]:
    found = 0
    # Iterating a node list looks every index up from the start; values() copies it once.
    for element in tree.document.query_selector_all(_DECLARING).values():
        declaration = _declaration(element)
        if declaration is None:
            continue
        yield declaration
        found += 1
        if found >= MAX_DECLARATIONS:
            return


def _declaration(element: Any) -> tuple[str, str, str] | None:
    tag = element.tag
    if tag == "meta":
        name = (element.getattr("name") or element.getattr("property") or "").strip().lower()
        if not _META.match(name[:128]):
            return None
        return "meta", name[:128], (element.getattr("content") or "").strip()[:MAX_VALUE_CHARS]
    if tag == "script":
        kind = _SCRIPTS.get((element.getattr("type") or "").partition(";")[0].strip().lower())
        if kind is None:
            return None
        content = element.text.strip()
        return (*kind, content) if 0 < len(content) <= MAX_SCRIPT_CHARS else None
    relation = next((rel for rel in (element.getattr("rel") or "").lower().split() if rel in _LINK), None)
    if relation is None:
        return None
    return "link", relation, (element.getattr("href") or "").strip()[:MAX_VALUE_CHARS]
