"""Change one byte in each of 10,000 valid crawl files, and hold the reader against a count that shares no code with it.

    python benchmarks/torture/bytes.py [--files 10000] [--seed 1] [--crawl ../shared/data/crawl] [--quick]

Each file has 5 to 12 records, made by hand here or taken whole from real crawl files, in one of five layouts:
plain WARC, WARC with one gzip member a record, WARC in one gzip member, and WET as the first two. One byte at
a seeded place gets another value.

What still stands is counted on bytes: all gzip members are inflated, going on at the next member behind damage, and a
record stands if all of its bytes, from ``WARC/1.`` to the end of its block, are in what comes out. The reader must
hand on every record that stands, with the text that it has in the untouched file. One may be missing: the one whose
part of the file the changed byte is in (a wrong checksum, a blank line behind the block), or any one where the whole
file is one member, whose checksum can't say which record is wrong. It must hand on none twice; what it marks
``recovered`` must have neither date nor declaration; and everything else must have the date of its own record.

Prints one row a layout; exits with 1 if anything else is found, naming seed and file so that it can be made again.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import re
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

LAYOUTS = ("warc", "warc.gz by record", "warc.gz whole", "wet", "wet.gz by record")
START = re.compile(rb"(?:^|(?<=\n))WARC/1\.[01]\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)
WORDS = [
    "the",
    "river",
    "runs",
    "slowly",
    "through",
    "a",
    "valley",
    "where",
    "old",
    "mills",
    "stand",
    "and",
    "people",
    "of",
    "the",
    "town",
    "walk",
    "on",
    "sundays",
    "along",
    "its",
    "banks",
    "to",
    "look",
    "at",
    "boats",
    "that",
    "carry",
    "grain",
    "wood",
    "and",
    "stone",
    "to",
    "cities",
    "farther",
    "down",
    "before",
    "winter",
    "closes",
    "the",
    "locks",
]
LARGEST = 12_000
"""Real records longer than this are left out, so that damage falls on framing often enough."""


@dataclass
class Figures:
    """What was seen over all files of a layout."""

    files: int = 0
    records: int = 0
    standing: int = 0
    read: int = 0
    missing: int = 0
    rejects: int = 0
    recovered: int = 0
    found: list[str] = field(default_factory=list)


def text(noise: random.Random, sentences: int) -> str:
    """Some lines of words."""
    lines = (" ".join(noise.choices(WORDS, k=noise.randint(6, 18))).capitalize() + "." for _ in range(sentences))
    return "\n".join(lines)


def record(kind: str, block: bytes, number: int, year: int, content_type: str) -> bytes:
    """One WARC record without the blank lines behind it."""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: {year}-03-0{number % 9 + 1}T10:11:12Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012d}>\r\n"
        f"WARC-Target-URI: http://site{number % 7}.example/page/{number}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block


def made(noise: random.Random, wet: bool) -> list[bytes]:
    """Records made by hand."""
    records = [record("warcinfo", b"software: none\r\nformat: WARC 1.0\r\n", 0, 2024, "application/warc-fields")]
    for number in range(1, noise.randint(5, 12)):
        year = noise.choice((2013, 2018, 2022, 2025))
        words = text(noise, noise.randint(2, 20))
        if wet:
            records.append(record("conversion", words.encode(), number, year, "text/plain"))
            continue
        body = f"<html><head><title>t</title></head><body><p>{words}</p><p>{text(noise, 3)}</p></body></html>".encode()
        fields = ["Content-Type: text/html; charset=utf-8"]
        coding = noise.random()
        if coding < 0.3:
            body = gzip.compress(body, mtime=0)
            fields.append("Content-Encoding: gzip")
        elif coding < 0.5:
            cut = len(body) // 2
            body = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (cut, body[:cut], len(body) - cut, body[cut:])
            fields.append("Transfer-Encoding: chunked")
        if noise.random() < 0.2:
            fields.append("AI-Disclosure: mode=ai-originated")
        block = ("HTTP/1.1 200 OK\r\n" + "\r\n".join(fields) + "\r\n\r\n").encode() + body
        records.append(record("response", block, number, year, "application/http; msgtype=response"))
        if noise.random() < 0.2:
            request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
            records.append(record("request", request, 100 + number, year, "application/http; msgtype=request"))
    return records


def real(folder: Path) -> dict[bool, list[bytes]]:
    """Whole records of real files, WET or not, each id once; cut out by their Content-Length."""
    found: dict[bool, list[bytes]] = {True: [], False: []}
    seen = set()
    for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if not re.search(r"\.(?:warc|wet)(?:\.gz)?$", file.name) or "malformed" in file.parts:
            continue
        if file.stat().st_size > 4_000_000:
            continue
        stored = file.read_bytes()
        plain = b"".join(inflated(stored)) if stored.startswith(b"\x1f\x8b") else stored
        for start in START.finditer(plain):
            head = plain.find(b"\r\n\r\n", start.start()) + 4
            length = LENGTH.search(plain, start.start(), head - 2)
            if length is None:
                continue
            end = head + int(length[1])
            whole = plain[start.start() : end]
            name = re.search(rb"WARC-Record-ID: *(\S+)", whole)
            behind = plain[end : end + 4] == b"\r\n\r\n"
            if behind and name and name[1] not in seen and len(whole) < LARGEST and not START.search(whole, 1):
                seen.add(name[1])
                found[b"WARC-Type: conversion" in whole[:1000]].append(whole)
    return found


def inflated(stored: bytes) -> list[bytes]:
    """What each gzip member gives, as far as it inflates; behind damage, from the next member on."""
    given = []
    at = stored.find(b"\x1f\x8b\x08")
    while 0 <= at < len(stored):
        inflater, out, end = zlib.decompressobj(31), bytearray(), at
        try:
            while end < len(stored) and not inflater.eof:
                out += inflater.decompress(stored[end : end + 16])
                end += 16
        except zlib.error:
            pass
        given.append(bytes(out))
        whole = inflater.eof
        end = min(end, len(stored)) - len(inflater.unused_data) if whole else at + 1
        at = end if whole and stored[end : end + 3] == b"\x1f\x8b\x08" else stored.find(b"\x1f\x8b\x08", end)
    return given


def laid_out(records: list[bytes], layout: str) -> list[bytes]:
    """The parts of a file of these records: one a record, or the one member."""
    closed = [each + b"\r\n\r\n" for each in records]
    if layout.endswith("whole"):
        return [gzip.compress(b"".join(closed), mtime=0)]
    return [gzip.compress(each, mtime=0) for each in closed] if "gz" in layout else closed


def standing(records: list[bytes], stored: bytes, layout: str) -> set[int]:
    """Which records are there in all their bytes.

    One changed byte of a deflated stream can harm it in many places: there a record needs its closing lines as well.
    """
    parts = inflated(stored) if "gz" in layout else [stored]
    closed = b"\r\n\r\n" if layout.endswith("whole") else b""
    return {
        number
        for number, each in enumerate(records)
        if any((at := part.find(each + closed)) >= 0 and (at == 0 or part[at - 1] == 10) for part in parts)
    }


def read(path: Path, content: bytes) -> tuple[list[dict[str, Any]], Any]:
    """Rows and tally of the reader under test."""
    import pyarrow as pa

    from provenance.readers import ReadOptions, Source, Tally, open_records

    path.write_bytes(content)
    tally = Tally()
    batches = list(open_records(Source(str(path), path.name, len(content)), ReadOptions(), tally))
    return (pa.Table.from_batches(batches).to_pylist() if batches else []), tally


def identity(row: dict[str, Any]) -> tuple[str | None, str]:
    """What makes a row the same record again."""
    return row["own_id"], row["raw"]


def believed(row: dict[str, Any], own: dict[str, Any] | None) -> str:
    """What is wrong with the date and declarations of a row, whose own are known where it still stands."""
    said = (row["captured_at"], row["declarations"])
    if row["recovered"]:
        return "a recovered record is believed" if said != (None, []) else ""
    if own is not None and said != (own["captured_at"], own["declarations"]):
        return "a record has another date or declaration than its own"
    return ""


def one_file(seed: int, number: int, pool: dict[bool, list[bytes]], folder: Path, figures: dict[str, Figures]) -> None:
    """Make a file, damage it, read it, and note what is wrong."""
    noise = random.Random(f"{seed}/{number}")
    layout = LAYOUTS[number % len(LAYOUTS)]
    wet = layout.startswith("wet")
    path = folder / f"{'x.warc.wet' if wet else 'x.warc'}{'.gz' if 'gz' in layout else ''}"
    if pool[wet] and noise.random() < 0.5:
        records = noise.sample(pool[wet], min(len(pool[wet]), noise.randint(5, 12)))
        if wet and len(records) < 5:
            records += made(noise, wet)[1:]
    else:
        records = made(noise, wet)
    parts = laid_out(records, layout)
    whole = b"".join(parts)
    clean, clean_tally = read(path, whole)
    at = noise.randrange(len(whole))
    damaged = bytearray(whole)
    damaged[at] ^= noise.randint(1, 255)
    there = standing(records, bytes(damaged), layout)
    seen = figures[layout]
    name = f"seed {seed} file {number} ({layout}, byte {at} of {len(whole)})"

    def wrong(what: str) -> None:
        seen.found.append(f"{name}: {what}")

    if clean_tally.read != len(records) or clean_tally.rejects:
        wrong(f"the untouched file gives {clean_tally.read} units of {len(records)}")
    try:
        rows, tally = read(path, bytes(damaged))
    except Exception as error:
        from provenance.errors import SourceError

        # A file of which nothing is left is refused as a whole.
        if there or not isinstance(error, SourceError):
            wrong(f"{type(error).__name__}: {error}")
        return
    by_id = {_id(each): index for index, each in enumerate(records)}
    kept = {identity(row): row for row in clean}
    expected = Counter(key for key in kept if by_id.get(key[0]) in there)
    got = Counter(identity(row) for row in rows)
    missed = expected - got
    missing = sum(missed.values())
    hit = next(index for index, end in enumerate(accumulate(map(len, parts))) if at < end)
    if missing > 1 or (missing and len(parts) > 1 and by_id[next(iter(missed))[0]] != hit):
        wrong(f"{missing} standing records are missing: {tally.rejects}")
    if len({row["position"] for row in rows}) < len(rows):
        wrong("two records at one position")
    twice = [key for key, count in got.items() if count > expected.get(key, 1)]
    if twice:
        wrong(f"handed on twice: {twice[0][0]}")
    for row in rows:
        own = kept.get(identity(row)) if by_id.get(row["own_id"]) in there else None
        if fault := believed(row, own):
            wrong(fault)
    if tally.records != len(rows) or tally.read < len(there) - missing:
        wrong(f"{tally.read} units counted, {len(there)} stand")
    seen.files += 1
    seen.records += len(records)
    seen.standing += len(there)
    seen.read += tally.read
    seen.missing += missing
    seen.rejects += len(tally.rejects)
    seen.recovered += sum(row["recovered"] for row in rows)


def _id(whole: bytes) -> str | None:
    found = re.search(rb"WARC-Record-ID: *<?([^\s>]+)", whole)
    return found[1].decode() if found else None


def run(files: int, seed: int, crawl: Path, first: int = 0) -> dict[str, Figures]:
    """Figures of each layout."""
    pool = real(crawl)
    figures = {layout: Figures() for layout in LAYOUTS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + files):
            one_file(seed, number, pool, Path(folder), figures)
    return figures


def main(argv: list[str]) -> int:
    """Run, print, and say whether anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to make one again")
    parser.add_argument("--seed", type=int, default=1)
    root = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("PROVENANCE_SHARED", root.parent / "shared"))
    parser.add_argument("--crawl", type=Path, default=shared / "data/crawl")
    parser.add_argument("--quick", action="store_true", help="300 files")
    options = parser.parse_args(argv)
    if find_spec("provenance") is None:
        sys.path.insert(0, str(root / "src"))
    began = time.monotonic()
    figures = run(300 if options.quick else options.files, options.seed, options.crawl, options.first)
    print("| layout | files | records | stand | units read | standing, not handed on | rejects | recovered |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for layout, seen in figures.items():
        row = (seen.files, seen.records, seen.standing, seen.read, seen.missing, seen.rejects, seen.recovered)
        print(f"| {layout} | {' | '.join(f'{value:,}' for value in row)} |")
    found = [what for seen in figures.values() for what in seen.found]
    print(f"\n{len(found)} findings in {time.monotonic() - began:.0f} s")
    print("\n".join(found[:40]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
