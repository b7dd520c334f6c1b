"""Main text and declarations of a page; hostile pages are refused or read in bounded time."""

from __future__ import annotations

import time

import pytest

from provenance.text import html
from provenance.text.html import PageRefused, decode, extract

PAGE = b"""<!doctype html><html><head><title> A title </title>
<meta name="AI-Disclosure" content="ai-originated"><meta property="tdm-reservation" content="1">
<meta name="viewport" content="width=1"><meta name="robots" content="noai, noindex">
<link rel="stylesheet license" href="https://creativecommons.org/licenses/by/4.0/"><link rel="icon" href="x">
<link rel="c2pa-manifest" href="/m.c2pa">
<script type="application/ld+json">{"@type": "Article"}</script><script>var x = 1;</script>
<script type="application/c2pa">AAAA</script></head>
<body><nav><a href="/">Home</a> <a href="/about">About</a></nav>
<main><h1>Heading</h1><p>First paragraph of the article, with enough words.</p><p>Second one.</p></main>
<footer><a rel="nofollow license" href="/terms">Terms</a></footer></body></html>"""


def test_main_text_without_navigation():
    page = extract(PAGE, None, None)
    assert "First paragraph of the article, with enough words." in page.text
    assert "Second one." in page.text
    assert "About" not in page.text
    assert page.title == "A title"


def test_declarations_are_kept_verbatim():
    assert extract(PAGE, None, None).declarations == [
        ("meta", "ai-disclosure", "ai-originated"),
        ("meta", "tdm-reservation", "1"),
        ("meta", "robots", "noai, noindex"),
        ("link", "license", "https://creativecommons.org/licenses/by/4.0/"),
        ("link", "c2pa-manifest", "/m.c2pa"),
        ("jsonld", "ld+json", '{"@type": "Article"}'),
        ("script", "application/c2pa", "AAAA"),
        ("link", "license", "/terms"),
    ]


def test_declarations_are_bounded():
    metas = "".join(f'<meta name="robots" content="{"x" * 9000}">' for _ in range(200))
    huge = f'<script type="application/ld+json">"{"y" * 300_000}"</script>'
    found = extract((huge + metas).encode(), "utf-8", None).declarations
    assert len(found) == html.MAX_DECLARATIONS
    assert {name for _, name, _ in found} == {"robots"}
    assert max(len(value) for _, _, value in found) == html.MAX_VALUE_CHARS


@pytest.mark.parametrize(
    ("payload", "charset", "expected"),
    [
        ("Köln".encode("latin-1"), "iso-8859-1", "Köln"),
        ("Köln".encode(), "iso-8859-1", "KÃ¶ln"),
        ("\ufeffKöln".encode(), "iso-8859-1", "Köln"),
        ("Köln".encode("utf-16-be"), "utf-16be", "Köln"),
        ("\ufeffKöln".encode("utf-16-le"), None, "Köln"),
        ("Москва — город".encode("cp1251"), "windows-1251", "Москва — город"),
        (b"K\xf6ln", "utf-8", "Köln"),
        (b"abc", "no-such-charset", "abc"),
        (b"", None, ""),
    ],
)
def test_decoding(payload, charset, expected):
    assert decode(payload, charset) == expected


@pytest.mark.parametrize(
    "unit", ["<div>", "<b><i>", "<ul><li>", "<table><tr><td>", "<div></q>", "<a><p>", "<p><b id=1>x"]
)
def test_deep_and_broken_pages_are_read_in_bounded_time(unit):
    extract(b"<p>", "utf-8", None)  # compiles
    bottom = "<p>" + "the text at the bottom " * 6
    for times in (1_000, (html.MAX_HTML_BYTES - 500) // len(unit)):
        began = time.monotonic()
        try:
            page = extract((unit * times + bottom).encode(), "utf-8", None)
            assert "the text at the bottom" in page.text or "<a>" in unit
        except PageRefused as refused:
            assert times > 1_000
            assert "deep" in str(refused)  # noqa: PT017
        assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "payload",
    [
        b"<p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">the text",
        b"<p " + b"a='" * 400_000 + b"'>the text",
        b'<meta name="' * 400_000 + b'"><p>the text',
        b"<meta name=robots content=x" * 100_000 + b"><p>the text",
        b"<!--" * 500_000 + b"--><p>the text",
        b"<script>" + b"</scrip" * 500_000 + b"</script><p>the text",
    ],
)
def test_endless_tags_are_read_in_bounded_time(payload):
    began = time.monotonic()
    assert "the text" in extract(payload, "utf-8", None).text
    assert time.monotonic() - began < 5


def test_a_page_beyond_the_bound_is_refused():
    with pytest.raises(PageRefused):
        extract(b"<p>" + b"x" * (html.MAX_HTML_BYTES + 1), "utf-8", None)


def page_text(body: str) -> str:
    return extract(f"<html><body>{body}</body></html>".encode(), "utf-8", None).text


LONG = "A sentence that is long enough to be taken for text by whoever looks at it, and longer by a good few words. "


@pytest.mark.parametrize(
    "chrome",
    [
        "<nav>Chrome</nav>",
        "<footer><p>Chrome</p></footer>",
        '<div class="site-menu"><ul><li>Chrome</ul></div>',
        '<div id="commentList"><p>Chrome</p></div>',
        '<div role="navigation">Chrome</div>',
        '<p style="display: none">Chrome</p>',
        '<p aria-hidden="true">Chrome</p>',
        "<p hidden>Chrome</p>",
        "<script>Chrome</script>",
        "<!-- <p>Chrome</p> -->",
        '<ul><li><a href="/">Chrome</a></ul>',
    ],
)
def test_what_is_not_the_text_is_left_out(chrome):
    assert page_text(f"<p>{LONG}</p>{chrome}<p>{LONG}</p>") == f"{LONG.strip()}\n\n{LONG.strip()}"


def test_the_shape_of_the_text_is_kept():
    body = f"<h2>Title &amp; more</h2><p>{LONG}<br>new <b>l</b>ine</p><ul><li>one<li><p>two</p></ul>"
    table = f"<table><tr><td>a<td>b<tr><td>c<td>d</table><p>{LONG}</p>"
    assert page_text(body + table) == (
        f"Title & more\n\n{LONG.strip()}\nnew line\n\n• one\n\n• two\n\na\tb\nc\td\n\n{LONG.strip()}"
    )


def test_the_article_is_all_that_counts():
    article = f"<article><p>{LONG}</p><p>{LONG}</p><p>{LONG}</p></article>"
    assert "Aside" not in page_text(f"<div><p>Aside {LONG}</p></div>{article}")


def test_a_page_that_is_all_menu_keeps_its_text():
    assert LONG.strip() in page_text(f'<div class="menu"><p>{LONG * 5}</p></div>')


@pytest.mark.parametrize("payload", [b"", b"<", b"\x00" * 100, b"<html", b"plain words", b"<!--", b"<p>\xff\xfe</p>"])
def test_scraps_never_fail(payload):
    assert isinstance(extract(payload, None, None).text, str)
