"""Bytes that a record's fingerprints and a reference's postings take, by length, with passages and without.

Run with ``python benchmarks/sizes.py ../shared``. Real English texts are joined and cut into records of 100, 500 and
2,000 words (tokens of the folded text), fingerprinted, and written as a store writes them and as an index holds them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from provenance.fingerprint import BANDS, Fingerprints, content_checks, content_ids, fingerprint, pack
from provenance.index import ReferenceBatch, build_segment
from provenance.store import Store, write_part
from provenance.text.fold import fold
from provenance.text.tokens import Tokens, tokenize

WORDS = (100, 500, 2000)


def english(shared: Path, words: int) -> pa.LargeStringArray:
    """Real texts, in a fixed random order, until there are so many words."""
    frames = [
        pl.read_parquet(path, columns=["text", "lang"]).filter(pl.col("lang") == "en")["text"]
        for path in sorted(shared.glob("data/labelled/*/*.parquet"))
    ]
    texts = pl.concat(frames).drop_nulls().unique(maintain_order=True)
    texts = texts.gather(np.random.default_rng(0).permutation(len(texts)))
    enough = int(np.searchsorted(np.cumsum(texts.str.count_matches(" ").to_numpy()), words)) + 1
    return pa.array(texts[:enough].to_list(), pa.large_string())


def records(tokens: Tokens, words: int, count: int) -> Fingerprints:
    return fingerprint(Tokens(np.arange(0, words * count + 1, words), tokens.hashes[: words * count]))


def stored(folder: Path, made: Fingerprints, ids: list[str], checks: list[bytes]) -> dict[str, float]:
    """Bytes a record of each column of a part, compressed as the store does."""
    batch = pack(made, ids, checks)
    part = write_part(folder, "fingerprints", "scan", f"part-{len(made)}", pa.Table.from_batches([batch]))
    metadata = pq.ParquetFile(folder / part.path).metadata
    sizes: dict[str, float] = {"packed": batch.nbytes / len(made), "file": part.bytes / len(made)}
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            sizes[chunk.path_in_schema] = sizes.get(chunk.path_in_schema, 0) + chunk.total_compressed_size / len(made)
    return sizes


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("shared", type=Path)
    arguments.add_argument("--records", type=int, default=5000)
    options = arguments.parse_args()
    tokens = tokenize(fold(english(options.shared, max(WORDS) * options.records)))
    names = [f"{row:032x}" for row in np.random.default_rng(1).permutation(options.records)]
    print("| words | passages | packed | on disk | without passages | bands | ids, checks | in an index | a posting |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for words in WORDS:
        count = min(options.records, len(tokens.hashes) // words)
        made = records(tokens, words, count)
        own = pa.array([f"{name}-{words}" for name in names[:count]], pa.large_string())
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            ids = content_ids(own)
            sizes = stored(Store.create(folder / "store").root, made, ids, content_checks(own))
            batch = ReferenceBatch(names[:count], "set", "synthetic", ids, content_checks(own), made)
            segment = build_segment(folder / "index", batch)
            postings = sum(
                values.nbytes for key, values in segment.arrays.items() if key.startswith(("band", "passage"))
            )
        passages = len(made.passage_hashes) / count
        without = sizes["file"] - sizes["passages"] - sizes["positions"]
        print(
            f"| {words:,} | {passages:.1f} | {sizes['packed']:.0f} | {sizes['file']:.0f} | {without:.0f} "
            f"| {sizes['bands']:.0f} | {sizes['record_id'] + sizes['content_check']:.0f} "
            f"| {segment.bytes / count:.0f} | {postings / (count * BANDS + len(made.passage_hashes)):.1f} |"
        )


if __name__ == "__main__":
    main()
