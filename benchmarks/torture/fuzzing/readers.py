# ruff: noqa: E501 - lists of words
"""Readers of every container, of parts of one, and of rows that are wanted again."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import zipfile
import zlib
from collections import Counter
from typing import Any

from fuzzing import SHARED, Check, Target, folder

SMALL = {"batch_rows": 7, "max_record_bytes": 4096, "max_header_bytes": 2048, "max_line_bytes": 4096}
SMALL |= {"max_decoded_bytes": 8192, "max_rejects": 500}


def stored(name: str, content: bytes) -> Any:
    """The bytes as a source of this name."""
    from provenance.readers import Source

    path = folder() / name
    path.write_bytes(content)
    return Source(str(path), name, len(content))


def reader(name: str) -> Check:
    """A check of the reader that opens a file of this name."""

    def check(content: bytes) -> None:
        import pyarrow as pa

        from provenance.errors import ProvenanceError
        from provenance.readers import ReadOptions, Tally, open_records

        tally, positions = Tally(), []
        try:
            for batch in open_records(stored(name, content), ReadOptions(**SMALL), tally):
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


NAMES = ("x.jsonl", "x.parquet", "x.csv", "x.arrow", "x.json", "x.warc", "x.jsonl.gz", "x.tsv")


def rows(content: bytes) -> None:
    """The rows that `filter` writes: those of the records that were read, as many, from any container."""
    import numpy as np

    from provenance.errors import ProvenanceError
    from provenance.readers import ReadOptions, Tally, open_records
    from provenance.readers.detect import detect
    from provenance.readers.rows import TABLES, crawl_rows, jsonl_lines, own_tables

    source = stored(NAMES[content[0] % len(NAMES)] if content else "x.txt", content[1:])
    options = ReadOptions(**SMALL)
    try:
        batches = list(open_records(source, options, Tally()))
        container = detect(source, options).container
    except ProvenanceError:
        return
    positions = np.array(sorted(place for batch in batches for place in batch.column("position").to_pylist()), np.int64)
    wanted = positions[::2]
    try:
        if container in TABLES:
            found = [place for places, table in own_tables(source, options, wanted)[1] for place in places.tolist()]
        elif container in ("jsonl", "json"):
            found = []
            for place, line in jsonl_lines(source, options, wanted):
                json.loads(line.removeprefix(b"\xef\xbb\xbf"))
                found.append(place)
        else:
            found = [
                place for batch in crawl_rows(source, options, wanted) for place in batch.column("position").to_pylist()
            ]
    except ProvenanceError:
        return
    if sorted(found) != wanted.tolist():
        raise AssertionError("rows that were read are not found again")


def shards(content: bytes) -> None:
    """A source read in parts, as the whole gives it."""
    from provenance.errors import ProvenanceError
    from provenance.readers import ReadOptions, Tally, open_records

    if len(content) < 2:
        return
    source = stored(NAMES[content[0] % len(NAMES)], content[2:])
    options = ReadOptions(**SMALL | {"max_line_bytes": 1 << 20, "max_rejects": 100_000})
    size = 16 + 8 * content[1]

    def gathered(batches: Any, tally: Tally) -> tuple[Any, Any, Any]:
        found = [row for batch in batches for row in batch.to_pylist()]
        return found, sorted(tally.rejects), tally.skipped

    tally = Tally()
    try:
        expected = gathered(open_records(source, options, tally), tally)
    except ProvenanceError:
        try:
            in_parts(source, size, options, gathered)
        except ProvenanceError:
            return
        raise AssertionError("parts are read of what can't be read") from None
    if in_parts(source, size, options, gathered) != expected:
        raise AssertionError("the parts give something else than the whole")


def in_parts(source: Any, size: int, options: Any, gathered: Any) -> tuple[Any, Any, Any]:
    """What the parts give, taken in order, as a scan puts them together."""
    from provenance.readers import Tally
    from provenance.readers.marks import START, Misled, Span
    from provenance.readers.shards import foresee, open_shard, plan

    planned = plan(source, size)
    found, rejects, skipped, mark = [], [], Counter(), START
    for span in planned.spans:
        if span.stop is not None and mark.offset >= span.stop:
            continue
        if planned.chained:
            span.begin = mark
            foresee(source, span)
        tally = Tally()
        try:
            part = gathered(open_shard(source, span, options, tally), tally)
            fits = mark.meets(span.begin)
        except Misled:
            fits = False
        if not fits:
            span, tally = Span(mark, stop=span.stop), Tally()
            part = gathered(open_shard(source, span, options, tally), tally)
        found += part[0]
        rejects += part[1]
        skipped += part[2]
        if span.end is None:
            break
        mark = span.end._replace(stream=mark.stream + span.end.stream - span.begin.stream)
    return found, sorted(rejects), skipped


def http(content: bytes) -> None:
    """Splitting and decoding of an HTTP message."""
    from provenance.readers.http import BodyRefused, decoded_body, parse

    try:
        body = decoded_body(parse(content, 2048), 10_000)
    except BodyRefused:
        return
    if len(body) > 10_000:
        raise AssertionError("a body beyond its cap")


def card(content: bytes) -> None:
    """The card beside a data set."""
    from provenance.readers.card import parse_card

    for place, key, value in parse_card(content.decode("utf-8", "replace")):
        if not (place and key) or len(value) > 256:
            raise AssertionError("a declaration that is none")


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


def arc() -> bytes:
    """A small ARC file."""
    head = b"filedesc://x.arc 0.0.0.0 20180102030405 text/plain 71\n1 0 test\nURL IP-address Archive-date Content-type "
    head += b"Archive-length\n\n\n"
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>words of a page"
    return head + f"http://a.example/ 1.2.3.4 20180102030405 text/html {len(block)}\n".encode() + block + b"\n"


def wacz() -> bytes:
    """A small WACZ file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("datapackage.json", '{"profile": "data-package", "wacz_version": "1.1.1", "resources": []}')
        archive.writestr("archive/a.warc.gz", gzip.compress(warc(1)))
        archive.writestr("archive/b.warc", warc(2), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


ROWS = [{"text": "some words", "url": "http://a.example/", "date": "2018-01-01", "n": 1}] * 3
LINES = b"\n".join(json.dumps(row).encode() for row in ROWS) + b"\n"
CSV = b'id,text,date\n1,words of text,2018-01-01\n2,"more, ""of"" it\n",x\n'


def parquet() -> list[bytes]:
    """Small Parquet files, with nested columns, pages of both versions, dictionaries and statistics."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    nested = [{"text": f"words {number}", "meta": {"url": "http://a.example/", "tags": ["a"]}} for number in range(9)]
    found = []
    for some, options in (
        (ROWS, {}),
        (nested, {"row_group_size": 4, "data_page_version": "2.0", "compression": "zstd"}),
        (nested, {"use_dictionary": False, "write_page_index": True, "compression": "none"}),
    ):
        packed = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(some), packed, **options)
        found.append(packed.getvalue())
    return found


def arrow() -> list[bytes]:
    """Small Arrow files and streams."""
    import pyarrow as pa
    import pyarrow.ipc

    table = pa.Table.from_pylist(ROWS)
    coded = pa.table({"text": pa.array(["a word", "a word"]).dictionary_encode(), "n": [1, 2]})
    found = []
    for some, make, options in (
        (table, pyarrow.ipc.new_file, {}),
        (coded, pyarrow.ipc.new_stream, {}),
        (coded, pyarrow.ipc.new_file, {"options": pyarrow.ipc.IpcWriteOptions(compression="lz4")}),
    ):
        sink = io.BytesIO()
        with make(sink, some.schema, **options) as writer:
            writer.write_table(some)
        found.append(sink.getvalue())
    return found


def any_container() -> list[bytes]:
    """One file of each name in ``NAMES``, behind the byte that chooses it."""
    made = [LINES, parquet()[1], CSV, arrow()[0], json.dumps(ROWS).encode(), warc(), gzip.compress(LINES)]
    return [bytes([number]) + content for number, content in enumerate([*made, CSV.replace(b",", b"\t")])]


def small_files(suffix: str) -> list[bytes]:
    """Small files of the shared data whose names end so."""
    if not SHARED.is_dir():
        return []
    found = (path for path in sorted(SHARED.rglob("*")) if path.name.endswith(suffix))
    return [path.read_bytes() for path in found if path.is_file() and path.stat().st_size < 8_000]


def within_members(content: bytes, most: int, seed: int) -> bytes:
    """Change what gzip members hold and pack them again; now and then the packed bytes."""
    import atheris

    drawn = random.Random(seed)
    members, rest = [], content
    while rest and len(members) < 16:
        inflater = zlib.decompressobj(31)
        try:
            members.append(inflater.decompress(rest, 1 << 16))
        except zlib.error:
            break
        rest = inflater.unused_data
    if not members or drawn.random() < 0.2:
        return bytes(atheris.Mutate(content, most))
    chosen = drawn.randrange(len(members))
    action = drawn.random()
    if action < 0.8:
        members[chosen] = bytes(atheris.Mutate(members[chosen], most))
    elif action < 0.9:
        members.insert(chosen, members[drawn.randrange(len(members))])
    else:
        half = len(members[chosen]) // 2
        members[chosen : chosen + 1] = [members[chosen][:half], members[chosen][half:]]
    packed = b"".join(gzip.compress(member, 1, mtime=0) for member in members) + rest
    return packed if len(packed) <= most else content


def within_archive(content: bytes, most: int, seed: int) -> bytes:
    """Change a member of a ZIP archive, or its name, and pack it again; now and then the packed bytes."""
    import atheris

    drawn = random.Random(seed)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(entry.filename, archive.read(entry)[: 1 << 16]) for entry in archive.infolist()[:16]]
    except Exception:
        members = []
    if not members or drawn.random() < 0.3:
        return bytes(atheris.Mutate(content, most))
    chosen = drawn.randrange(len(members))
    name, inner = members[chosen]
    if drawn.random() < 0.2:
        name = bytes(atheris.Mutate(name.encode(), 200)).decode("utf-8", "replace").replace("\0", "") or "x"
    elif name.endswith(".gz"):
        inner = within_members(inner, most, seed + 1)
    else:
        inner = bytes(atheris.Mutate(inner, most))
    members[chosen] = name, inner
    packed = io.BytesIO()
    method = drawn.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(packed, "w", method) as archive:
        for each, held in members:
            archive.writestr(zipfile.ZipInfo(each), held)
    return packed.getvalue() if packed.tell() <= most else content


CRAWL = tuple(
    b"WARC/1.0\r\n|WARC/1.1\r\n|WARC-Type: response\r\n|WARC-Type: conversion\r\n|WARC-Type: resource\r\n|"
    b"WARC-Type: revisit\r\n|WARC-Type: continuation\r\n|WARC-Segment-Number: 1\r\n|Content-Length: |\r\n\r\n|"
    b"Content-Type: application/http;msgtype=response\r\n|Content-Type: text/html; charset=utf-16\r\n|"
    b"Content-Encoding: gzip\r\n|Content-Encoding: br\r\n|Transfer-Encoding: chunked\r\n|HTTP/1.1 200 OK\r\n|"
    b"WARC-Date: 2018-01-02T03:04:05Z\r\n|WARC-Target-URI: http://a.example/\r\n|WARC-Payload-Digest: sha1:|"
    b"WARC-Truncated: length\r\n|WARC-Identified-Payload-Type: text/html\r\n|99999999999999999999|-1|0\r\n\r\n|"
    b"filedesc://|dns:|20180102030405|text/html|\xef\xbb\xbf|\x1f\x8b\x08".split(b"|")
)
TEXT = tuple(
    b'"text"|"content"|"url"|"date"|"id"|null|true|1e999|-0|NaN|\\ud800|\\u0000|{"|[]|{}|""|,|\xef\xbb\xbf|\xff\xfe|\r\n|'
    b"text|url|date|\t|;|'|\xe2\x80\xa8|\x85".split(b"|")
)
HTTP = tuple(
    b"HTTP/1.1 200 OK\r\n|HTTP/2 404\r\n|Content-Type: |text/html|charset=|Content-Encoding: |gzip, br|deflate|zstd|"
    b"identity|Transfer-Encoding: chunked\r\n|0\r\n\r\n|ffffffffffffffff\r\n|\r\n\r\n|;ext=1\r\n|Content-Length: ".split(
        b"|"
    )
)


def packed_http() -> list[bytes]:
    """HTTP messages in several codings."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: "
    return [
        warc(1).partition(b"\r\n\r\n")[2],
        b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        head + b"gzip\r\n\r\n" + gzip.compress(b"words"),
        head + b"deflate\r\n\r\n" + zlib.compress(b"words"),
        head + b"gzip, gzip\r\n\r\n" + gzip.compress(gzip.compress(b"words")),
    ]


def compressed(lines: bytes) -> list[bytes]:
    """The same in the ways that files are compressed in."""
    return [gzip.compress(lines), gzip.compress(lines[:9]) + gzip.compress(lines[9:]), bz2.compress(lines)]


TARGETS: dict[str, Target] = {
    "rows": Target(rows, any_container, 8192, TEXT),
    "shards": Target(shards, any_container, 8192, (*CRAWL, *TEXT)),
    "warc": Target(reader("x.warc"), lambda: [warc(), *small_files(".warc")], 8192, CRAWL),
    "warc.gz": Target(
        reader("x.warc.gz"),
        lambda: [gzip.compress(warc()), gzip.compress(warc(1)) * 3, *small_files(".warc.gz")],
        8192,
        CRAWL,
        mutate=within_members,
    ),
    "wet": Target(
        reader("x.warc.wet"), lambda: [warc().replace(b"response", b"conversion"), *small_files(".wet")], 8192, CRAWL
    ),
    "arc": Target(reader("x.arc"), lambda: [arc(), *small_files(".arc")], 8192, CRAWL),
    "wacz": Target(reader("x.wacz"), lambda: [wacz(), *small_files(".wacz")], 8192, CRAWL, mutate=within_archive),
    "jsonl": Target(reader("x.jsonl"), lambda: [LINES, *small_files(".jsonl")], 4096, TEXT),
    "jsonl.gz": Target(reader("x.jsonl.gz"), lambda: compressed(LINES), 4096, TEXT, mutate=within_members),
    "json": Target(reader("x.json"), lambda: [json.dumps(ROWS).encode()], 4096, TEXT),
    "csv": Target(reader("x.csv"), lambda: [CSV, CSV.replace(b",", b"\t"), CSV.decode().encode("utf-16")], 4096, TEXT),
    "arrow": Target(reader("x.arrow"), arrow, 4096),
    "txt": Target(reader("x.txt"), lambda: [b"words\n\nmore words\r\n", "wörter".encode("utf-16")], 4096, TEXT),
    "parquet": Target(reader("x.parquet"), lambda: [*parquet(), *small_files(".parquet")], 8192),
    "http": Target(http, packed_http, 4096, HTTP),
    "card": Target(
        card,
        lambda: [
            b"---\nlicense: cc0 # free\ntags:\n- synthetic\n- 'x'\nlanguage_creators: [machine-generated, a]\n---\n"
        ],
        1024,
        (b"---\n", b"- ", b"tags:", b"license: ", b" #", b"synthetic", b"[", b"]"),
    ),
}
