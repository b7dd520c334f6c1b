"""Measure a registration that comes late: known texts against millions of records that were scanned before.

``--shared ../shared --records 5000000`` writes Parquet files of records of 60 to 100 words, put together from the
sentences of real texts, scans them, registers 10,000 real generations of which some hundreds of records hold copies,
and waits until ``records`` shows them. The registration runs in a process of its own, on one processor, watched
through ``/proc`` (so on Linux only). ``--work DIR`` keeps input and store, and scans only once.
"""

from __future__ import annotations

import argparse
import json
import os
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
import pyarrow.compute as pc
import pyarrow.parquet as pq

import provenance as pv

SEED = 7
FILES = 20
ROW_GROUP = 50_000
KINDS = ("copy", "third", "edited")
"""Planted records: a whole text; 60 words of one behind other text; a whole text, a tenth of its words replaced."""
QUERY = """
select count(*) filter (where starts_with(reason, 'match:')) as found, count(*) as records from records
"""


def real_texts(shared, pool, label):
    texts = []
    for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
        table = pq.read_table(path, columns=["text", "label"]).to_pylist()
        texts += [row["text"] for row in table if row["text"] and row["label"] == label and len(row["text"]) > 600]
    return texts


def sentences_of(texts):
    pieces = {piece for text in texts for piece in re.split(r"(?<=[.!?。])\s+", text)}
    return sorted(piece[:300] for piece in pieces if 8 <= piece.count(" ") <= 40)


def make(shared, folder, records, references, planted):
    """Write the texts to be registered, and the files to be scanned, with copies at known places."""
    source = random.Random(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    known = source.sample(sorted(set(real_texts(shared, "dev", "synthetic"))), references)
    pq.write_table(pa.table({"text": known}), folder / "known.parquet")
    sentences = sentences_of(real_texts(shared, "train", "human") + real_texts(shared, "train", "synthetic"))
    lengths = np.array([sentence.count(" ") + 1 for sentence in sentences])
    pool = pa.array(sentences, pa.large_string())
    numbers = np.random.default_rng(SEED)
    copied = source.sample([text for text in known if text.count(" ") > 150], 3 * planted)
    places = dict(zip(source.sample(range(records), 3 * planted), range(3 * planted), strict=True))
    (folder / "scan").mkdir(exist_ok=True)
    written, text_bytes, words = 0, 0, 0
    for number in range(FILES):
        schema = pa.schema([("id", pa.string()), ("url", pa.string()), ("text", pa.large_string())])
        with pq.ParquetWriter(folder / "scan" / f"part-{number:02}.parquet", schema, compression="zstd") as file:
            end = records * (number + 1) // FILES
            while written < end:
                size = min(ROW_GROUP, end - written)
                texts, counts = drawn(pool, lengths, numbers, size)
                here = [place for place in range(written, written + size) if place in places]
                if here:
                    texts = texts.to_pylist()
                    for place in here:
                        text, at = copied[places[place]], place - written
                        texts[at] = plant(KINDS[places[place] % 3], text, texts[at], sentences, source)
                    texts = pa.array(texts, pa.large_string())
                serial = np.arange(written, written + size)
                ids = pc.binary_join_element_wise("r", pa.array(serial).cast(pa.string()), "")
                hosts = pa.array((20_000 * numbers.random(size) ** 3).astype(np.int64)).cast(pa.string())
                urls = pc.binary_join_element_wise("https://host", hosts, ".example/", ids, "")
                file.write_table(pa.table([ids, urls, texts], schema=schema), row_group_size=ROW_GROUP)
                text_bytes += pc.sum(pc.binary_length(texts)).as_py()
                words += int(counts.sum())
                written += size
    size = {"records": records, "references": references, "planted": 3 * planted, "text_bytes": text_bytes}
    (folder / "size.json").write_text(json.dumps({**size, "words": words}))


def drawn(pool, lengths, numbers, size):
    """Return texts of sentences drawn at random until there are 60 to 100 words, and how many words each has."""
    chosen = numbers.integers(0, len(pool), (8, size))
    ends = np.cumsum(lengths[chosen], axis=0)
    wanted = numbers.integers(60, 91, size)
    used = ends - lengths[chosen] < wanted
    columns = [
        pc.if_else(pa.array(used[k]), pc.take(pool, pa.array(chosen[k])), pa.scalar(None, pa.large_string()))
        for k in range(len(chosen))
    ]
    space = pa.scalar(" ", pa.large_string())
    return pc.binary_join_element_wise(*columns, space, null_handling="skip"), (lengths[chosen] * used).sum(axis=0)


def plant(kind, text, other, sentences, source):
    words = text.split()
    if kind == "copy":
        return text
    if kind == "third":
        start = source.randrange(len(words) - 60)
        return f"{other} {' '.join(words[start : start + 60])}"
    for place in source.sample(range(len(words)), len(words) // 10):
        words[place] = source.choice(source.choice(sentences).split())
    return " ".join(words)


def register_process(folder, store):
    """What the watched process does: register, then ask ``records``; says how long each took."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    begin, used = time.perf_counter(), time.process_time()
    result = pv.register(folder / "known.parquet", label="synthetic", model="bench-model", store=store)
    registered = time.perf_counter()
    found, records = pv.Store(store).sql(QUERY).fetchall()[0]
    shown = time.perf_counter()
    figures = {
        "register": registered - begin,
        "shown": shown - begin,
        "processor": time.process_time() - used,
        "found": found,
        "records": records,
        "references": result.references,
        "candidates": result.rematch.candidates,
        "verified": result.rematch.verified,
        "unverified": result.rematch.unverified,
    }
    print(json.dumps(figures))


def watched(command):
    """Run a command; return what it printed, and its peak of resident and anonymous memory in MB."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peaks = {"VmHWM": 0.0, "RssAnon": 0.0}
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
        except OSError:
            break
        for name, value in re.findall(r"(VmHWM|RssAnon):\s+(\d+)", status):
            peaks[name] = max(peaks[name], int(value) / 1024)
        time.sleep(0.1)
    output = child.communicate()[0]
    if child.returncode:
        raise SystemExit(f"the registration failed with exit code {child.returncode}")
    return json.loads(output.splitlines()[-1]), peaks


def main():
    if sys.argv[1:2] == ["--register"]:
        register_process(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/labelled")
    parser.add_argument("--records", type=int, default=5_000_000)
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--planted", type=int, default=200, help="copies of each kind")
    parser.add_argument("--jobs", type=int, help="for the scan that comes before")
    parser.add_argument("--repeat", type=int, default=1, help="register so many times, each in a copy of the store")
    parser.add_argument("--work", type=Path, help="keep input and store in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="register-") as temporary:
        work = options.work or Path(temporary)
        folder, store = work / f"input-{options.records}", work / f"store-{options.records}"
        if not (folder / "size.json").exists():
            begin = time.monotonic()
            make(options.shared, folder, options.records, options.references, options.planted)
            print(f"input made in {time.monotonic() - begin:.0f} s", file=sys.stderr)
        size = json.loads((folder / "size.json").read_text())
        scanned = pv.scan(sorted((folder / "scan").glob("*.parquet")), store=store, jobs=options.jobs, name="before")
        if not scanned.already_done:
            print(f"scanned in {scanned.seconds:.0f} s, {scanned.records / scanned.seconds:,.0f} records/s")
        print(
            f"{size['records']:,} records of {size['words'] / size['records']:.0f} words "
            f"({size['text_bytes'] / 1e6:,.0f} MB of text), {size['references']:,} references, "
            f"{size['planted']} planted"
        )
        for number in range(options.repeat):
            copy = work / f"late-{number}"
            shutil.rmtree(copy, ignore_errors=True)
            subprocess.run(["cp", "-al", store, copy], check=True)
            show(*watched([sys.executable, __file__, "--register", str(folder), str(copy)]))
            shutil.rmtree(copy)


def show(figures, peaks):
    print(
        f"registered in {figures['register']:.1f} s, shown by `records` after {figures['shown']:.1f} s "
        f"({figures['processor']:.1f} s of processor); {figures['candidates']:,} candidates, "
        f"{figures['verified']:,} verified, {figures['unverified']:,} not verified matches; "
        f"{figures['found']:,} of {figures['records']:,} records match; "
        f"peak resident {peaks['VmHWM']:.0f} MB, anonymous {peaks['RssAnon']:.0f} MB"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
