"""The main text of a page, and where it declares something, in one pass over its bytes.

No tree is built. A stack of open elements tells what stands in navigation, comments, advertisements and the like: by
the element, its role, and the words of its class and id. What is left comes as blocks, of which those are kept that are
no list of links, stand in the article where the page has one, and are near a longer block. Time grows with the page
alone, however deep or broken its markup is. What this gives beside other extractors: ``benchmarks/extraction.py``.
"""

from __future__ import annotations

from functools import cache
from html import unescape
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

LINKED_SHARE: Final = 0.3
"""From this share of link text on, a block is a list of links."""

CONTENT_SHARE: Final = 0.3
"""From this share of the text on, what an article or main element holds is all that counts."""

LEAST_CONTENT: Final = 200
ANCHOR: Final = 100
"""Bytes from which on a block is text beyond doubt."""

NEAR: Final = 3
"""Shorter blocks count so many blocks around one of those."""

LEAST_KEPT: Final = 0.25
"""Where leaving out by class and id would leave less of the text than this, class and id are not believed."""

_DEPTH: Final = 512
_MAX_SPANS: Final = 4_096
_ROOM: Final = 16

_TAGS: Final = {
    "VOID": "area base br col embed hr img input link meta param source track wbr",
    "BLOCK": (
        "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption "
        "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol optgroup option p pre "
        "search section summary table tbody td tfoot th thead tr ul"
    ),
    "SPACED": "p h1 h2 h3 h4 h5 h6 blockquote pre",
    "CHROME": ("nav footer aside button select svg iframe template object video audio canvas map dialog menu noscript"),
    "RAW": "script style textarea title xmp noembed noframes",
    "ITEM": "li",
    "CELL": "td th",
    "ROW": "tr",
    "LINK": "a",
    "CONTENT": "article main",
    "ROOT": "html body",
    "DECLARES": "meta link script",
    "CLOSES_P": (
        "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer form "
        "h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre section table ul"
    ),
    "SCOPE": "html table ul ol dl td th object template",
    "PRE": "pre",
    "BREAK": "br",
}

_BOILERPLATE: Final = (
    "nav navbar navigation navi menu menus submenu footer sidebar widget widgets cookie cookies consent gdpr modal "
    "popup popover lightbox dropdown share sharing shares social socials related recommended recommendation "
    "recommendations breadcrumb breadcrumbs comment comments commentlist kommentare disqus respond ad ads advert "
    "advertisement advertising adsense banner promo promoted promotion sponsored sponsor newsletter subscribe "
    "subscription login signin signup register search searchbox hidden invisible skip skiplink toolbar pagination "
    "pager paging toc outbrain taboola masthead topbar offcanvas tooltip copyright disclaimer trending popular "
    "tagcloud byline metadata rating ratings contentinfo menubar menuitem"
)
_SAFE: Final = "article content main wrap wrapper container page"
"""Words that name what holds the page's text, whatever else stands beside them."""


class Read(NamedTuple):
    """What a pass over a page gave.

    Attributes:
        text: Its main text: blocks in lines, list items with a bullet, a blank line around paragraphs and headings.
        title: Its title with white space collapsed, or the empty string.
        depth: Most elements that were open at once, where they were more than can be followed; else 0.
        declaring: Bytes of ``meta``, ``link`` and licence link tags, and of whole scripts, in order, whose words may
            say something of origin or rights.
    """

    text: str
    title: str
    depth: int
    declaring: list[bytes]


def read_page(html: bytes) -> Read:
    """Read a page in UTF-8."""
    data = np.frombuffer(html, np.uint8)
    text, kept, spans, (start, end, lost, most) = _pass(data, believed=True)
    if kept < LEAST_KEPT * (1 + most / (1 - LINKED_SHARE)):
        # Rarely a page's whole text stands in an element that is called like a menu.
        plain, all_kept, _, _ = _pass(data, believed=False)
        if kept < LEAST_KEPT * all_kept:
            text = plain
    title = " ".join(unescape(html[start:end].decode("utf-8", "replace")).split())
    return Read(
        unescape(text), title, lost + _DEPTH if lost else 0, [html[begin:stop] for begin, stop in spans.tolist()]
    )


def _pass(data: npt.NDArray[np.uint8], *, believed: bool) -> tuple[str, int, npt.NDArray[np.int64], tuple[int, ...]]:
    """Text, bytes of blocks in it, declaring spans; bounds of the title, elements too deep, most unlinked bytes."""
    from provenance.text.page import kernel
    from provenance.text.page.choice.kernel import compose

    out = np.empty(len(data) + _ROOM, np.uint8)
    blocks = np.empty((len(data) // 4 + _ROOM, kernel.COLUMNS), np.int64)  # none is shorter than <p>x
    spans = np.empty((_MAX_SPANS, 2), np.int64)
    stack = [np.empty(_DEPTH, kind) for kind in (np.uint64, np.int64)]
    count, marks, *title = kernel.read(data, *_tags(), *_words(believed=believed), *stack, out, blocks, spans)
    text = np.empty(len(data) + 8 * count + _ROOM, np.uint8)
    size, kept = compose(
        out, blocks, count, LINKED_SHARE, CONTENT_SHARE, LEAST_CONTENT, ANCHOR, NEAR, text, np.empty(count, np.bool_)
    )
    return text[:size].tobytes().decode("utf-8", "replace"), kept, spans[:marks], tuple(title)


@cache
def _tags() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    from provenance.text.page import kernel

    found: dict[int, int] = {}
    for group, names in _TAGS.items():
        for name in names.split():
            key = int.from_bytes(bytes(byte | 0x20 for byte in name.encode()[:8]), "big")
            found[key] = found.get(key, 0) | int(getattr(kernel, group))
    return _table(found)


@cache
def _words(*, believed: bool) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    from provenance.text.page import kernel

    found: dict[int, int] = {}
    for meaning, words in ((kernel.BOILERPLATE, _BOILERPLATE), (kernel.SAFE, _SAFE)):
        for word in words.split() if believed else ():
            key = 2166136261
            for byte in word.encode():
                key = (key ^ byte) * 16777619 & 0xFFFFFFFF
            found[key] = found.get(key, 0) | meaning
    return _table(found)


def _table(found: dict[int, int]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """An open-addressed table of 1,024 places, as the kernel reads it."""
    keys, values = np.zeros(1024, np.uint64), np.zeros(1024, np.int64)
    for key, value in found.items():
        place = (key * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 54
        while keys[place]:
            place = place + 1 & 1023
        keys[place], values[place] = key, value
    return keys, values
