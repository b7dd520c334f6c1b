"""Measure the reference index against its size: look-ups, memory, merging, and growing while it is read.

``python benchmarks/index_scale.py FOLDER [REFERENCES]`` builds indexes of 10,000, 100,000 and 1,000,000 references and
one of REFERENCES (10 million if left out, in segments of one million, then compacted) under FOLDER, which needs 2 KB
for each, times look-ups in all of them, adds a million references to the largest while another process asks it, and
prints Markdown. A reference is 128 random words with a random signature and its true passages. One record in a hundred
holds 60 words of a reference. Times of look-ups are processor time; the rest is wall time.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from provenance.fingerprint import Fingerprints
from provenance.fingerprint.passages import winnow
from provenance.index import Index, ReferenceBatch, build, build_segment, compact, kernel
from provenance.text.tokens import Tokens

WORDS = 128
RECORD_WORDS = 300
COPIED = 60
SEGMENT = 1_000_000
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)


def drawn(source, size, words):
    """Fingerprints of random texts."""
    tokens = Tokens(np.arange(size + 1) * words, source.integers(0, 1 << 32, size * words, dtype=np.uint32))
    signatures = source.integers(0, 1 << 32, (size, 128), dtype=np.uint32)
    return Fingerprints(tokens, signatures, *winnow(tokens))


def references(source, size, name):
    checks = [source.bytes(16) for _ in range(size)]
    ids = [check.hex() for check in checks]
    return ReferenceBatch(ids, name, "synthetic", ids, checks, drawn(source, size, WORDS))


def anonymous(which="RssAnon"):
    """Anonymous resident memory of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) // 1024


def make(folder, size):
    """Build an index of so many references; return its segments and how long each took."""
    place = Path(folder) / str(size)
    done = place / "segments.json"
    if not done.exists():
        names, seconds = [], []
        for part in range(-(-size // SEGMENT)):
            batch = references(np.random.default_rng([size, part]), min(SEGMENT, size), f"set-{part}")
            start = time.perf_counter()
            names.append(build_segment(place, batch).id)
            seconds.append(round(time.perf_counter() - start, 1))
        done.write_text(json.dumps({"segments": names, "seconds": seconds}))
    return json.loads(done.read_text())


def merge(folder, size, *names):
    """Compact segments; print seconds and the peak of anonymous memory (sampled, in MB)."""
    import threading

    place, peak, over = Path(folder) / str(size), [0], threading.Event()

    def watch():
        while not over.wait(0.05):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, before = time.perf_counter(), time.process_time()
    merged = compact(place, names)
    spent = {"seconds": time.perf_counter() - start, "processor": time.process_time() - before}
    over.set()
    watcher.join()
    spent = {key: round(value, 1) for key, value in spent.items()}
    print(json.dumps({"id": merged.id, **spent, "peak MB": peak[0], "bytes": merged.bytes}))


def records(source, segment, size):
    """Random records; in one of a hundred 60 words of a reference."""
    hashes = source.integers(0, 1 << 32, size * RECORD_WORDS, dtype=np.uint32)
    for row in range(0, size, 100):
        at = int(source.integers(0, segment.texts)) * WORDS + 30
        hashes[row * RECORD_WORDS + 90 : row * RECORD_WORDS + 90 + COPIED] = segment["tokens"][at : at + COPIED]
    tokens = Tokens(np.arange(size + 1) * RECORD_WORDS, hashes)
    checks = [source.bytes(16) for _ in range(size)]
    signatures = source.integers(0, 1 << 32, (size, 128), dtype=np.uint32)
    return Fingerprints(tokens, signatures, *winnow(tokens)), [check.hex() for check in checks], checks


def times_of(call, batches):
    """Run ``call`` on each batch; return processor seconds, those of the first few left out."""
    spent = []
    for batch in batches:
        start = time.thread_time()
        call(*batch)
        spent.append(time.thread_time() - start)
    return spent[len(spent) // 3 :]


def ask(folder, size, *names):
    """Time look-ups in an index; print figures as JSON."""
    source = np.random.default_rng(7)
    start = time.perf_counter()
    index = Index.open(Path(folder) / str(size), names)
    found = {"open ms": (time.perf_counter() - start) * 1000}
    segment = index.shelves[0].segment
    for kind in ("band", "passage"):
        held = sum(array.nbytes for key, array in segment.arrays.items() if key.startswith(kind))
        found[f"{kind} bytes"] = held / len(segment[f"{kind}_keys"])
    found["GB"] = sum(shelf.segment.bytes for shelf in index.shelves) / 1e9
    for kind in ("band", "passage"):
        parts = 25 if kind == "band" else 1
        keys, directory = segment[f"{kind}_keys"].reshape(parts, -1), segment[f"{kind}_directory"].reshape(parts, -1)
        bits = build.directory_bits(keys.shape[1], 2 if kind == "band" else 3)
        for batch in (25_000, 1_000_000):
            shape = (parts, batch // parts)
            drawn_keys = (source.integers(0, 1 << 32, shape, dtype=np.uint32) for _ in range(200 if batch < 1e5 else 9))
            asked = ((keys, directory, bits, queries, *np.zeros((2, *shape), int)) for queries in drawn_keys)
            spent = times_of(kernel.find_in_partitions, asked)
            found[f"{kind} M/s in {batch}"] = batch / np.median(spent) / 1e6
    for batch in (1000, 4096):
        spent = times_of(index.match, (records(source, segment, batch) for _ in range(90)))
        found[f"match ms of {batch}"] = np.median(spent) * 1000
        found[f"match p90 ms of {batch}"] = np.quantile(spent, 0.9) * 1000
    found["anonymous MB"] = anonymous()
    rows = set(index.match(*records(source, segment, 4096))["row"].to_pylist())
    found["copies found"] = len(rows & set(range(0, 4096, 100))) / 41
    found["others found"] = len(rows - set(range(0, 4096, 100)))
    print(json.dumps({key: round(float(value), 3) for key, value in found.items()}))


def sub(*arguments):
    """Run one step in a process of its own; return what it printed."""
    out = subprocess.run([sys.executable, __file__, *map(str, arguments)], check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


def grow(folder, size):
    """Add a million references while another process asks the index; print seconds and delays."""
    place = Path(folder) / str(size)
    names = json.loads((place / "segments.json").read_text())["segments"]
    reader = subprocess.Popen([sys.executable, __file__, "watch", str(folder), str(size)], stdout=subprocess.PIPE)
    reader.stdout.readline()
    batch = references(np.random.default_rng(99), SEGMENT, "added")
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    added = build_segment(place, batch).id
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    (place / "stop").touch()
    waits = json.loads(reader.stdout.read())
    (place / "stop").unlink()
    index = Index.open(place, [*names, added])
    one = [batch.reference_ids[5]]
    fp = Fingerprints(
        Tokens(np.array([0, WORDS]), batch.fingerprints.tokens.hashes[5 * WORDS : 6 * WORDS]),
        batch.fingerprints.signatures[5:6],
        np.zeros(2, np.int64),
        *np.zeros((2, 0), np.uint32),
    )
    seen = index.match(fp, one, [bytes.fromhex(one[0])])["set_id"].to_pylist()
    shutil.rmtree(place / added)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": round(seconds, 1), "processor": round(spent, 1), "seen": seen, **waits}))


def watch(folder, size):
    """Match batches of 1,000 against a snapshot until told to stop; print how long they took."""
    place = Path(folder) / str(size)
    index = Index.open(place, json.loads((place / "segments.json").read_text())["segments"])
    source = np.random.default_rng(8)
    batches = [records(source, index.shelves[0].segment, 1000) for _ in range(30)]
    for batch in batches:
        index.match(*batch)
    print("ready", flush=True)
    waits = []
    while not (place / "stop").exists():
        start = time.perf_counter()
        index.match(*batches[len(waits) % 30])
        waits.append(time.perf_counter() - start)
        time.sleep(0.02)
    milliseconds = np.array(waits) * 1000
    print(json.dumps({"answered": len(waits), "median ms": round(float(np.median(milliseconds)), 1),
                      "p99 ms": round(float(np.quantile(milliseconds, 0.99)), 1),
                      "longest ms": round(float(milliseconds.max()), 1)}))  # fmt: skip


def everything(folder, largest=SIZES[-1]):
    Path(folder).mkdir(parents=True, exist_ok=True)
    largest = int(largest)
    columns = {}
    for size in [size for size in SIZES if size < largest] + [largest]:
        made = sub("make", folder, size)
        print(f"{size:,} references: {len(made['segments'])} segments, built in {made['seconds']} s", flush=True)
        if len(made["segments"]) > 1:
            columns[f"{size:,} in {len(made['segments'])}"] = sub("ask", folder, size, *made["segments"])
            merged = sub("merge", folder, size, *made["segments"])
            print(f"compacted: {merged}", flush=True)
            for name in made["segments"]:
                shutil.rmtree(Path(folder) / str(size) / name)
            made["segments"] = [merged["id"]]
            (Path(folder) / str(size) / "segments.json").write_text(json.dumps(made))
        columns[f"{size:,}"] = sub("ask", folder, size, *made["segments"])
    print("\n| | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
    for row in next(iter(columns.values())):
        print(f"| {row} | " + " | ".join(f"{column[row]:.4g}" for column in columns.values()) + " |")
    print(f"\nAdding {SEGMENT:,} references to {largest:,}: {sub('grow', folder, largest)}")


if __name__ == "__main__":
    steps = {"make": lambda *a: print(json.dumps(make(a[0], int(a[1])))), "merge": merge, "ask": ask}
    steps |= {"grow": grow, "watch": watch}
    verb, *more = sys.argv[1:]
    if verb in steps:
        steps[verb](*more)
    else:
        everything(verb, *more)
