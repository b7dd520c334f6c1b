"""Main-text extraction compared: agreement with Trafilatura and jusText, and speed, on real pages.

Run with ``python benchmarks/extraction.py PAGES.warc.gz``. Trafilatura and jusText are needed for the
comparison only (``pip install trafilatura justext``); their texts are kept in ``--cache`` between runs.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

TOKEN = re.compile(r"\w+")
CHROME = ["nav", "footer", "aside", "form", "button", "select", "[role=navigation]", "[role=banner]"]

Extractor = Callable[[str], str]


def pages(warc: Path) -> list[str]:
    """Decoded HTML of every response."""
    found = []
    for record in ArchiveIterator(str(warc), record_types=WarcRecordType.response):
        payload = record.reader.read()
        found.append(bytes_to_str(payload, detect_encoding(payload, from_html_meta=True), "replace"))
    return found


def by_trafilatura(html: str) -> str:
    import trafilatura

    return trafilatura.extract(html, include_comments=False) or ""


def by_justext(html: str) -> str:
    import justext

    words = frozenset().union(*(justext.get_stoplist(language) for language in ("English", "German", "French")))
    return "\n".join(p.text for p in justext.justext(html.encode(), words, encoding="utf-8") if not p.is_boilerplate)


def by_resiliparse(html: str, **options: object) -> str:
    return extract_plain_text(html, **options)


def by_product(html: str) -> str:
    from provenance.text.html import extract

    return extract(html.encode(), "utf-8", None).text


def parse_only(html: str) -> str:
    HTMLTree.parse(html)
    return ""


REFERENCES: dict[str, Extractor] = {"trafilatura": by_trafilatura, "justext": by_justext}
CANDIDATES: dict[str, Extractor] = {
    "parse alone": parse_only,
    "plain": by_resiliparse,
    "plain, skip chrome": partial(by_resiliparse, skip_elements=CHROME),
    "main": partial(by_resiliparse, main_content=True),
    "main, no comments": partial(by_resiliparse, main_content=True, comments=False),
    "main, no comments, no alt": partial(by_resiliparse, main_content=True, comments=False, alt_texts=False),
    "main, no comments, alt, post meta": partial(
        by_resiliparse, main_content=True, comments=False, alt_texts=False, post_meta=False
    ),
    "main, bare, skip chrome": partial(
        by_resiliparse, main_content=True, comments=False, alt_texts=False, post_meta=False, skip_elements=CHROME
    ),
    "provenance.text.html": by_product,
}


def f1(candidate: str, reference: str) -> tuple[float, float, float]:
    """Precision, recall and F1 over the multiset of word tokens."""
    ours, theirs = Counter(TOKEN.findall(candidate.lower())), Counter(TOKEN.findall(reference.lower()))
    if not ours and not theirs:
        return 1.0, 1.0, 1.0
    shared = (ours & theirs).total()
    if not shared:
        return 0.0, 0.0, 0.0
    precision, recall = shared / ours.total(), shared / theirs.total()
    return precision, recall, 2 * precision * recall / (precision + recall)


def references(html: list[str], cache: Path) -> dict[str, tuple[list[str], float]]:
    texts = {}
    for name, extractor in REFERENCES.items():
        file = cache / f"{name}.json"
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            began = time.perf_counter()
            found = [extractor(page) for page in html]
            file.write_text(json.dumps([found, time.perf_counter() - began]))
        found, seconds = json.loads(file.read_text())
        texts[name] = (found, seconds)
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("warc", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("extraction-cache"))
    arguments = parser.parse_args()
    html = pages(arguments.warc)
    size = sum(len(page.encode()) for page in html) / 1e6
    known = references(html, arguments.cache)
    print(f"{len(html)} pages, {size:.1f} MB of HTML; mean over pages of token precision / recall / F1\n")
    print("| extractor | against Trafilatura | against jusText | pages/s | MB/s |\n|---|---|---|--:|--:|")
    for name, (texts, seconds) in known.items():
        row(name, texts, seconds, known, size)
    for name, extractor in CANDIDATES.items():
        began = time.perf_counter()
        texts = [extractor(page) for page in html]
        row(name, texts, time.perf_counter() - began, known, size)


def row(name: str, texts: list[str], seconds: float, known: dict[str, tuple[list[str], float]], size: float) -> None:
    cells = []
    for reference, _ in known.values():
        scores = [f1(ours, theirs) for ours, theirs in zip(texts, reference, strict=True)]
        cells.append(" / ".join(f"{statistics.fmean(values):.3f}" for values in zip(*scores, strict=True)))
    print(f"| {name} | {cells[0]} | {cells[1]} | {len(texts) / seconds:.0f} | {size / seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
