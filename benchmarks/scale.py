"""Measure a scan of many records: memory, speed, commits, size of the store, and SQL while it runs and after.

``--shared ../shared --records 2000000`` makes JSONL files by shuffling and cutting the sentences of real texts,
registers generations of which one record in a hundred holds a copy, and scans with one and with two jobs. Each scan
runs in a process of its own, watched through ``/proc`` (so on Linux only) and queried from here all the while.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

import provenance as pv

SEED = 4
FILES = 8
COPIED = 100
"""One record in so many holds a registered text."""
HOSTS = 20_000
QUERIES = {
    "tag, reason": "select tag, reason, count(*) from records group by all order by all",
    "tag, host": "select tag, host, count(*) from records group by all order by 3 desc, 1, 2 limit 20",
}


def real_texts(shared, pool, label):
    texts = []
    for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
        table = pq.read_table(path, columns=["text", "label"]).to_pylist()
        texts += [row["text"] for row in table if row["text"] and row["label"] == label and len(row["text"]) > 400]
    return texts


def sentences_of(text):
    return [piece for piece in re.split(r"(?<=[.!?。])\s+", text) if piece]


def make(shared, folder, records):
    """Write the input: every record takes sentences of one text, cut and shuffled, until it has 100 to 200 words."""
    source = random.Random(SEED)
    people, models = real_texts(shared, "train", "human"), real_texts(shared, "train", "synthetic")
    known = source.sample(real_texts(shared, "dev", "synthetic"), 2000)
    pools = [sentences_of(text) for text in source.sample(people, 12_000) + source.sample(models, 6_000)]
    pools = [pool for pool in pools if len(pool) >= 4]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "known.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in known)
    total = 0
    for number in range(FILES):
        with (folder / f"part-{number}.jsonl").open("w", encoding="utf-8") as file:
            for serial in range(number, records, FILES):
                text = source.choice(known)[:1200] if serial % COPIED == 0 else varied(source, pools)
                total += len(text.encode())
                host = int(HOSTS * source.random() ** 3)
                row = {
                    "id": f"r{serial}",
                    "url": f"https://host{host}.example/page/{serial}",
                    "date_download": f"{2015 + serial % 11}-0{1 + serial % 9}-11T00:00:00Z",
                    "text": text,
                }
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "size.json").write_text(json.dumps({"records": records, "text_bytes": total}))


def varied(source, pools):
    wanted, words, taken = source.randint(100, 200), 0, []
    while words < wanted:
        pool = source.choice(pools)
        start = source.randrange(len(pool))
        piece = pool[start : start + 6]
        source.shuffle(piece)
        for sentence in piece:
            taken.append(sentence[:400])
            words += sentence.count(" ") + 1
            if words >= wanted:
                break
    return " ".join(taken)


def scan_process(folder, store, jobs):
    """What the watched process does: scan, and say how long it and each commit took."""
    from provenance.store import Store

    commits = []
    plain = Store.commit

    @contextlib.contextmanager
    def timed(self, note, *more, **options):
        begin = time.perf_counter()
        with plain(self, note, *more, **options) as commit:
            yield commit
        commits.append(time.perf_counter() - begin)

    Store.commit = timed
    sources = sorted(folder.glob("part-*.jsonl"))
    result = pv.scan(sources, store=store, jobs=jobs, name="scale")
    failed = [source.error for source in result.sources if source.error]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    figures = {
        "seconds": result.seconds,
        "processor": sum(who.ru_utime + who.ru_stime for who in used),
        "records": result.records,
        "commits": commits,
        "parts": result.parts,
        "failed": failed,
    }
    print(json.dumps(figures))


def children(parent):
    found = [parent]
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def memory(process):
    """Anonymous and all resident memory, and the peak of the latter, in MB."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        figures = dict(re.findall(r"(RssAnon|VmRSS|VmHWM):\s+(\d+)", status))
        if figures:
            return [int(figures[name]) / 1024 for name in ("RssAnon", "VmRSS", "VmHWM")]
    return None


def watch(child, store, interval):
    """Sample memory and ask for counts until the scan ends."""
    samples, answers, failures = [], [], []
    begin = time.monotonic()
    asked = begin
    while child.poll() is None:
        samples += [
            (time.monotonic() - begin, pid == child.pid, pid, *found)
            for pid in children(child.pid)
            if (found := memory(pid))
        ]
        if (store / "CURRENT").exists() and time.monotonic() - asked >= interval:
            asked = time.monotonic()
            try:
                rows = pv.Store(store).sql("select tag, reason, count(*) from records group by all").fetchall()
                answers.append((time.monotonic() - asked, sum(row[2] for row in rows)))
            except Exception as error:  # a benchmark wants to hear of any failure
                failures.append(repr(error))
        time.sleep(0.25)
    return samples, answers, failures


def measure(folder, store, jobs, interval):
    size = json.loads((folder / "size.json").read_text())
    shutil.rmtree(store, ignore_errors=True)
    pv.register(folder / "known.jsonl", label="synthetic", model="bench-model", store=store)
    command = [sys.executable, __file__, "--scan", str(folder), str(store), str(jobs)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    samples, answers, failures = watch(child, store, interval)
    output = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"the scan failed with exit code {child.returncode}")
    done = json.loads(output.splitlines()[-1])
    show(size, done, jobs, samples, answers, failures)
    return done["records"]


def show(size, done, jobs, samples, answers, failures):
    seconds, commits, text = done["seconds"], sorted(done["commits"]), size["text_bytes"] / 1e6
    print(f"\n## {done['records']:,} records, {text:,.0f} MB of text, {jobs} job(s)")
    print(
        f"scan {seconds:.1f} s: {text / seconds:.2f} MB/s of text, {done['records'] / seconds:,.0f} records/s; "
        f"{done['processor']:.1f} s of processor: {text / done['processor']:.2f} MB/s of one core; "
        f"{done['parts']} parts, failed: {done['failed'] or 'none'}"
    )
    print(
        f"commits: {len(commits)}, median {1000 * commits[len(commits) // 2]:.0f} ms, "
        f"longest {1000 * commits[-1]:.0f} ms"
    )
    length = max(row[0] for row in samples)
    for name, of_parent in (("parent", True), ("workers", False)):
        mine = [row for row in samples if row[1] == of_parent]
        if mine:
            quarters = [max((row[3] for row in mine if int(4 * row[0] / length) == k), default=0) for k in range(4)]
            print(
                f"{name}: peak resident {max(row[5] for row in mine):.0f} MB, peak anonymous "
                f"{max(row[3] for row in mine):.0f} MB, by quarter of the run "
                f"{', '.join(f'{q:.0f}' for q in quarters)} MB"
            )
    times = sorted(elapsed for elapsed, _ in answers)
    if times:
        counts = [count for _, count in answers]
        print(
            f"queries during the scan: {len(times)} answered, {len(failures)} failed, median "
            f"{times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s, counts never fell: {counts == sorted(counts)}"
        )
    for failure in failures[:5]:
        print("  failed:", failure)


def sizes(store, records):
    with contextlib.closing(duckdb.connect(str(pv.Store(store).current), read_only=True)) as connection:
        query = "select kind, count(*), sum(rows), sum(bytes) from parts group by 1 order by 1"
        rows = connection.execute(query).fetchall()
    for kind, parts, count, amount in rows:
        print(f"{kind}: {parts} parts, {count:,} rows, {amount / 1e6:.1f} MB, {amount / records:.1f} bytes a record")
    for name in ("catalogue", "index"):
        amount = sum(path.stat().st_size for path in (store / name).rglob("*") if path.is_file())
        print(f"{name}: {amount / 1e6:.1f} MB")
    total = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    print(f"store in all: {total / 1e6:.1f} MB, {total / records:.1f} bytes a record")


def questions(store):
    for name, query in QUERIES.items():
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            pv.Store(store).sql(query).fetchall()
            times.append(time.perf_counter() - begin)
        print(f"group by {name}: {', '.join(f'{t:.2f}' for t in times)} s")
    peak = memory("self")
    print(f"this process, which asked: peak resident {peak[2]:.0f} MB")


def main():
    if sys.argv[1:2] == ["--scan"]:
        folder, store, jobs = sys.argv[2:]
        scan_process(Path(folder), Path(store), int(jobs))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/labelled")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between queries during the scan")
    parser.add_argument("--work", type=Path, help="keep input and store in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        work = options.work or Path(temporary)
        folder = work / f"input-{options.records}"
        if not (folder / "size.json").exists():
            begin = time.monotonic()
            make(options.shared, folder, options.records)
            print(f"input made in {time.monotonic() - begin:.0f} s", file=sys.stderr)
        for jobs in options.jobs:
            store = work / f"store-{options.records}-{jobs}"
            records = measure(folder, store, jobs, options.interval)
            sizes(store, records)
            questions(store)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
