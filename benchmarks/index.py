"""Measure the reference index: what it finds, what it finds wrongly, how fast and how large it is.

``python benchmarks/index.py recall SHARED`` plants copies of real texts among others; ``python benchmarks/index.py false
SHARED`` looks for matches between human and machine texts; ``duplicates SHARED`` takes known near-duplicates;
``python benchmarks/index.py scale 1000000`` builds a synthetic index and times it.
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from provenance import fingerprint
from provenance.fingerprint import Fingerprints
from provenance.index import Index, ReferenceBatch, build_segment
from provenance.text.fold import fold
from provenance.text.tokens import Tokens, tokenize

SHARE = 0.3
SEED = 20


def prepared(texts):
    folded = fold(pa.array(texts, pa.large_string()))
    return (
        fingerprint.fingerprint(tokenize(folded)),
        fingerprint.content_ids(folded),
        fingerprint.content_checks(folded),
    )


def register(folder, texts, names, set_id="set", label="synthetic"):
    fp, ids, checks = prepared(texts)
    return build_segment(folder, ReferenceBatch(names, set_id, label, ids, checks, fp))


def rows_of(shared, pool):
    rows = []
    for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
        table = pq.read_table(path, columns=["text", "label", "lang"])
        for k, row in enumerate(table.to_pylist()):
            if row["text"]:
                rows.append((row["text"], row["label"], f"{path.stem}/{k}", row["lang"]))
    return rows


def scattered(text, share, source, vocabulary):
    """Change single words at scattered places."""
    words = text.split()
    for k in source.sample(range(len(words)), round(share * len(words))):
        words[k] = source.choice(vocabulary)
    return " ".join(words)


def runs_changed(text, share, source, vocabulary):
    """Change runs of 3 to 8 words that make up a share of the text."""
    words = text.split()
    left = round(share * len(words))
    while left > 0:
        size = min(left, source.randint(3, 8))
        at = source.randrange(max(1, len(words) - size))
        words[at : at + size] = [source.choice(vocabulary) for _ in range(size)]
        left -= size
    return " ".join(words)


def embedded(text, others, source):
    """Put a text into a page of which it is at least a third."""
    budget = 2 * len(text.split())
    around = " ".join(source.sample(others, 40)).split()[: int(budget * source.uniform(0.7, 1.0))]
    cut = source.randrange(len(around) + 1)
    return " ".join([*around[:cut], text, *around[cut:]])


def best(table, size):
    """For each row its best share and that row's references."""
    shares = np.zeros(size)
    names = [set() for _ in range(size)]
    for row, share, name in zip(*(table[c].to_pylist() for c in ("row", "share", "reference_id")), strict=True):
        shares[row] = max(shares[row], share)
        names[row].add(name)
    return shares, names


def recall(shared):
    source = random.Random(SEED)
    rows = rows_of(shared, "dev")
    source.shuffle(rows)
    long_enough = [r for r in rows if len(r[0].split()) >= 150]
    chosen = long_enough[:2000]
    registered = {r[0] for r in chosen}
    rest = [r for r in rows if r[0] not in registered]
    others = rest[:5000]
    around = [r[0] for r in rest[5000:] if r[3] == "en" and len(r[0].split()) > 60]
    vocabulary = [w for t in around[:500] for w in t.split()]
    folder = Path(tempfile.mkdtemp(prefix="index-bench-"))
    segment = register(folder, [r[0] for r in chosen], [r[2] for r in chosen])
    index = Index.open(folder, [segment.id])
    copies = chosen[:500]
    shown = {}
    kinds = {
        "verbatim": lambda t: t,
        "embedded": lambda t: embedded(t, around, source),
        "runs changed 10 %": lambda t: runs_changed(t, 0.10, source, vocabulary),
        **{f"scattered {p} %": (lambda t, p=p: scattered(t, p / 100, source, vocabulary)) for p in (5, 10, 20, 30)},
    }
    for kind, change in kinds.items():
        table = index.match(*prepared([change(r[0]) for r in copies]))
        shares, names = best(table, len(copies))
        right = np.array([r[2] in n for r, n in zip(copies, names, strict=True)])
        right |= np.array([any(t == r[0] for t in ()) for r in copies])
        quantiles = np.quantile(shares, [0.01, 0.05, 0.25, 0.5, 0.75])
        shown[kind] = {
            "found": round(float(right.mean()), 4),
            f"found at share >= {SHARE}": round(float((right & (shares >= SHARE)).mean()), 4),
            "share p1 p5 p25 p50 p75": [round(float(q), 2) for q in quantiles],
            "tiers": table["tier"].value_counts().to_pylist(),
        }
        print(kind, json.dumps(shown[kind]), flush=True)
    start = time.perf_counter()
    fp, ids, checks = prepared([r[0] for r in others])
    middle = time.perf_counter()
    table = index.match(fp, ids, checks)
    print(f"others: fingerprints {middle - start:.2f} s, match {time.perf_counter() - middle:.2f} s")
    show_matches(table, others, {r[2]: r for r in chosen})
    shutil.rmtree(folder)


def show_matches(table, records, references, limit=40):
    """Print the text of matches, to be judged by a reader."""
    print(f"{table.num_rows} matches in {len(set(table['row'].to_pylist()))} of {len(records)} records")
    for row in table.sort_by([("share", "ascending")]).to_pylist()[:limit]:
        record, reference = records[row["row"]], references[row["reference_id"]]
        tokens = re.findall(r"\w+", record[0])
        span = max(row["spans"], key=lambda s: s["end"] - s["start"])
        print(
            f"  {row['share']:.2f} {row['reference_share']:.2f} {row['matched_words']:5d} {row['tier']:8s}"
            f"{record[2]} {record[1]} | {reference[2]} {reference[1]} | {' '.join(tokens[span['start'] : span['end']])[:220]}"
        )


def false(shared):
    for pools in (("dev", "dev"), ("train", "dev")):
        for label, other in (("synthetic", "human"), ("human", "synthetic")):
            references = [r for r in rows_of(shared, pools[0]) if r[1] == label]
            records = [r for r in rows_of(shared, pools[1]) if r[1] == other]
            folder = Path(tempfile.mkdtemp(prefix="index-bench-"))
            segment = register(folder, [r[0] for r in references], [r[2] for r in references], label=label)
            start = time.perf_counter()
            table = Index.open(folder, [segment.id]).match(*prepared([r[0] for r in records]))
            print(f"{pools}: {len(records)} {other} against {len(references)} {label}: {time.perf_counter() - start:.1f} s")
            show_matches(table, records, {r[2]: r for r in references})
            shutil.rmtree(folder)


if __name__ == "__main__":
    {"recall": recall, "false": false}[sys.argv[1]](Path(sys.argv[2]))
