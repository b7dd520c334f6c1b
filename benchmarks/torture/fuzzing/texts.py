# ruff: noqa: E501 - lists of words
"""Texts: folding, tokens, repair, pages, and what is said in them."""

from __future__ import annotations

from typing import Any

from fuzzing import Target, guarded


def html(content: bytes) -> None:
    """The text of a page and its declarations."""
    from provenance.text.html import PageRefused, extract

    try:
        page = extract(content, None, None)
    except PageRefused:
        return
    page.text.encode()


def texts_of(content: bytes) -> list[str]:
    """Several texts: text as it is in UTF-8, and as UTF-32, so that rare code points come up."""
    wide = content[: len(content) // 4 * 4]
    points = (int.from_bytes(wide[at : at + 4], "little") % 0x110000 for at in range(0, len(wide), 4))
    rare = "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
    return [*content.decode("utf-8", "replace").split("\n"), rare]


def folding(content: bytes) -> None:
    """Folding, against its plain-Python form and the edge of memory."""
    import numpy as np
    import pyarrow as pa

    from provenance.text.fold import fold, fold_reference
    from provenance.text.kernel import fold_texts
    from provenance.text.unicode_tables import unicode_tables

    texts = texts_of(content)
    folded = fold(pa.array(texts, pa.large_string()))
    folded.validate(full=True)
    if folded.to_pylist() != [fold_reference(text) for text in texts]:
        raise AssertionError("folding differs from its plain form")
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    offsets.flags.writeable = False
    data = guarded(b"".join(encoded))
    for room in (200, 2 * len(data) + 4096):
        places = np.zeros(len(texts) + 1, np.int64)
        fold_texts(unicode_tables(), data, offsets, 0, guarded(b"", room), places)


def tokens(content: bytes) -> None:
    """Tokens, prose, signatures and passages at the edge of memory."""
    import numpy as np
    import pyarrow as pa

    from provenance.fingerprint import fingerprint, pack, unpack
    from provenance.text.fold import fold
    from provenance.text.prose import classify
    from provenance.text.reference import split_text
    from provenance.text.tokens import token_hash, tokenize
    from provenance.text.tokens.kernel import split_texts
    from provenance.text.unicode_tables import unicode_tables

    texts = pa.array(texts_of(content), pa.large_string())
    classify(texts)
    folded = fold(texts)
    found = tokenize(folded)
    plain = [token_hash(token) for text in folded.to_pylist() for token in split_text(text)]
    if found.hashes.tolist() != plain:
        raise AssertionError("tokens differ from their plain form")
    made = fingerprint(found)
    names = [str(number) for number in range(len(texts))]
    read = unpack(pack(made, names, [bytes(16)] * len(texts)))
    if not np.array_equal(read.passage_positions, made.passage_positions):
        raise AssertionError("passages lie elsewhere once they were stored")
    encoded = [text.encode() for text in folded.to_pylist()]
    offsets = np.cumsum([0, *map(len, encoded)])
    offsets.flags.writeable = False
    hashes = guarded(b"", 4 * (int(offsets[-1]) // 2 + len(encoded) + 1)).view(np.uint32)
    split_texts(unicode_tables(), guarded(b"".join(encoded)), offsets, hashes, np.zeros(len(encoded) + 1, np.int64))


def prepared(content: bytes) -> Any:
    """A batch as the stages behind the readers see it, its declarations made from the same bytes."""
    import pyarrow as pa

    from provenance import schema
    from provenance.text.prepare import prepare

    text, _, rest = content.decode("utf-8", "replace").partition("\0")
    parts = rest.split("\0")
    declared = [tuple(parts[at : at + 3]) for at in range(0, len(parts) - 2, 3)]
    row = {field.name: None for field in schema.RAW} | {"position": 0, "raw": text, "recovered": False}
    row["declarations"] = [
        dict(zip([field.name for field in schema.DECLARATION], each, strict=True)) for each in declared
    ]
    return prepare(pa.RecordBatch.from_pylist([row], schema=schema.RAW))


def repair(content: bytes) -> None:
    """Repair and what follows it."""
    batch = prepared(content)
    batch.validate(full=True)
    if not batch.column("text")[0].is_valid:
        raise AssertionError("a text is lost")


def markers(content: bytes) -> None:
    """Markers of chat interfaces and models."""
    from provenance.evidence.markers import observe

    observe(prepared(content)).validate(full=True)


def declared(content: bytes) -> None:
    """Declarations of origin, and rights."""
    from provenance import rights
    from provenance.evidence.declared import observe

    batch = prepared(content)
    observe(batch).validate(full=True)
    rights.observe(batch).validate(full=True)


MIXED = "Ｆｕｌｌ ﬁ e\u0301\u0323 раypal 漢字かな ไทย \u200b\u1100\u1161\u11a8 İ ß \ufdfa".encode()
SAID = b"As an AI language model, I can't [cite_start] contentReference[oaicite:0]{index=0}"
BROKEN = "Ã© â€™ Ã¼ber ï»¿ caf\ufffd &amp;eacute; \x92".encode()
PAGE = (
    b"<html><meta name=ai-disclosure content=x><b><p>x<table><td>y</b><svg><p/><select><option>z<!-- a --></html>"
    b'<script type=application/ld+json>{"@type":"Article"}</script><pre>\n a</pre><ul><li>b<li>c</ul><title>t</title>'
)
POINTS = tuple(
    text.encode()
    for text in [
        "́",
        "̣",
        "ͅ",
        "ཱ",
        "ᄀ",
        "ᅡ",
        "ᆨ",
        "가",
        "\u200b",
        "\u200d",
        "️",
        "\xad",
        "\ufeff",
        "İ",
        "ı",
        "ß",
        "ẞ",
        "ﬁ",
        "ﷺ",
        "Σ",
        "ς",
        "а",
        "ѐ",
        "ไ",
        "ກ",
        "漢",
        "か",
        "゙",
        "ｶ",
        "ﾞ",
        "👨",
        "\U000e0041",
        "𝐀",
        "\U0010ffff",
        "�",
        "\x85",
        "\u2028",
        "\u0600",
        "ि",
        "ൎ",
    ]
    if text
)
TAGS = tuple(
    b"<p>|</p>|<div>|<table>|<tr>|<td>|<li>|<ul>|<pre>|<script>|</script>|<style>|<textarea>|<title>|<template>|<svg>|<math>|"
    b"<!--|-->|--!>|<![CDATA[|]]>|<?xml|<!DOCTYPE html>|&amp;|&#x0;|&#128;|&notin;|&not|<meta name=|<meta charset=utf-16>|"
    b"content=|<link rel=license href=|<br/>|<a href=|<noscript>|<plaintext>|<frameset>|<nav>|<main>|<article>|hidden|"
    b"style=display:none|\x00|\xff\xfe|<h1>|<b>|</b>|<option>|<select>".split(b"|")
)
SAYINGS = tuple(
    b"As an AI language model|oaicite|[cite_start]|contentReference[oaicite:0]{index=0}|turn0search0|utm_source=chatgpt.com|"
    b"<think>|</think>|<|im_start|>|:contentReference|I'm sorry, but|Certainly! Here|ChatGPT|Generated by|"
    b"\xef\xb8\x8f|\xee\x88\x80cite\xee\x88\x82|grok_card|attributableIndex|```|**|\n\n|# ".split(b"|")
)
DECLARED = tuple(
    b"\0http\0|\0meta\0|\0jsonld\0|\0link\0|\0card\0|\0column\0|ai-disclosure|mode=ai-originated|generator|robots|noai|noimageai|"
    b'tdm-reservation|1|license|ld+json|{"@type": |"digitalSourceType"|trainedAlgorithmicMedia|"@graph": [|"creator"|'
    b"creativecommons.org/licenses/by/4.0|tags|synthetic|language_creators|machine-generated|\\ud800|1e999".split(b"|")
)
SPOKEN = b'\0http\0ai-disclosure\0mode=ai-originated\0jsonld\0ld+json\0{"@type": "Article", "creator": {"name": "x"}}'

TARGETS: dict[str, Target] = {
    "folding": Target(folding, lambda: [MIXED, SAID, BROKEN], 256, POINTS, plain=True),
    "tokens": Target(tokens, lambda: [MIXED, SAID, SAID * 3], 512, POINTS, plain=True),
    "repair": Target(repair, lambda: [MIXED, SAID, BROKEN], 512, POINTS),
    "html": Target(html, lambda: [PAGE], 1024, TAGS, plain=True),
    "markers": Target(markers, lambda: [SAID, MIXED], 512, SAYINGS),
    "declared": Target(declared, lambda: [MIXED + SPOKEN, SPOKEN], 1024, DECLARED),
}
