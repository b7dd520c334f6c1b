"""Inputs of `scan.py`: the same real texts as WET, JSONL and Parquet, and real pages as WARC, in any size.

Texts are those of ``labelled`` (people's and models', all languages) and the visible text of the real pages under
``crawl/throughput``, in turns, so that about half of the bytes is web text with its menus and lists. When they are
used up, the next round takes every text with its lines rotated and its sentences in another order, so no two records
are equal.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 7
HOSTS = 5_000
_SENTENCE = re.compile(r"(?<=[.!?。])\s+")


USED = 60_000
"""Texts of the shared data that inputs are made of; the others are for references."""


def real_texts(shared: Path, files: list[Path]) -> tuple[list[str], list[str], list[str]]:
    """Texts to build inputs from; of these, those that may be registered; and texts that stand in no input.

    From given Parquet files with a column ``text`` (one in ten stands in no input), else from the shared data.
    """
    if files:
        tables = (pq.read_table(file, columns=["text"])["text"].to_pylist() for file in files)
        found = [text for table in tables for text in table if text]
        used = [text for number, text in enumerate(found) if number % 10]
        return used, used, found[::10]
    texts: list[str] = []
    for pool in ("train", "dev"):
        for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
            found = pq.read_table(path, columns=["text"])["text"].to_pylist()
            texts += [text for text in found if text and len(text) > 300]
    random.Random(SEED).shuffle(texts)
    others = texts[USED:]
    del texts[USED:]
    pages = [text for text in map(visible_text, html_pages(shared)) if len(text) > 300]
    mean_page = sum(map(len, pages)) / len(pages)
    mean_text = sum(map(len, texts)) / len(texts)
    step = max(1, int(mean_page / mean_text))
    mixed: list[str] = []
    for number, text in enumerate(texts):
        mixed.append(text)
        if number % step == 0:
            mixed.append(varied(pages[number // step % len(pages)], number // step // len(pages)))
    return mixed, texts, others


def html_pages(shared: Path) -> Iterator[bytes]:
    """Blocks (HTTP header and payload) of the real pages."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    path = shared / "data" / "crawl" / "throughput" / "real-html-500.warc.gz"
    for record in ArchiveIterator(str(path), record_types=WarcRecordType.response, parse_http=False):
        yield record.reader.read()


def visible_text(block: bytes) -> str:
    """What a WET file would hold of a page."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    payload = block.partition(b"\r\n\r\n")[2]
    return extract_plain_text(bytes_to_str(payload, detect_encoding(payload, from_html_meta=True), "replace"))


def varied(text: str, turn: int) -> str:
    """The same text for another round: lines rotated, sentences of each line in another order."""
    if not turn:
        return text
    lines = text.split("\n")
    shift = turn * 7 % len(lines)
    order = random.Random(turn)
    found = []
    for line in lines[shift:] + lines[:shift]:
        sentences = _SENTENCE.split(line)
        order.shuffle(sentences)
        found.append(" ".join(sentences))
    return "\n".join(found)


def rows(texts: list[str], wanted_bytes: int) -> Iterator[dict[str, str]]:
    """Records until their texts have so many bytes."""
    source = random.Random(SEED)
    total, serial = 0, 0
    while total < wanted_bytes:
        text = varied(texts[serial % len(texts)], serial // len(texts))
        total += len(text.encode())
        yield {
            "id": f"r{serial}",
            "url": f"https://host{int(HOSTS * source.random() ** 3)}.example/page/{serial}",
            "date": f"{2015 + serial % 11}-0{1 + serial % 9}-11T00:00:00Z",
            "text": text,
        }
        serial += 1


def write_texts(folder: Path, texts: list[str], wanted_bytes: int, forms: list[str]) -> dict[str, Path]:
    """Write the same records in each of the forms; returns the files."""
    paths = {form: folder / f"{wanted_bytes >> 20}mb.{form}" for form in forms}
    size = folder / f"{wanted_bytes >> 20}mb.size.json"
    if size.exists() and all(path.exists() for path in paths.values()):
        return paths
    writers = {form: _WRITERS[form](path) for form, path in paths.items()}
    for writer in writers.values():
        next(writer)
    records = total = 0
    for row in rows(texts, wanted_bytes):
        records, total = records + 1, total + len(row["text"].encode())
        for writer in writers.values():
            writer.send(row)
    for writer in writers.values():
        writer.close()
    size.write_text(json.dumps({"records": records, "text_bytes": total}))
    return paths


def _wet(path: Path):  # type: ignore[no-untyped-def]
    with path.open("wb") as file:
        file.write(
            gzip.compress(_record("warcinfo", {"Content-Type": "application/warc-fields"}, b"software: x\r\n"), 6)
        )
        while True:
            try:
                row = yield
            except GeneratorExit:
                return
            fields = {
                "WARC-Target-URI": row["url"],
                "WARC-Date": row["date"],
                "WARC-Record-ID": f"<urn:uuid:{row['id']}>",
                "Content-Type": "text/plain",
            }
            file.write(gzip.compress(_record("conversion", fields, row["text"].encode()), 6))


def _record(kind: str, fields: dict[str, str], block: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"WARC/1.0\r\nWARC-Type: {kind}\r\n{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def _jsonl(path: Path):  # type: ignore[no-untyped-def]
    with pa.CompressedOutputStream(str(path), "gzip" if path.name.endswith(".gz") else "zstd") as stream:
        while True:
            try:
                row = yield
            except GeneratorExit:
                return
            stream.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _parquet(path: Path):  # type: ignore[no-untyped-def]
    waiting: list[dict[str, str]] = []
    writer = None
    try:
        while True:
            waiting.append((yield))
            if len(waiting) >= 20_000:
                writer = _write(writer, path, waiting)
                waiting = []
    except GeneratorExit:
        writer = _write(writer, path, waiting)
        writer.close()


def _write(writer: pq.ParquetWriter | None, path: Path, waiting: list[dict[str, str]]) -> pq.ParquetWriter:
    table = pa.Table.from_pylist(
        waiting, schema=pa.schema([(name, pa.string()) for name in ("id", "url", "date", "text")])
    )
    writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
    writer.write_table(table)
    return writer


_WRITERS = {"warc.wet.gz": _wet, "jsonl.gz": _jsonl, "jsonl.zst": _jsonl, "parquet": _parquet}


def write_pages(folder: Path, shared: Path, rounds: int) -> Path:
    """Write the real pages so many times over, each time with a comment more, so that no payload occurs twice."""
    path = folder / f"{rounds}.warc.gz"
    if path.exists():
        return path
    blocks = list(html_pages(shared))
    with path.open("wb") as file:
        for turn in range(rounds):
            for number, block in enumerate(blocks):
                head, gap, payload = block.partition(b"\r\n\r\n")
                again = head + gap + payload + b"<!-- %d -->" % turn
                fields = {
                    "WARC-Target-URI": f"https://host{number % 97}.example/{turn}/{number}",
                    "WARC-Date": "2024-05-01T00:00:00Z",
                    "WARC-Record-ID": f"<urn:uuid:{turn}-{number}>",
                    "Content-Type": "application/http; msgtype=response",
                }
                buffer = io.BytesIO()
                with gzip.GzipFile("", "wb", 6, buffer, mtime=0) as member:
                    member.write(_record("response", fields, again))
                file.write(buffer.getvalue())
    return path
