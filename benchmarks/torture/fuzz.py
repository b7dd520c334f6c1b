"""Coverage-guided fuzzing (atheris) of whatever reads what strangers wrote.

    python benchmarks/torture/fuzz.py [TARGET] [--seconds 300] [--corpus FOLDER]
    python benchmarks/torture/fuzz.py --list

Targets are the readers, HTTP parsing, HTML extraction, folding, tokens, repair, markers, declared readers, and the
loaders of policies and models. A target fails on any exception that is not the project's own, on a row that breaks
what the readers promise, on folding that differs from its plain-Python form, and on a read or write outside a text's
buffer: texts lie against a page that can't be touched, and Numba checks the bounds of what is no raw pointer
(``NUMBA_BOUNDSCHECK``).

Seeds are small files made here, the small malformed files of the shared data where they are, and
``tests/fuzz/seeds/TARGET``, where what was ever found is kept. A new finding is written to the corpus folder; it is
one when the exit code is not 0.
Needs ``pip install atheris``.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import hashlib
import io
import json
import mmap
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ROOT / "tests" / "fuzz" / "seeds"
PAGE = mmap.PAGESIZE
AREA = 1 << 24
Check = Callable[[bytes], None]


@cache
def area(_use: str) -> tuple[mmap.mmap, int]:
    """Memory whose last page can't be touched, and its size without that page."""
    whole = mmap.mmap(-1, AREA + PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(whole))
    if ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + AREA), PAGE, 0):
        raise OSError("mprotect")
    return whole, AREA


def guarded(content: bytes, room: int | None = None) -> Any:
    """The bytes as an array that ends where memory does; with ``room``, that many bytes to be written."""
    import numpy as np

    size = len(content) if room is None else room
    memory, end = area("read" if room is None else "write")
    array = np.frombuffer(memory, np.uint8)[end - size : end]
    array[: len(content)] = np.frombuffer(content, np.uint8)
    if room is None:
        array.flags.writeable = False
    return array


def reader(name: str, **caps: Any) -> Check:
    """A check of the reader that opens a file of this name."""

    def check(content: bytes) -> None:
        import pyarrow as pa

        from provenance.errors import ProvenanceError
        from provenance.readers import ReadOptions, Source, Tally, open_records

        path = Path(FOLDER.name) / name
        path.write_bytes(content)
        tally, positions = Tally(), []
        small = {"batch_rows": 7, "max_record_bytes": 4096, "max_header_bytes": 2048, "max_line_bytes": 4096}
        options = ReadOptions(**{**small, "max_decoded_bytes": 8192, "max_rejects": 500, **caps})
        try:
            for batch in open_records(Source(str(path), name, len(content)), options, tally):
                batch.validate(full=True)
                positions += batch.column("position").to_pylist()
                columns = (batch.column(each).to_pylist() for each in ("recovered", "captured_at", "declarations"))
                if any(recovered and (date or declared) for recovered, date, declared in zip(*columns, strict=True)):
                    raise AssertionError("a recovered record is believed")
        except (ProvenanceError, pa.ArrowMemoryError):
            return
        if len(set(positions)) < len(positions) or tally.records != len(positions):
            raise AssertionError("records counted or placed twice")

    return check


def http(content: bytes) -> None:
    """Splitting and decoding of an HTTP message."""
    from provenance.readers.http import BodyRefused, decoded_body, parse

    try:
        body = decoded_body(parse(content, 2048), 10_000)
    except BodyRefused:
        return
    if len(body) > 10_000:
        raise AssertionError("a body beyond its cap")


def html(content: bytes) -> None:
    """The text of a page and its declarations."""
    from provenance.text.html import PageRefused, extract

    try:
        page = extract(content, None, None)
    except PageRefused:
        return
    page.text.encode()


def texts_of(content: bytes) -> list[str]:
    """Several texts: text as it is in UTF-8, and as UTF-32, so that rare code points come up."""
    wide = content[: len(content) // 4 * 4]
    points = (int.from_bytes(wide[at : at + 4], "little") % 0x110000 for at in range(0, len(wide), 4))
    rare = "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
    return [*content.decode("utf-8", "replace").split("\n"), rare]


def folding(content: bytes) -> None:
    """Folding, against its plain-Python form and the edge of memory."""
    import numpy as np
    import pyarrow as pa

    from provenance.text.fold import fold, fold_reference
    from provenance.text.kernel import fold_texts
    from provenance.text.unicode_tables import unicode_tables

    texts = texts_of(content)
    folded = fold(pa.array(texts, pa.large_string()))
    folded.validate(full=True)
    if folded.to_pylist() != [fold_reference(text) for text in texts]:
        raise AssertionError("folding differs from its plain form")
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    offsets.flags.writeable = False
    data = guarded(b"".join(encoded))
    for room in (200, 2 * len(data) + 4096):
        places = np.zeros(len(texts) + 1, np.int64)
        fold_texts(unicode_tables(), data, offsets, 0, guarded(b"", room), places)


def tokens(content: bytes) -> None:
    """Tokens, prose and signatures at the edge of memory."""
    import numpy as np
    import pyarrow as pa

    from provenance.text.fold import fold
    from provenance.text.prose import classify
    from provenance.text.reference import split_text
    from provenance.text.tokens import token_hash, tokenize
    from provenance.text.tokens.kernel import split_texts
    from provenance.text.unicode_tables import unicode_tables

    texts = pa.array(texts_of(content), pa.large_string())
    classify(texts)
    folded = fold(texts)
    found = tokenize(folded)
    plain = [token_hash(token) for text in folded.to_pylist() for token in split_text(text)]
    if found.hashes.tolist() != plain:
        raise AssertionError("tokens differ from their plain form")
    encoded = [text.encode() for text in folded.to_pylist()]
    offsets = np.cumsum([0, *map(len, encoded)])
    offsets.flags.writeable = False
    hashes = guarded(b"", 4 * (int(offsets[-1]) // 2 + len(encoded) + 1)).view(np.uint32)
    split_texts(unicode_tables(), guarded(b"".join(encoded)), offsets, hashes, np.zeros(len(encoded) + 1, np.int64))


def prepared(content: bytes) -> Any:
    """A batch as the stages behind the readers see it, its declarations made from the same bytes."""
    import pyarrow as pa

    from provenance import schema
    from provenance.text.prepare import prepare

    text, _, rest = content.decode("utf-8", "replace").partition("\0")
    parts = rest.split("\0")
    declared = [tuple(parts[at : at + 3]) for at in range(0, len(parts) - 2, 3)]
    row = {field.name: None for field in schema.RAW} | {"position": 0, "raw": text, "recovered": False}
    row["declarations"] = [
        dict(zip([field.name for field in schema.DECLARATION], each, strict=True)) for each in declared
    ]
    return prepare(pa.RecordBatch.from_pylist([row], schema=schema.RAW))


def repair(content: bytes) -> None:
    """Repair and what follows it."""
    if not prepared(content).column("text")[0].is_valid:
        raise AssertionError("a text is lost")


def markers(content: bytes) -> None:
    """Markers of chat interfaces and models."""
    from provenance.evidence.markers import observe

    observe(prepared(content)).validate(full=True)


def declared(content: bytes) -> None:
    """Declarations of origin, and rights."""
    from provenance import rights
    from provenance.evidence.declared import observe

    batch = prepared(content)
    observe(batch).validate(full=True)
    rights.observe(batch).validate(full=True)


def policy(content: bytes) -> None:
    """The loader of policies."""
    from provenance.errors import PolicyError
    from provenance.policy import load, parse

    with suppress(PolicyError):
        parse(content.decode("utf-8", "replace"))
    path = Path(FOLDER.name) / "p.toml"
    path.write_bytes(content)
    with suppress(PolicyError):
        load(path)


def model(content: bytes) -> None:
    """The loader of style models: a whole file, and a header under the right checksum before sound arrays."""
    from provenance.classifier.modelfile import decode
    from provenance.errors import ModelError

    for each in (content, sealed(content)):
        with suppress(ModelError):
            decode(each, "fuzzed")


@cache
def shipped_model() -> tuple[bytes, bytes, bytes]:
    """Mark, header and arrays of the model that ships."""
    from provenance.classifier.modelfile import MAGIC

    whole = (ROOT / "src/provenance/classifier/data/style.model").read_bytes()
    start = len(MAGIC) + 8
    size = int.from_bytes(whole[len(MAGIC) : start], "little")
    return MAGIC, whole[start : start + size], whole[start + size : -32]


def sealed(header: bytes) -> bytes:
    """A model file with this header."""
    mark, _, arrays = shipped_model()
    body = mark + len(header).to_bytes(8, "little") + header + arrays
    return body + hashlib.sha256(body).digest()


TARGETS: dict[str, Check] = {
    "warc": reader("x.warc"),
    "warc.gz": reader("x.warc.gz"),
    "wet": reader("x.warc.wet"),
    "jsonl": reader("x.jsonl"),
    "json": reader("x.json"),
    "jsonl.gz": reader("x.jsonl.gz"),
    "parquet": reader("x.parquet"),
    "csv": reader("x.csv"),
    "arrow": reader("x.arrow"),
    "arc": reader("x.arc"),
    "wacz": reader("x.wacz"),
    "txt": reader("x.txt"),
    "http": http,
    "html": html,
    "folding": folding,
    "tokens": tokens,
    "repair": repair,
    "markers": markers,
    "declared": declared,
    "policy": policy,
    "model": model,
}
FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


def warc(records: int = 3) -> bytes:
    """A small WARC file."""
    found = []
    for number in range(records):
        body = gzip.compress(b"<p>words of a page</p>") if number == 1 else b"<html><p>words</p><ul><li>a</ul>"
        coded = "Content-Encoding: gzip\r\n" if number == 1 else "AI-Disclosure: mode=ai\r\n"
        block = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{coded}\r\n".encode() + body
        head = (
            "WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: 2018-01-02T03:04:05Z\r\nContent-Type: application/http\r\n"
        )
        found.append(f"{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n")
    return b"".join(found)


def seeds(target: str) -> list[bytes]:
    """What fuzzing starts from."""
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet as pq

    rows = [{"text": "some words", "url": "http://a.example/", "date": "2018-01-01", "n": 1}] * 3
    table = pa.Table.from_pylist(rows)
    packed, arrow = io.BytesIO(), io.BytesIO()
    pq.write_table(table, packed)
    with pyarrow.ipc.new_file(arrow, table.schema) as sink:
        sink.write_table(table)
    lines = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n"
    wet = warc().replace(b"response", b"conversion")
    page = (
        b"<html><meta name=ai-disclosure content=x><b><p>x<table><td>y</b><svg><p/><select><option>z<!-- a --></html>"
    )
    text = "Ｆｕｌｌ ﬁ e\u0301\u0323 раypal 漢字かな ไทย \u200b\u1100\u1161\u11a8 İ ß \ufdfa".encode()
    found = {
        "warc": [warc()],
        "warc.gz": [gzip.compress(warc()), gzip.compress(warc(1)) * 3],
        "wet": [wet],
        "jsonl": [lines],
        "json": [json.dumps(rows).encode()],
        "jsonl.gz": [gzip.compress(lines)],
        "parquet": [packed.getvalue()],
        "csv": [b'id,text,date\n1,words of text,2018-01-01\n2,"more, ""of"" it\n",x\n'],
        "arrow": [arrow.getvalue()],
        "http": [
            warc(1).partition(b"\r\n\r\n")[2],
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ],
        "html": [page],
        "policy": [path.read_bytes() for path in (ROOT / "src/provenance/policies").glob("*.toml")],
        "declared": [text + b'\0http\0ai-disclosure\0mode=ai-originated\0jsonld\0ld+json\0{"@type": "Article"}'],
    }.get(target, [text, b"As an AI language model, I can't [cite_start] contentReference[oaicite:0]{index=0}"])
    shared = ROOT.parent / "shared/data/crawl"
    if target in ("warc", "warc.gz", "wet", "arc", "wacz", "parquet", "jsonl") and shared.is_dir():
        suffix = f".{target}"
        found += [
            path.read_bytes()
            for path in sorted(shared.rglob("*"))
            if path.name.endswith(suffix) and path.stat().st_size < 8_000
        ]
    if target == "model":
        found = [shipped_model()[1], b"{}"]
    kept = sorted((SEEDS / target).glob("*")) if (SEEDS / target).is_dir() else []
    return found + [path.read_bytes() for path in kept]


def main(argv: list[str]) -> int:
    """Fuzz one target."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--corpus", type=Path, help="a folder to keep what was learnt in, and findings")
    parser.add_argument("--quick", action="store_true", help="20 seconds")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(TARGETS))
        return 0
    seconds = 20 if options.quick else options.seconds
    if options.target is None:
        ended = {}
        for target in TARGETS:
            kept = ["--corpus", str(options.corpus / target)] if options.corpus else []
            command = [sys.executable, __file__, target, "--seconds", str(seconds), *kept]
            ended[target] = subprocess.run(command, check=False).returncode
        print("\n".join(f"{target}: {'a finding' if code else 'withstood'}" for target, code in ended.items()))
        return int(any(ended.values()))
    # Kernels with checked bounds are another machine code, which must not be found in the cache of the usual one.
    os.environ["NUMBA_BOUNDSCHECK"] = "1"
    os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "provenance-fuzz-kernels")
    if str(ROOT / "src") not in sys.path:
        sys.path.insert(0, str(ROOT / "src"))
    import atheris

    with atheris.instrument_imports(include=["provenance"]):
        import provenance.classifier.modelfile
        import provenance.evidence.declared
        import provenance.evidence.markers
        import provenance.policy
        import provenance.readers
        import provenance.readers.crawl
        import provenance.readers.jsonl
        import provenance.readers.parquet
        import provenance.text.prepare  # noqa: F401
    check = TARGETS[options.target]
    corpus = options.corpus or Path(tempfile.mkdtemp(prefix="fuzz-corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    found = seeds(options.target)
    for content in found:
        (corpus / f"seed-{zlib.crc32(content):08x}").write_bytes(content)
        check(content)
    flags = [
        f"-max_total_time={seconds}",
        "-timeout=10",
        "-rss_limit_mb=2500",
        f"-max_len={max(16384, *map(len, found))}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={corpus}/found-", str(corpus)], check)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
