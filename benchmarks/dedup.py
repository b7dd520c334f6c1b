"""Near-duplicates inside a scan: what is found, against brute force; what it costs, against datasketch and at scale.

``recall``: corpora with planted copies (edits of seven kinds, most of them near the threshold) and the shared sets of
duplicates, scanned and deduplicated through the public functions, then compared with every pair's exact Jaccard
similarity. ``rival``: the same 50,000 texts through datasketch's MinHashLSH and through this package, on one core.
``scale``: fingerprints drawn at random, with copies of all kinds among them, through a whole store.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sparse
import xxhash
from scipy.sparse.csgraph import connected_components

import provenance as pv
from provenance import schema
from provenance.text.fold import fold_reference
from provenance.text.tokens import tokens_reference

SEED = 7
THRESHOLD = 0.7
LONGEST = 400
"""Words of a text that copies are made of."""
KINDS = ("words replaced", "runs replaced", "block replaced", "words deleted", "words added", "cut", "extended")


def real_texts(shared, count, source, least=30):
    texts = []
    for path in sorted((shared / "data" / "labelled").glob("*/*.parquet")):
        column = pq.read_table(path, columns=["text"]).column("text").to_pylist()
        texts += [text for text in source.sample(column, min(len(column), 2500)) if text and len(text.split()) >= least]
    texts = list(dict.fromkeys(" ".join(text.split()[:LONGEST]) for text in texts))
    return source.sample(texts, min(count, len(texts)))


def shingles(text):
    words = tokens_reference(fold_reference(text))
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()


def runs(text):
    """Nearly the shingles, and faster: what edits aim at, not what is judged by."""
    words = text.lower().split()
    return {hash(tuple(words[i : i + 5])) for i in range(max(1, len(words) - 4))}


def jaccard(left, right):
    return len(left & right) / len(left | right) if left or right else 1.0


def edited(text, kind, strength, vocabulary, seed):
    """Change a share of a text's words."""
    source, words = random.Random(seed), text.split()
    count = max(1, round(strength * len(words)))
    if kind == "words replaced":
        for place in source.sample(range(len(words)), min(count, len(words))):
            words[place] = source.choice(vocabulary)
    elif kind == "runs replaced":
        while count > 0:
            size = min(count, source.randint(3, 10))
            start = source.randrange(max(1, len(words) - size + 1))
            words[start : start + size] = source.choices(vocabulary, k=size)
            count -= size
    elif kind == "block replaced":
        start = source.randrange(max(1, len(words) - count + 1))
        words[start : start + count] = source.choices(vocabulary, k=count)
    elif kind == "words deleted":
        gone = set(source.sample(range(len(words)), min(count, len(words) - 1)))
        words = [word for place, word in enumerate(words) if place not in gone]
    elif kind == "words added":
        for _ in range(count):
            words.insert(source.randrange(len(words) + 1), source.choice(vocabulary))
    elif kind == "cut":
        words = words[: max(1, len(words) - count)]
    else:
        words += source.choices(vocabulary, k=count)
    return " ".join(words)


def copy_of(text, target, vocabulary, source, steps):
    """Return a copy whose similarity is near a target, the kind of its edits, and the similarity it has."""
    kind, seed, known = source.choice(KINDS), source.random(), runs(text)
    low, high, best = 0.0, 0.9, None
    for _ in range(steps):
        strength = (low + high) / 2
        copy = edited(text, kind, strength, vocabulary, seed)
        similarity = jaccard(known, runs(copy))
        if best is None or abs(similarity - target) < abs(best[2] - target):
            best = (copy, kind, similarity)
        low, high = (strength, high) if similarity > target else (low, strength)
    return best


def planted(shared, count, near, source, steps=6):
    """Return texts of which about half are copies, and the planted pairs: (place, place, kind, similarity)."""
    texts = real_texts(shared, count, source)
    vocabulary = [word for text in texts[:300] for word in text.split()]
    rows, pairs = [], []
    for text in texts:
        first = len(rows)
        rows.append(text)
        for _ in range(source.choice((0, 0, 1, 1, 1, 1, 2, 5))):
            target = source.uniform(0.6, 0.8) if source.random() < near else source.uniform(0.3, 1.0)
            copy, kind, similarity = copy_of(text, target, vocabulary, source, steps)
            pairs.append((first, len(rows), kind, similarity))
            rows.append(copy)
    order = list(range(len(rows)))
    source.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    return [rows[old] for old in order], [(place[a], place[b], kind, j) for a, b, kind, j in pairs]


def similar_pairs(texts, least):
    """All pairs of texts of at least this similarity, by brute force: int64 ``(n, 2)`` and their similarities."""
    names, indices, ends = {}, [], [0]
    for text in texts:
        indices += [names.setdefault(shingle, len(names)) for shingle in shingles(text)]
        ends.append(len(indices))
    matrix = sparse.csr_matrix((np.ones(len(indices), np.int32), indices, ends), shape=(len(texts), max(len(names), 1)))
    sizes, other = np.diff(matrix.indptr), matrix.T.tocsr()
    found = []
    for start in range(0, len(texts), 500):
        product = (matrix[start : start + 500] @ other).tocoo()
        left, right, shared = product.row + start, product.col, product.data
        similarity = shared / (sizes[left] + sizes[right] - shared)
        kept = (left < right) & (similarity >= least)
        found.append(np.stack([left[kept], right[kept], similarity[kept]], axis=1))
    pairs = np.concatenate(found)
    return pairs[:, :2].astype(np.int64), pairs[:, 2]


def components(pairs, count):
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def pairs_within(groups):
    sizes = np.unique(groups, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def judged(name, texts, folder):
    """Scan texts, find their clusters with and without reading again, and print both beside the truth."""
    folder.mkdir(parents=True)
    path, store = folder / "texts.jsonl", folder / "store"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    scan = pv.scan(path, store=store, jobs=1)
    pairs, similarity = similar_pairs(texts, THRESHOLD)
    truth = components(pairs, len(texts))
    if scan.records != len(texts):
        raise SystemExit(f"{scan.records} records of {len(texts)} texts")
    for verify in (False, True):
        began = time.process_time()
        result = pv.dedup(scan.name, verify=verify, store=store, jobs=1)
        seconds = time.process_time() - began
        rows = pv.Store(store).sql(
            "select coalesce(cluster_id, record_id) from observations left join duplicates using (scan_id, record_id) "
            "order by position"
        )
        groups = np.unique([row[0] for row in rows.fetchall()], return_inverse=True)[1]
        together = groups[pairs[:, 0]] == groups[pairs[:, 1]]
        both = np.unique(np.stack([truth, groups], axis=1), axis=0, return_inverse=True)[1]
        near = f"{together[similarity < 0.8].mean():.3%}" if (similarity < 0.8).any() else "–"
        print(
            f"| {name} | {len(texts):,} | {len(pairs):,} | {'yes' if verify else 'no'} | {together.mean():.3%} | "
            f"{near} | {pairs_within(both.ravel()) / max(pairs_within(groups), 1):.3%} | "
            f"{result.clusters:,} | {result.read_pairs:,} | {seconds:.1f} s |",
            flush=True,
        )


def recall(shared, work):
    source = random.Random(SEED)
    print(
        "| corpus | texts | pairs ≥ 0.7 | texts read again | of them in one cluster | of those below 0.8 | "
        "pairs in a cluster that belong together | clusters | pairs read | CPU |"
    )
    print("|---|--:|--:|---|--:|--:|--:|--:|--:|--:|")
    for name, near in (("planted, 0.6 to 0.8", 1.0), ("planted, 0.3 to 1", 0.0)):
        texts, pairs = planted(shared, 3000, near, source)
        print(name, len(pairs), "planted pairs", file=sys.stderr)
        judged(name, texts, work / name.split()[-1])
    folder = shared / "data" / "duplicates"
    articles = pq.read_table(folder / "minhash_articles_1000.parquet").column("text").to_pylist()
    judged("minhash_articles_1000", articles, work / "articles")
    licences = pq.read_table(folder / "scancode_licence_clusters.parquet").column("text").to_pylist()
    judged("scancode_licence_clusters", licences, work / "licences")


def rival(shared, count):
    """The same texts through datasketch and through this package."""
    from datasketch import MinHash, MinHashLSH

    source = random.Random(SEED)
    texts, pairs = planted(shared, count * 10 // 23, 0.5, source, steps=3)
    texts = texts[:count]
    pairs = [pair for pair in pairs if max(pair[:2]) < len(texts)]
    print(
        f"{len(texts):,} texts, {sum(map(len, texts)) / 1e6:.1f} M characters, {len(pairs):,} planted pairs", flush=True
    )
    print("| way | sketches | clusters | planted pairs ≥ 0.7 found | planted pairs < 0.7 joined by themselves |")
    print("|---|--:|--:|--:|--:|")

    def report(name, first, second, groups, similarities):
        alone = {}
        for a, b, *_ in pairs:
            alone[a] = alone.get(a, 0) + 1
            alone[b] = alone.get(b, 0) + 1
        judged = list(zip(pairs, similarities, strict=True))
        true = [groups[a] == groups[b] for (a, b, *_), j in judged if j >= THRESHOLD]
        false = [groups[a] == groups[b] for (a, b, *_), j in judged if j < THRESHOLD and alone[a] == alone[b] == 1]
        print(f"| {name} | {first:.1f} s | {second:.1f} s | {np.mean(true):.2%} | {np.mean(false):.2%} |", flush=True)

    ours(texts[:2000])
    exact = by_tokens(texts, pairs)
    report("provenance, fingerprints alone", *ours(texts, read=False), exact)
    report("provenance, texts near the threshold read", *ours(texts), exact)
    began = time.process_time()
    sketches = []
    for text in texts:
        words = text.lower().split()
        sketch = MinHash(num_perm=128, seed=1, hashfunc=xxhash.xxh32_intdigest)
        grams = {" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))}
        sketch.update_batch(grams)
        sketches.append(sketch)
    first = time.process_time() - began
    began = time.process_time()
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    parent = list(range(len(texts)))

    def find(row):
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for row, sketch in enumerate(sketches):
        for other in index.query(sketch):
            if sketch.jaccard(sketches[other]) >= THRESHOLD:
                parent[find(row)] = find(other)
        index.insert(row, sketch)
    groups = [find(row) for row in range(len(texts))]
    report(
        f"datasketch, MinHashLSH {index.b}×{index.r}",
        first,
        time.process_time() - began,
        groups,
        [pair[3] for pair in pairs],
    )


def by_tokens(texts, pairs):
    """The similarity of planted pairs over folded tokens; that over words as datasketch gets them is in ``pairs``."""
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    tokens = tokenize(fold(pa.array(texts, pa.large_string())))
    lists = [tokens.hashes[start:end].tolist() for start, end in itertools.pairwise(tokens.offsets)]
    sets = [{tuple(row[i : i + 5]) for i in range(max(1, len(row) - 4))} for row in lists]
    return [jaccard(sets[a], sets[b]) for a, b, *_ in pairs]


def ours(texts, read=True):
    """Seconds for fingerprints, seconds for clusters, and the cluster of each text."""
    from provenance.fingerprint import content_checks, fingerprint, pack
    from provenance.fingerprint.minhash import gram_powers
    from provenance.pipeline.dedup import clusters, settle
    from provenance.pipeline.dedup import texts as reading
    from provenance.pipeline.dedup.sketches import load
    from provenance.pipeline.dedup.texts.kernel import shingle_sets
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.process_time()
        with pq.ParquetWriter(folder / "part.parquet", schema.FINGERPRINTS, compression="zstd") as writer:
            for start in range(0, len(texts), 4096):
                folded = fold(pa.array(texts[start : start + 4096], pa.large_string()))
                ids = [f"{row:032x}" for row in range(start, start + len(folded))]
                writer.write_batch(pack(fingerprint(tokenize(folded)), ids, content_checks(folded)))
        first = time.process_time() - began
        began = time.process_time()
        stored = load([folder / "part.parquet"], folder)
        found = clusters.link(stored, THRESHOLD)
        known = reading.none(len(stored))
        if read:  # as `texts.read_shingles` does, without a reader
            wanted = np.unique(np.concatenate((found.lefts, found.rights)))
            tokens = tokenize(fold(pa.array([texts[row] for row in wanted], pa.large_string())))
            ends, sets = np.empty(len(wanted), np.int64), np.empty(len(tokens.hashes) + 1, np.uint32)
            shingle_sets(tokens.hashes, tokens.offsets, gram_powers(5), sets, ends)
            known.text_of[wanted] = np.arange(len(wanted))
            known = reading.Shingles(known.text_of, sets, np.append(0, ends[:-1]), ends, ())
        settle(found, known, THRESHOLD)
        return first, time.process_time() - began, found.roots()


def scale(records, work):
    """A store of random fingerprints: a tenth equal copies, a fifth near copies, and pages of a few templates."""
    store = make_store(records, work)
    size = sum(path.stat().st_size for path in (work / "store").rglob("*.parquet")) / 1e6
    print(f"{records:,} records, {size:,.0f} MB of parts", flush=True)
    watch = Watch()
    began, cpu = time.perf_counter(), time.process_time()
    result = pv.dedup("drawn", verify=False, store=store, jobs=1)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    anonymous, mapped = watch.stop()
    print(
        f"{result.clusters:,} clusters of {result.clustered:,} records ({result.equal:,} equal), "
        f"{result.compared:,} pairs compared, {result.open_pairs:,} open, {result.crowded:,} crowded: "
        f"{wall:.1f} s, CPU {cpu:.1f} s"
    )
    print(
        f"peak above start: {anonymous / 1e6:,.0f} MB anonymous ({anonymous / records:,.0f} bytes a record), "
        f"{mapped / 1e6:,.0f} MB of mapped files; "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:,.0f} MB resident in all"
    )


class Watch:
    """Peak of anonymous and of file pages of this process, above what they were."""

    def __init__(self):
        self.start, self.peak, self.ended = self.read(), (0, 0), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def read(self):
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return tuple(int(lines[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))

    def run(self):
        while not self.ended.wait(0.05):
            self.peak = tuple(max(a, b - c) for a, b, c in zip(self.peak, self.read(), self.start, strict=True))

    def stop(self):
        self.ended.set()
        self.thread.join()
        return self.peak


def make_store(records, work):
    from provenance import policy
    from provenance.store import Store, write_part

    shutil.rmtree(work / "store", ignore_errors=True)
    store = Store.create(work / "store")
    draw, parts, rows = np.random.default_rng(SEED), [], 200_000
    templates = drawn(draw, 5)
    for start in range(0, records, rows):
        count = min(rows, records - start)
        fingerprints, observations = batch_of(draw, templates, start, count)
        for kind, table in (("fingerprints", fingerprints), ("observations", observations)):
            parts.append(write_part(store.root, kind, "drawn", f"{start:09d}", table))
    with store.commit("scan") as commit:
        policy_id = commit.add_policy(policy.load("default"))
        commit.insert("scans", [{"scan_id": "drawn", "name": "drawn", "state": "finished", "configuration": {}}])
        commit.insert("scan_policies", [{"scan_id": "drawn", "policy_id": policy_id}])
        source = {"source_id": "drawn", "scan_id": "drawn", "uri": "drawn", "read": records, "records": records}
        commit.insert("sources", [{**source, "rejects": 0, "skipped": 0}])
        for part in parts:
            commit.add_part(part)
    return store.root


def drawn(draw, count):
    return draw.integers(0, 1 << 32, (count, 25), np.uint32), draw.integers(0, 1 << 32, (count, 40), np.uint32)


def batch_of(draw, templates, start, count):
    """Fingerprints of 40 passages each. By number: 0 to 6 single, 7 equal copy, 8, 9 near copy; 2 % of a template."""
    bands, passages = drawn(draw, count)
    checks = draw.integers(0, 1 << 63, (count, 2), np.uint64)
    kind = np.arange(count) % 10
    first = draw.integers(0, max(count // 50, 1), count) * 10 % count
    equal, near = np.flatnonzero(kind == 7), np.flatnonzero(kind >= 8)
    bands[equal], passages[equal], checks[equal] = bands[first[equal]], passages[first[equal]], checks[first[equal]]
    likeness = draw.uniform(0.5, 1.0, len(near))[:, None]
    bands[near] = np.where(draw.random((len(near), 25)) < likeness**5, bands[first[near]], bands[near])
    passages[near] = np.where(
        draw.random((len(near), 40)) < 2 * likeness / (1 + likeness), passages[first[near]], passages[near]
    )
    page = np.flatnonzero(np.arange(count) % 50 == 3)
    of = draw.integers(0, len(templates[0]), len(page))
    likeness = draw.choice((0.5, 0.7, 0.9), len(page))[:, None]
    bands[page] = np.where(draw.random((len(page), 25)) < likeness**5, templates[0][of], bands[page])
    passages[page] = np.where(draw.random((len(page), 40)) < likeness, templates[1][of], passages[page])
    ids = [xxhash.xxh3_128_hexdigest(str(start + row).encode()) for row in range(count)]
    offsets = pa.py_buffer((np.arange(count + 1) * 160).astype(np.int32))
    fingerprints = pa.table(
        [
            pa.array(ids),
            pa.Array.from_buffers(pa.binary(16), count, [None, pa.py_buffer(checks)]),
            pa.array(np.full(count, 320, np.int32)),
            pa.Array.from_buffers(
                pa.binary(),
                count,
                [None, pa.py_buffer((np.arange(count + 1) * 100).astype(np.int32)), pa.py_buffer(bands)],
            ),
            pa.Array.from_buffers(pa.binary(), count, [None, offsets, pa.py_buffer(passages)]),
            pa.array([b"\x08" * 40] * count, pa.binary()),
        ],
        schema=schema.FINGERPRINTS,
    )
    constant = {
        "scan_id": "drawn",
        "source_id": "drawn",
        "date_origin": "container",
        "language": "en",
        "text_kind": "prose",
        "chars": 1900,
        "words": 320,
        "recovered": False,
        "evidence": [],
        "rights": None,
        "content_id": "0" * 32,
    }
    times = (1_600_000_000_000_000 + (np.arange(start, start + count) * 977 % 100_000_000) * 1_000_000).astype(
        "datetime64[us]"
    )
    columns = {
        "record_id": pa.array(ids),
        "position": pa.array(np.arange(start, start + count)),
        "captured_at": pa.array(times, schema.TIMESTAMP),
    }
    observations = pa.table(
        [
            columns[field.name]
            if field.name in columns
            else pa.repeat(pa.scalar(constant.get(field.name), field.type), count)
            for field in schema.OBSERVATIONS
        ],
        schema=schema.OBSERVATIONS,
    )
    return fingerprints, observations


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("recall", "rival", "scale"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"), help="folder that holds data/labelled")
    parser.add_argument("--records", type=int, default=1_000_000, help="of scale; texts of rival are 50,000")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dedup-") as work:
        if options.what == "recall":
            recall(options.shared, Path(work))
        elif options.what == "rival":
            rival(options.shared, 50_000)
        else:
            scale(options.records, Path(work))


if __name__ == "__main__":
    main()
