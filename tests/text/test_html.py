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


@pytest.mark.parametrize("unit", ["<div>", "<b><i>", "<ul><li>", "<table><tr><td>", "<div></q>", "<a><p>"])
def test_deep_pages_are_read_in_bounded_time(unit):
    began = time.monotonic()
    page = extract((unit * 100_000 + "the text at the bottom").encode(), "utf-8", None)
    assert time.monotonic() - began < 5
    assert isinstance(page.text, str)


@pytest.mark.parametrize(
    "payload",
    [
        b"<p>" + b"x" * (html.MAX_HTML_BYTES + 1),
        b"<p " + b" ".join(b"a%d=1" % i for i in range(50_000)) + b">x",
        b"".join(b"<p><b id=%d>x" % i for i in range(5_000)),
    ],
)
def test_explosive_pages_are_refused(payload):
    began = time.monotonic()
    with pytest.raises(PageRefused):
        extract(payload, "utf-8", None)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("payload", [b"", b"<", b"\x00" * 100, b"<html", b"plain words", b"<!--", b"<p>\xff\xfe</p>"])
def test_scraps_never_fail(payload):
    assert isinstance(extract(payload, None, None).text, str)
