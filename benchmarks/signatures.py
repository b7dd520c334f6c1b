"""MinHash signatures compared: ours against datasketch, rensa, gaoya and datatrove, on one core.

Run with ``python benchmarks/signatures.py ../shared``: on real English, on all other languages together, and on those
of other scripts than Latin only. Everybody starts from the same Python strings and does
all there is to do until 128 values per text (datatrove: its default of 112): lower-casing, splitting,
5-word shingles, hashing. Peers that are not installed are left out and named
(``pip install rensa gaoya datatrove spacy tokenizers``). Slow peers get the first ``--peer-mb`` of the same texts.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("RAYON_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl
import pyarrow as pa

WORD = re.compile(r"\w+")
Run = Callable[[list[str]], object]


def shingles(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def ours_list() -> Run:
    from provenance.fingerprint import signatures

    return signatures


def ours_arrow() -> Run:
    from provenance.fingerprint import signatures

    return lambda texts: signatures(ARROW[id(texts)])


def datasketch_update_batch() -> Run:
    import xxhash
    from datasketch import MinHash

    def run(texts: list[str]) -> list[object]:
        sketches = []
        for text in texts:
            sketch = MinHash(128, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)
            sketch.update_batch([shingle.encode() for shingle in shingles(text)])
            sketches.append(sketch.hashvalues)
        return sketches

    return run


def datasketch_bulk() -> Run:
    import xxhash
    from datasketch import MinHash

    return lambda texts: MinHash.bulk(
        ([shingle.encode() for shingle in shingles(text)] for text in texts),
        num_perm=128,
        scheme="affine32",
        hashfunc=xxhash.xxh32_intdigest,
    )


def rensa_matrix() -> Run:
    from rensa import RMinHash

    return lambda texts: RMinHash.digest_matrix_from_token_sets((shingles(text) for text in texts), 128, 1)


def gaoya_empty_index() -> Run:
    """Gaoya gives no signatures away: a query of an empty index makes one and looks it up in nothing."""
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        32, 0.5, num_bands=16, band_size=8, analyzer="word", lowercase=True, ngram_range=(5, 5), id_container="vec"
    )
    return lambda texts: [index.query(text) for text in texts]


def datatrove_stage() -> Run:
    import xxhash
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature

    stage = MinhashDedupSignature("/tmp")
    # Its own hash function hands str to xxhash, which refuses that since version 4.
    stage._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())

    def run(texts: list[str]) -> None:
        for text in texts:
            values = stage.get_shingles(text)
            if values.size:
                stage.get_signature(values)

    return run


PEERS: dict[str, tuple[Callable[[], Run], float | None]] = {
    "datasketch update_batch, xxh32": (datasketch_update_batch, 60),
    "datasketch bulk, xxh32": (datasketch_bulk, 35),
    "rensa R-MinHash matrix": (rensa_matrix, 18),
    "gaoya": (gaoya_empty_index, 9),
    "datatrove minhash signature": (datatrove_stage, 150),
}
"""How each is run, and how many times as fast as it we want to be on English."""

ARROW: dict[int, pa.LargeStringArray] = {}


ENGLISH = pl.col("lang") == "en"
BEYOND_LATIN = pl.col("text").str.len_bytes() > 1.5 * pl.col("text").str.len_chars()
CORPORA = {"English": ENGLISH, "Mixed scripts": ~ENGLISH, "Scripts beyond Latin": ~ENGLISH & BEYOND_LATIN}


def read(shared: Path, which: pl.Expr, megabytes: float) -> list[str]:
    """Real texts in a fixed random order; repeated with one word in front when there are too few."""
    frames = [
        pl.read_parquet(path, columns=["text", "lang"]).filter(which)["text"]
        for path in sorted(shared.glob("data/labelled/*/*.parquet"))
    ]
    texts = pl.concat(frames).drop_nulls()
    texts = texts.gather(np.random.default_rng(0).permutation(len(texts)))
    result: list[str] = []
    size = 0.0
    for lap in range(1000):
        for text in texts:
            result.append(text if lap == 0 else f"lap{lap} {text}")
            size += len(text.encode())
            if size >= megabytes * 1e6:
                return result
    return result


def head(texts: list[str], megabytes: float) -> list[str]:
    size = 0
    for count, text in enumerate(texts):
        size += len(text.encode())
        if size >= megabytes * 1e6:
            return texts[: count + 1]
    return texts


def speed(run: Run, texts: list[str], repeats: int) -> float:
    """MB per second of processor time, the best of some runs; a busy neighbour changes it little."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        run(texts)
        best = min(best, time.process_time() - start)
    return size / best


def rows(texts: list[str], peer_megabytes: float) -> Iterator[tuple[str, float | None, float | None]]:
    ARROW[id(texts)] = pa.array(texts, pa.large_string())
    for name, make in (("ours, from Arrow", ours_arrow), ("ours, from a list of str", ours_list)):
        run = make()
        yield name, speed(run, texts, 3), None
    part = head(texts, peer_megabytes)
    for name, (make, target) in PEERS.items():
        try:
            run = make()
        except ImportError as error:
            print(f"  {name}: not measured, {error}")
            yield name, None, target
            continue
        run(part[:20])
        yield name, speed(run, part, 2), target


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("shared", type=Path)
    arguments.add_argument("--english-mb", type=float, default=60)
    arguments.add_argument("--mixed-mb", type=float, default=20)
    arguments.add_argument("--peer-mb", type=float, default=6)
    options = arguments.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from provenance.fingerprint import signatures

    start = time.perf_counter()
    signatures(["first call"])
    print(f"first call: {time.perf_counter() - start:.2f} s")
    english_speed = 0.0
    for title, which in CORPORA.items():
        english = title == "English"
        texts = read(options.shared, which, options.english_mb if english else options.mixed_mb)
        print(f"\n{title}: {len(texts):,} texts, {sum(len(t.encode()) for t in texts) / 1e6:.0f} MB")
        ours = 0.0
        for name, value, target in rows(texts, options.peer_mb):
            ours = ours or value or 0.0
            ratio = f"{ours / value:7.1f}x" if value else "       -"
            wanted = f" (wanted {target:g}x)" if target and english else ""
            print(f"  {name:32} {value or float('nan'):8.1f} MB/s  ours is {ratio}{wanted}", flush=True)
        english_speed = english_speed or ours
        if not english:
            print(f"  over English: {ours / english_speed:.2f} (wanted 0.4 for mixed scripts)")


if __name__ == "__main__":
    main()
