"""A whole scan beside the pipelines that one would write from peers today: same records, same core, one run.

``python benchmarks/scan.py --shared ../shared`` builds WET, JSONL, Parquet and WARC from real texts and pages
(`scan_inputs.py`, or ``--texts FILES`` with a column ``text``) and registers ``--references`` texts, so many of them
from the inputs that ``--copied`` of the inputs' texts are copies. ``provenance scan --jobs 1`` scans each input: all
kinds of evidence; parts, lineage and tags written. Peers get the same files: FastWARC or pyarrow and Resiliparse or
Trafilatura, datasketch MinHash (bulk) asked against an LSH of the same references (or ``--peer-references`` of them),
scikit-learn's HashingVectorizer and a linear model, pandas to Parquet; and datatrove's reader, MinHash stage and a
filter with the same linear model (Parquet and JSONL; it asks no index). Every pipeline runs in processes of its own on
one core. Rates and ratios are by processor time, children included, less that of a run over ten records (``--whole``:
not less it): what starting, training the peers' model and filling their index costs once.

``--growth 1 4 16`` scans inputs of so many times ``--mb``; ``--index 10000 1000000`` scans with so many references
(made of random words). With ``--no-peers`` only ours runs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import scan_inputs

FORMS = ("warc.wet.gz", "jsonl.gz", "jsonl.zst", "parquet", "warc.gz")
PEERS = ("resiliparse", "trafilatura", "datatrove")


def pinned(command: list[str]) -> dict[str, float]:
    """Run a command on one core; wall and processor seconds, and the peak of its largest process in MB."""
    core = max(os.sched_getaffinity(0))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    # A process begins with its parent's peak, and this one is large: a small one stands between.
    between = [sys.executable, __file__, "--measure", "taskset", "-c", str(core), *command]
    done = subprocess.run(between, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:6])} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(command: list[str]) -> None:
    began = time.perf_counter()
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = {"wall": time.perf_counter() - began, "processor": used.ru_utime + used.ru_stime}
    print(json.dumps({**seconds, "peak": used.ru_maxrss / 1024}))


def ours(path: Path, store: Path, work: Path) -> dict[str, float]:
    """Scan into a copy of a store that holds the references; its files are immutable, so links to them will do."""
    fresh = work / "store"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(store, fresh, copy_function=os.link)
    used = pinned(
        [
            sys.executable,
            "-c",
            "from provenance.cli import main; main()",
            "scan",
            str(path),
            "--store",
            str(fresh),
            "--jobs",
            "1",
        ]
    )
    import provenance as pv

    asked = pv.Store(fresh)
    used["records"], used["chars"] = asked.sql("select count(*), sum(chars) from records").fetchall()[0]
    used["matched"] = asked.sql("select count(distinct record_id) from matches").fetchall()[0][0]
    return used


def peer(kind: str, path: Path, work: Path) -> dict[str, float]:
    return pinned([sys.executable, __file__, "--peer", kind, str(path), str(work)])


def reading_alone(path: Path) -> float:
    """Processor seconds to read a file and do nothing with it, as a library does it."""
    began = time.process_time()
    for _ in texts_of(path, None):
        pass
    return time.process_time() - began


def texts_of(path: Path, extract):  # type: ignore[no-untyped-def]
    """URLs and texts of a file, read as one would with the usual libraries."""
    name = path.name
    if ".warc" in name:
        from fastwarc.warc import ArchiveIterator, WarcRecordType

        kinds = WarcRecordType.conversion if ".wet" in name else WarcRecordType.response
        for record in ArchiveIterator(str(path), record_types=kinds):
            body = record.reader.read()
            url = record.headers.get("WARC-Target-URI")
            if ".wet" in name or extract is None:
                yield url, body.decode("utf-8", "replace") if ".wet" in name else ""
            else:
                yield url, extract(body)
    elif name.endswith(".parquet"):
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(4096, columns=["url", "text"]):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
    else:
        import pyarrow as pa

        with (
            pa.OSFile(str(path)) as raw,
            pa.CompressedInputStream(raw, "gzip" if name.endswith("gz") else "zstd") as file,
        ):
            import io

            for line in io.BufferedReader(file, 1 << 20):
                row = json.loads(line)
                yield row["url"], row["text"]


def extractor(kind: str):  # type: ignore[no-untyped-def]
    if kind == "trafilatura":
        import trafilatura

        return lambda body: trafilatura.extract(body, include_comments=False) or ""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    def extract(body: bytes) -> str:
        html = bytes_to_str(body, detect_encoding(body, from_html_meta=True), "replace")
        return extract_plain_text(html, main_content=True, comments=False, alt_texts=False)

    return extract


def linear_model(sample: list[str]):  # type: ignore[no-untyped-def]
    """A classifier of hashed n-grams; what it learns here is of no matter, only what it costs."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    vectorise = HashingVectorizer(n_features=1 << 18, ngram_range=(1, 2), alternate_sign=False)
    model = SGDClassifier(loss="log_loss", random_state=0)
    model.fit(vectorise.transform(sample), [number % 2 for number in range(len(sample))])
    return vectorise, model


def run_peer(kind: str, path: Path, work: Path) -> None:
    known = [json.loads(line)["text"] for line in (work / "peer-known.jsonl").open(encoding="utf-8")]
    if kind == "datatrove":
        run_datatrove(path, known, work)
        return
    import re

    import pandas as pd
    import xxhash
    from datasketch import MinHash, MinHashLSH

    word = re.compile(r"\w+")

    def hashes(texts: list[str]) -> list[MinHash]:
        grams = []
        for text in texts:
            words = word.findall(text.lower())
            grams.append([" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))])
        return MinHash.bulk(grams, num_perm=128, hashfunc=xxhash.xxh32_intdigest)

    index = MinHashLSH(threshold=0.5, num_perm=128)
    for number, sketch in enumerate(hashes(known)):
        index.insert(str(number), sketch)
    vectorise, model = linear_model(known[:500])
    batch: list[tuple[str, str]] = []
    frames = []

    def take() -> None:
        texts = [text for _, text in batch]
        scores = model.predict_proba(vectorise.transform(texts))[:, 1]
        found = [bool(index.query(sketch)) for sketch in hashes(texts)]
        frames.append(
            pd.DataFrame(
                {"url": [url for url, _ in batch], "score": scores, "copy": found, "chars": list(map(len, texts))}
            )
        )
        batch.clear()

    for row in texts_of(path, extractor(kind)):
        batch.append(row)
        if len(batch) == 1000:
            take()
    if batch:
        take()
    pd.concat(frames).to_parquet(work / "peer.parquet")


def run_datatrove(path: Path, known: list[str], work: Path) -> None:
    import xxhash
    from datatrove.data import DocumentsPipeline
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
    from datatrove.pipeline.filters import LambdaFilter
    from datatrove.pipeline.readers import JsonlReader, ParquetReader

    vectorise, model = linear_model(known[:500])
    reader: PipelineStep
    if path.name.endswith(".parquet"):
        reader = ParquetReader(str(path.parent), glob_pattern=path.name)
    else:
        reader = JsonlReader(str(path.parent), glob_pattern=path.name)
    stage = MinhashDedupSignature(str(work / "signatures"))
    # Its own hash function hands str to xxhash, which refuses that since version 4.
    stage._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
    judge = LambdaFilter(lambda document: model.predict_proba(vectorise.transform([document.text]))[0, 1] < 2)
    documents: DocumentsPipeline = reader.run(None, 0, 1)
    stage.run(judge.run(documents, 0, 1), 0, 1)


def prepare(options: argparse.Namespace, copied: list[str], others: list[str]) -> None:
    """Register texts of which some stand in the inputs, as many as make so many of their records copies."""
    work, source = options.work, random.Random(3)
    sample = source.sample(copied, min(options.references, round(options.copied * len(copied))))
    sample += source.sample(others, min(len(others), options.references - len(sample)))
    source.shuffle(sample)
    name = f"known-{options.references}-{options.copied}"
    options.known = work / name
    lines = [json.dumps({"text": text[:4000]}) + "\n" for text in sample]
    (work / "peer-known.jsonl").write_text("".join(lines[: options.peer_references]), encoding="utf-8")
    if not (options.known / "CURRENT").exists():
        (work / "known.jsonl").write_text("".join(lines), encoding="utf-8")
        register(options.known, work / "known.jsonl", "known")


def register(store: Path, known: Path, name: str) -> None:
    import provenance as pv

    pv.register(known, label="synthetic", model="bench-model", name=name, store=store)


def random_references(work: Path, count: int) -> Path:
    """A store with so many references of 128 random words, in one segment; what is made stays for later runs."""
    import index_scale
    import numpy as np

    import provenance as pv
    from provenance.index import build_segment
    from provenance.pipeline import catalogue, compact_index

    store, done = work / f"references-{count}", work / f"references-{count}.done"
    if done.exists():
        return store
    if not (store / "CURRENT").exists():
        register(store, work / "peer-known.jsonl", "known")
    opened = pv.Store(store)
    folder = catalogue.index_folder(opened)
    live, _ = catalogue.live_segments(opened)
    for part in range(len(live) - 1, -(-count // index_scale.SEGMENT)):
        size = min(index_scale.SEGMENT, count - part * index_scale.SEGMENT)
        made = build_segment(folder, index_scale.references(np.random.default_rng([count, part]), size, f"set-{part}"))
        with opened.commit("random references") as commit:
            row = {"segment_id": made.id, "path": f"index/segments/{made.id}", "set_id": made.sets[0].set_id}
            commit.insert("segments", [{**row, "reference_count": size}])
    compact_index(store=store)
    live, _ = catalogue.live_segments(opened)
    for segment in (store / "index" / "segments").iterdir():
        if segment.name not in live:
            shutil.rmtree(segment)
    done.touch()
    return store


def line(name: str, used: dict[str, float], idle: float, megabytes: float, records: float) -> str:
    seconds = max(1e-3, used["processor"] - idle)
    return (
        f"| {name} | {used['wall']:.1f} | {used['processor']:.1f} | {megabytes / seconds:.2f} | "
        f"{records / seconds:.0f} | {used['peak']:.0f} |"
    )


HEAD = "| | wall s | processor s | MB/s of text | records/s | peak MB |\n|---|--:|--:|--:|--:|--:|"


def compare(options: argparse.Namespace, texts: list[str], store: Path, idle: float) -> None:
    forms = [form for form in options.forms if form != "warc.gz"]
    paths = scan_inputs.write_texts(options.work, texts, options.mb << 20, forms)
    size = json.loads((options.work / f"{options.mb}mb.size.json").read_text()) if forms else {}
    if "warc.gz" in options.forms:
        paths["warc.gz"] = scan_inputs.write_pages(options.work, options.shared, options.rounds)
    for form, path in paths.items():
        mine = ours(path, store, options.work)
        megabytes = size["text_bytes"] / 1e6 if form in forms else mine["chars"] / 1e6
        alone = reading_alone(path)
        share = mine["matched"] / mine["records"]
        print(
            f"\n## {form}: {mine['records']:.0f} records, {megabytes:.1f} MB of text; {share:.1%} of the records "
            f"match; reading alone {alone:.2f} s\n"
        )
        print(HEAD)
        print(line("provenance", mine, idle, megabytes, mine["records"]), flush=True)
        for kind in options.peers:
            if (kind == "trafilatura" and form != "warc.gz") or (kind == "datatrove" and "warc" in form):
                continue  # texts need no extractor; datatrove's reader of crawl files needs libmagic
            used = peer(kind, path, options.work)
            ratio = (used["processor"] - options.peer_idle[kind]) / max(1e-3, mine["processor"] - idle)
            print(
                line(
                    f"{kind} (ours is {ratio:.1f} times as fast)",
                    used,
                    options.peer_idle[kind],
                    megabytes,
                    mine["records"],
                ),
                flush=True,
            )


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2:])
        return
    if sys.argv[1:2] == ["--peer"]:
        run_peer(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="Parquet files to build inputs from")
    parser.add_argument("--work", type=Path, default=Path("scan-benchmark"), help="where inputs and stores are kept")
    parser.add_argument("--mb", type=int, default=32, help="MB of text in an input")
    parser.add_argument("--rounds", type=int, default=1, help="times the 500 real pages are taken")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=FORMS)
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--copied", type=float, default=0.02, help="share of the inputs' texts that are registered")
    parser.add_argument("--peer-references", type=int, help="as many as ours, if left out")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--no-peers", dest="peers", action="store_const", const=())
    parser.add_argument("--growth", type=int, nargs="*", default=[])
    parser.add_argument("--index", type=int, nargs="*", default=[])
    parser.add_argument("--whole", action="store_true", help="don't take off what a run over ten records costs")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.peer_references = options.peer_references or options.references
    texts, copied, others = scan_inputs.real_texts(options.shared, options.texts)
    prepare(options, copied, others)
    ten = scan_inputs.write_texts(options.work, texts[:10], 1, ["parquet"])["parquet"]
    ours(ten, options.known, options.work)
    idle = ours(ten, options.known, options.work)["processor"]
    options.peer_idle = {kind: peer(kind, ten, options.work)["processor"] for kind in options.peers}
    print(f"a run over {len(texts[:10])} records at most: ours {idle:.2f} s; {options.peer_idle}")
    if options.whole:
        idle, options.peer_idle = 0.0, dict.fromkeys(options.peer_idle, 0.0)
    if options.forms:
        compare(options, texts, options.known, idle)
    for times in options.growth:
        path = scan_inputs.write_texts(options.work, texts, options.mb * times << 20, ["parquet"])["parquet"]
        size = json.loads((options.work / f"{options.mb * times}mb.size.json").read_text())
        print(f"\n## input ×{times}\n\n{HEAD}" if times == options.growth[0] else "", end="\n")
        used = ours(path, options.known, options.work)
        print(line(f"×{times}", used, idle, size["text_bytes"] / 1e6, used["records"]), flush=True)
    for count in options.index:
        path = scan_inputs.write_texts(options.work, texts, options.mb << 20, ["parquet"])["parquet"]
        size = json.loads((options.work / f"{options.mb}mb.size.json").read_text())
        print(f"\n## index\n\n{HEAD}" if count == options.index[0] else "", end="\n")
        used = ours(path, random_references(options.work, count), options.work)
        print(line(f"{count:,} references", used, idle, size["text_bytes"] / 1e6, used["records"]), flush=True)


if __name__ == "__main__":
    main()
