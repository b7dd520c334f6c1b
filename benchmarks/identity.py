"""Signatures compared with datasketch's on generated texts of every script: none may differ in a single bit.

Run with ``python benchmarks/identity.py --texts 100000``. Hypothesis draws the texts: letters, marks, digits,
separators and look-alikes of one script or of several, from empty to some hundred tokens. Each is folded, split and
hashed in plain Python (``fold_reference``, ``tokens_reference``, ``token_hash``, ``shingle_hash``), the shingles go
into datasketch's ``MinHash(128, 1, scheme="affine32")``, and its values are compared with ``signatures``. Exits
with 1 at the first text that differs, which Hypothesis then shrinks.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections import Counter

import datasketch
import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from provenance.fingerprint import shingle_hash, signatures
from provenance.text.fold import fold_reference
from provenance.text.tokens import token_hash, tokens_reference

BATCH = 8
COMMON = " .,-'\n\t\u00a0\u200b\u200d\u0301\u0323019aeoсаеοαАΑﬁ，世…"


def scripts() -> dict[str, str]:
    """The letters, marks and digits of each script, by the first word of their Unicode names."""
    found: dict[str, list[str]] = {}
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character)[0] in "LMN":
            found.setdefault(unicodedata.name(character, "UNNAMED").split()[0].split("-")[0], []).append(character)
    return {name: "".join(members) for name, members in found.items() if len(members) >= 10}


def texts_of(letters: str) -> st.SearchStrategy[str]:
    word = st.text(st.one_of(st.sampled_from(letters), st.sampled_from(letters), st.sampled_from(COMMON)), max_size=12)
    return st.lists(word, max_size=40).map(" ".join)


def expected(text: str) -> np.ndarray:
    tokens = [token_hash(token) for token in tokens_reference(fold_reference(text))]
    sketch = datasketch.MinHash(128, 1, scheme="affine32", hashfunc=int)
    if tokens:
        sketch.update_batch([shingle_hash(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4))])
    return np.asarray(sketch.hashvalues)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--texts", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    alphabets = scripts()
    compared: Counter[str] = Counter()
    distinct: set[str] = set()

    def check(name: str) -> None:
        @seed(options.seed)
        @settings(
            max_examples=-(-options.texts // len(alphabets) // BATCH),
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(texts_of(alphabets[name]), min_size=BATCH, max_size=BATCH))
        def identical(texts: list[str]) -> None:
            for text, row in zip(texts, signatures(texts), strict=True):
                np.testing.assert_array_equal(row, expected(text), err_msg=ascii(text))
            compared[name] += len(set(texts) - distinct)
            distinct.update(texts)

        identical()

    while len(distinct) < options.texts:
        for name in alphabets:
            check(name)
        options.seed += 1
    words = sorted(len(text.split()) for text in distinct)
    print(
        f"{len(distinct):,} different texts of {len(compared)} scripts, {min(compared.values()):,} of each at least, "
        f"{sum(words):,} words, median {words[len(words) // 2]}, longest {words[-1]}: all identical"
    )


if __name__ == "__main__":
    main()
