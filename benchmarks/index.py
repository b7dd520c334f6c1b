"""Measure the reference index: what it finds, what it finds wrongly, how fast and how large it is.

``recall SHARED`` plants copies of real texts among others; ``false SHARED`` looks for matches between human and machine
texts; ``duplicates SHARED`` takes known near-duplicates; ``scale REFERENCES`` builds a synthetic index of so many
references and times it; ``add REFERENCES`` times the building of a segment.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from provenance import fingerprint
from provenance.fingerprint import Fingerprints
from provenance.index import Index, ReferenceBatch, ReferenceSet, build, build_segment, kernel
from provenance.index.segment import SegmentWriter
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


def best(table, copies):
    """For each copy the best share with the right reference, and whether that was found."""
    shares = np.zeros(len(copies))
    for row, share, name in zip(*(table[c].to_pylist() for c in ("row", "share", "reference_id")), strict=True):
        if name == copies[row][2]:
            shares[row] = max(shares[row], share)
    return shares, shares > 0


def quantiles(shares):
    return [round(float(q), 2) for q in np.quantile(shares, [0.01, 0.05, 0.25, 0.5, 0.75])]


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
        changed = [change(r[0]) for r in copies]
        fp, ids, checks = prepared(changed)
        table = index.match(fp, ids, checks)
        shares, right = best(table, copies)
        stored = index.match_packed(fingerprint.pack(fp, ids, checks))
        estimates, guessed = best(stored, copies)
        shown[kind] = {
            "found": round(float(right.mean()), 4),
            **{f">= {t}": round(float((right & (shares >= t)).mean()), 4) for t in (0.1, 0.2, 0.25, SHARE)},
            "share p1 p5 p25 p50 p75": quantiles(shares),
            "tiers": {row["values"]: row["counts"] for row in table["tier"].value_counts().to_pylist()},
            "unverified found": round(float(guessed.mean()), 4),
            "estimated share p1 p5 p25 p50 p75": quantiles(estimates),
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
            f"{record[2]} {record[1]} | {reference[2]} {reference[1]} | "
            f"{' '.join(tokens[span['start'] : span['end']])[:220]}"
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
            seconds = time.perf_counter() - start
            print(f"{pools}: {len(records)} {other} against {len(references)} {label}: {seconds:.1f} s")
            show_matches(table, records, {r[2]: r for r in references})
            shutil.rmtree(folder)


def duplicates(shared):
    """Recall of near-duplicates, by true Jaccard of 5-grams and by the planted pairs."""
    folder = shared / "data" / "duplicates"
    table = pq.read_table(folder / "minhash_articles_1000.parquet").to_pylist()
    print("columns", list(table[0]))
    texts = {str(row.get("doc_id", row.get("id"))): row["text"] for row in table}
    names = list(texts)
    prepared_texts = prepared(list(texts.values()))
    place = Path(tempfile.mkdtemp(prefix="index-bench-"))
    segment = build_segment(place, ReferenceBatch(names, "set", "synthetic", *prepared_texts[1:], prepared_texts[0]))
    found = Index.open(place, [segment.id]).match(*prepared_texts)
    pairs = {
        (names[row], name): (share, tier)
        for row, name, share, tier in zip(
            *(found[c].to_pylist() for c in ("row", "reference_id", "share", "tier")), strict=True
        )
        if names[row] != name
    }
    truth = pq.read_table(folder / "minhash_articles_1000_truth.parquet").to_pylist()
    planted = [tuple(str(v) for v in row.values())[:2] for row in truth]
    print(f"planted {len(planted)}, found {sum(p in pairs for p in planted)}")
    tokens = prepared_texts[0].tokens
    grams = []
    for start, end in zip(tokens.offsets, tokens.offsets[1:], strict=False):
        row = tokens.hashes[start:end].tolist()
        grams.append({tuple(row[k : k + 5]) for k in range(max(1, len(row) - 4))})
    near = {}
    for a in range(len(names)):
        for b in range(a):
            common = len(grams[a] & grams[b])
            jaccard = common / (len(grams[a]) + len(grams[b]) - common)
            if jaccard >= 0.7:
                near[names[a], names[b]] = jaccard
    both = {pair for pair in pairs if pair[::-1] in pairs}
    print(f"Jaccard >= 0.7: {len(near)}, found {sum(p in both for p in near)}")
    print(f"pairs found: {len(pairs)}; shares of those that aren't planted: ", end="")
    known = set(planted) | {p[::-1] for p in planted}
    print(sorted((round(v[0], 2) for k, v in pairs.items() if k not in known), reverse=True)[:40])
    shutil.rmtree(place)


def synthetic_segment(folder, size, passages, source):
    """Write a segment of random keys without fingerprinting anything."""
    with SegmentWriter(folder) as writer:
        checks = np.sort(source.integers(0, 1 << 63, size, dtype=np.uint64)).astype(">u8").view(np.uint8).reshape(-1, 8)
        checks = np.concatenate([checks, checks], axis=1)
        build.write_texts(writer, checks, checks)
        writer.add("token_offsets", np.arange(size + 1) * 8)
        writer.add("tokens", np.zeros(8 * size, dtype=np.uint32))
        every = np.arange(size)
        build.write_bands(
            writer, 25, size, lambda band: (build.mixed((every * 25 + band).astype(np.uint32) * np.uint32(ODD)), every)
        )
        ranges = max(1, size * passages // build.CHUNK)

        def chunks():
            for k in range(ranges):
                count = size * passages // ranges
                keys = source.integers((1 << 32) * k // ranges, (1 << 32) * (k + 1) // ranges, count).astype(np.uint32)
                yield keys, source.integers(0, size, count).astype(np.uint32), np.zeros(count, dtype=np.uint32)

        build.write_passages(writer, size * passages // ranges * ranges, chunks())
        name = b"0" * 16
        build.write_references(writer, np.ones(size, np.int64), np.zeros(size, np.uint32), [name] * size)
        return writer.finish([ReferenceSet("set", "synthetic")], size, size, build.parameters())


ODD = 0x9E3779B1


def anonymous():
    """Anonymous resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) // 1024


def scale(size, passages=20):
    source = np.random.default_rng(SEED)
    folder = Path(tempfile.mkdtemp(prefix="index-bench-"))
    start = time.perf_counter()
    name = synthetic_segment(folder, size, passages, source)
    print(f"written in {time.perf_counter() - start:.1f} s, anonymous {anonymous()} MB")
    subprocess.run([sys.executable, *sys.argv[:1], "lookups", str(folder), name], check=True)
    shutil.rmtree(folder)


def lookups(folder, name):
    source = np.random.default_rng(SEED + 1)
    start = time.perf_counter()
    index = Index.open(folder, [name])
    opened = time.perf_counter() - start
    segment = index.shelves[0].segment
    print(f"open {opened * 1000:.1f} ms, {segment.texts} texts, {segment.bytes / 1e9:.2f} GB")
    for kind in ("band", "passage"):
        size = sum(array.nbytes for key, array in segment.arrays.items() if key.startswith(kind))
        print(f"{kind}: {len(segment[f'{kind}_keys'])} postings, {size / len(segment[f'{kind}_keys']):.2f} bytes each")
    for kind in ("band", "passage"):
        parts = 25 if kind == "band" else 1
        keys, directory = segment[f"{kind}_keys"].reshape(parts, -1), segment[f"{kind}_directory"].reshape(parts, -1)
        for batch in (1000, 40_000):
            times = []
            for _ in range(12):
                queries = source.integers(0, 1 << 32, (parts, batch * 25 // parts), dtype=np.uint64).astype(np.uint32)
                starts, ends = np.zeros((2, *queries.shape), dtype=np.int64)
                start = time.perf_counter()
                kernel.find_in_partitions(keys, directory, build.directory_bits(keys.shape[1]), queries, starts, ends)
                times.append(time.perf_counter() - start)
            print(
                f"{kind} keys, batches of {batch * 25}: first {batch * 25 / times[1] / 1e6:.1f} M/s, "
                f"median {batch * 25 / np.median(times[2:]) / 1e6:.1f} M/s"
            )
    for batch in (1000, 4096):
        times = []
        for _ in range(12):
            tokens = Tokens(np.arange(batch + 1) * 100, source.integers(0, 1 << 32, batch * 100).astype(np.uint32))
            fp = Fingerprints(
                tokens,
                source.integers(0, 1 << 32, (batch, 128), dtype=np.uint64).astype(np.uint32),
                np.arange(batch + 1) * 46,
                source.integers(0, 1 << 32, 46 * batch, dtype=np.uint64).astype(np.uint32),
                np.tile(np.arange(46, dtype=np.uint32) * 2, batch),
            )
            checks = [source.bytes(16) for _ in range(batch)]
            names = [check.hex() for check in checks]
            start = time.perf_counter()
            index.match(fp, names, checks)
            times.append(time.perf_counter() - start)
        middle = float(np.median(times[4:]))
        print(
            f"match, batch of {batch} unrelated records, 25 bands and 46 passages each (300 words): "
            f"{middle * 1000:.1f} ms, {batch / middle:.0f} records/s"
        )
    print(f"anonymous {anonymous()} MB")


def add(size):
    source = np.random.default_rng(SEED)
    tokens = Tokens(
        np.arange(size + 1) * 100, source.integers(0, 1 << 32, size * 100, dtype=np.uint64).astype(np.uint32)
    )
    fp = Fingerprints(
        tokens,
        source.integers(0, 1 << 32, (size, 128), dtype=np.uint64).astype(np.uint32),
        np.arange(size + 1) * 46,
        source.integers(0, 1 << 32, 46 * size, dtype=np.uint64).astype(np.uint32),
        np.tile(np.arange(46, dtype=np.uint32) * 2, size),
    )
    checks = [source.bytes(16) for _ in range(size)]
    names = [check.hex() for check in checks]
    folder = Path(tempfile.mkdtemp(prefix="index-bench-"))
    start = time.perf_counter()
    first = build_segment(folder, ReferenceBatch(names, "set", "synthetic", names, checks, fp))
    print(f"segment of {size}: {time.perf_counter() - start:.1f} s, {first.bytes / 1e6:.0f} MB")
    shutil.rmtree(folder)


if __name__ == "__main__":
    verb, place, *more = sys.argv[1:]
    if verb in ("scale", "add"):
        {"scale": scale, "add": add}[verb](int(place), *map(int, more))
    elif verb == "lookups":
        lookups(Path(place), *more)
    else:
        {"recall": recall, "false": false, "duplicates": duplicates}[verb](Path(place))
