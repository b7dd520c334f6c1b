from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provenance.text import page
from provenance.text.page import read_page

# The rule in the words of another machine: what a declaring tag must hold to be worth a look.
TELLING = re.compile(
    rb"<(?:meta\s[^>]{0,4096}?\b(?:name|property)\s*=\s*[\"']?\s*[^\s\"'>]{0,128}"
    rb"(?:ai|robots|bot\b|tdm|generator|licen|rights|copyright|digitalsource|google-ext|content-usage|c2pa)"
    rb"|link\s[^>]*?(?:licen|copyright|c2pa|ai-disc|tdm)|a\s[^>]*?license|script\s[^>]*?(?:json|c2pa))",
    re.IGNORECASE,
)
PIECES = [
    "name=",
    "property=",
    "NAME",
    "=",
    "ai",
    "robots",
    "Robots",
    "bot",
    "both",
    "tdm",
    "generator",
    "licence",
    "license",
    "rights",
    "copyright",
    "digitalsource",
    "google-ext",
    "content-usage",
    "c2pa",
    "ai-disclosure",
    "json",
    "x",
    ">",
    '"',
    "'",
    " ",
    "/",
    "\t",
    "\n",
    "rel=license",
    "data-name=",
    "content=",
    "é",
    "\r\x0c",
]
WORDS = st.sampled_from([*PIECES, "a" * 127, "a" * 129, "b" * 4090])
TAGS = st.builds(
    lambda name, gap, words: f"<{name}{gap}{''.join(words)}",
    st.sampled_from(["meta", "META", "link", "Link", "script", "metadata", "div"]),
    st.sampled_from([" ", "\n", "/", "", "\t"]),
    st.lists(WORDS, max_size=12),
)


@given(TAGS)
@example("<meta content=x " + "y" * 4080 + " name=robots")
@example("<meta name=" + "a" * 128 + "ai")
@example("<meta name=" + "a" * 129 + "ai")
@settings(max_examples=400, deadline=None)
def test_a_tag_is_worth_a_look_if_the_rule_says_so(tag: str) -> None:
    assert bool(read_page(tag.encode()).declaring) == (TELLING.match(tag.encode()) is not None)


def test_a_licence_link_is_worth_a_look_and_other_links_are_not() -> None:
    html = b"<a rel='x License' href=l>a</a><a href=license>b</a><div rel=license>c</div>"
    assert read_page(html).declaring == [b"<a rel='x License' href=l>"]


MARKUP = [
    "<p>",
    "<div>",
    '<div class="menu">',
    '<span class="ad">',
    '<a href="x">',
    "<a>",
    "<nav>",
    "<ul>",
    "<li>",
    "<pre>",
    "<br>",
    "<div hidden>",
    '<div role="search">',
    "<article>",
    "<table>",
    "<tr>",
    "<td>",
    '<section id="comments">',
    "<script>if(a<b)</script>",
    "<!-- x -->",
    "</p>",
    "</div>",
    "</span>",
    "</a>",
    "</nav>",
    "</ul>",
    "</li>",
    "</pre>",
    "</article>",
    "</table>",
    "</section>",
    "<",
    " & ",
    "&nbsp",
]
TEXT = st.sampled_from(["word ", "a longer run of words that says something. " * 4, " ", "\n\n   ", "x", "ünï "])


@given(st.lists(st.one_of(st.sampled_from(MARKUP), TEXT), max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_second_pass_that_is_left_out_would_have_changed_nothing(parts: list[str]) -> None:
    html = "".join(parts).replace("&nbsp", "&nbsp;").encode()
    text, kept, _, (*_, most) = page._pass(np.frombuffer(html, np.uint8), believed=True)
    _, all_kept, _, _ = page._pass(np.frombuffer(html, np.uint8), believed=False)
    assert all_kept <= 1 + most / (1 - page.LINKED_SHARE)
    if kept >= page.LEAST_KEPT * all_kept:
        assert read_page(html).text == page.unescape(text)


def test_a_page_whose_text_is_in_a_menu_is_read_all_the_same() -> None:
    html = b"<body><div class=menu><p>" + b"This is all there is to read here. " * 20 + b"</div><p>Home"
    assert "all there is" in read_page(html).text
    assert "all there is" not in read_page(html.replace(b"<p>Home", b"<p>" + b"More of it stands here. " * 40)).text


@pytest.mark.parametrize("count", [4_095, 4_096])
def test_of_very_many_declaring_tags_the_first_are_looked_at(count: int) -> None:
    html = b"<link x>" * count + b"<meta name=robots content=noai>"
    assert len(read_page(html).declaring) == (count < 4_096)
