"""Scan files that are built to exhaust memory or time: each bomb is rejected by name, and its neighbours are tagged.

    python benchmarks/torture/bombs.py [NAME ...] [--quick] [--keep FOLDER]

Every file holds a sound record before the bomb and one behind it. It is scanned by ``provenance scan`` in a process
of its own, whose memory (resident, with that of its workers, looked at every 20 ms) and processor time are measured,
start-up and compiled kernels included (the row ``no bomb`` says how much that is). A bomb passes if both neighbours
have a row with a tag, the bomb itself is in ``rejects`` with a reason (or is harmless, where the table says so),
memory stays below 1.5 GB, and it takes less than a minute of processor time.

``--quick`` makes the bombs a hundredth of their size, which finds a lost reject, not a lost bound.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

MOST_MEMORY = 1_500_000_000
MOST_SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]
WORDS = "The mill by the river has stood there for two hundred years, and people still bring their grain to it. "
Write = Callable[[Any, int], None]
REFUSED = "source refused"


class Bomb(NamedTuple):
    """A file to scan: its name, its reason of rejection ("" if it is read whole), and what writes it."""

    name: str
    reason: str
    write: Write


def record(block: bytes, kind: str = "response", length: str | None = None, more: str = "") -> bytes:
    """One WARC record."""
    content_type = "application/http; msgtype=response" if kind == "response" else "text/plain"
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-05-06T07:08:09Z\r\n{more}"
        f"WARC-Record-ID: <urn:uuid:{zlib.crc32(block):08x}-0000-4000-8000-000000000000>\r\n"
        f"WARC-Target-URI: http://a.example/\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length or len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def page(body: bytes, fields: str = "", media: str = "text/html; charset=utf-8") -> bytes:
    """A record that holds an HTTP response."""
    return record(f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n{fields}\r\n".encode() + body)


def neighbour(number: int) -> bytes:
    """A sound record."""
    return page(f"<html><body><p>Neighbour {number}. {WORDS * 5}</p></body></html>".encode())


def in_warc(bomb: Callable[[int], bytes]) -> Write:
    """A plain WARC file with the bomb between its neighbours."""

    def write(file: Any, scale: int) -> None:
        file.write(neighbour(1) + bomb(scale) + neighbour(2))

    return write


def in_members(bomb: Callable[[int], Iterator[bytes]]) -> Write:
    """A WARC file compressed record by record; the bomb comes in pieces, already compressed."""

    def write(file: Any, scale: int) -> None:
        file.write(gzip.compress(neighbour(1)))
        for piece in bomb(scale):
            file.write(piece)
        file.write(gzip.compress(neighbour(2)))

    return write


def line(number: int) -> bytes:
    """A sound row."""
    return json.dumps({"id": str(number), "text": f"Neighbour {number}. {WORDS * 5}"}).encode() + b"\n"


def in_lines(bomb: Callable[[int], Iterator[bytes]], packed: bool = False) -> Write:
    """A JSONL file with the bomb between its neighbours."""

    def write(file: Any, scale: int) -> None:
        pieces = (piece for part in ([line(1)], bomb(scale), [b"\n" + line(2)]) for piece in part)
        if not packed:
            file.writelines(pieces)
            return
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as zipped:
            for piece in pieces:
                zipped.write(piece)

    return write


def repeated(unit: bytes, total: int) -> Iterator[bytes]:
    """``total`` bytes of a unit, a mebibyte at a time."""
    piece = unit * ((1 << 20) // len(unit))
    for _ in range(max(1, total // len(piece))):
        yield piece


def gzip_in_brotli(scale: int) -> bytes:
    """1 GB of zeros, compressed a thousandfold by gzip and again by br."""
    import brotli

    inner = gzip.compress(b"\0" * (1_000_000_000 // scale), 9)
    return page(brotli.compress(inner, quality=5), "Content-Encoding: gzip, br\r\n")


def stacked(scale: int) -> bytes:
    """Zeros under four content codings and a transfer coding."""
    body = b"\0" * (1_000_000_000 // scale)
    for _ in range(4):
        body = gzip.compress(body, 9)
    return page(body, "Content-Encoding: gzip, gzip, gzip, gzip\r\nTransfer-Encoding: identity\r\n")


def five_codings(scale: int) -> bytes:
    """More codings than are undone."""
    body = WORDS.encode() * (1000 // scale + 1)
    for _ in range(5):
        body = gzip.compress(body)
    return page(body, "Content-Encoding: gzip, gzip, gzip, gzip\r\nTransfer-Encoding: gzip\r\n")


def zeros_member(scale: int) -> Iterator[bytes]:
    """A member of a WARC file that inflates to 10 GB of zeros."""
    start = record(b"x" * 10, "conversion", str(10_000_000_000 // scale))[:-14]
    deflater = zlib.compressobj(9, wbits=-15)
    yield gzip.compress(b"")[:10] + deflater.compress(start) + deflater.flush(zlib.Z_FULL_FLUSH)
    deflater = zlib.compressobj(9, wbits=-15)
    zeros = deflater.compress(bytes(64 << 20)) + deflater.flush(zlib.Z_FULL_FLUSH)
    for _ in range(10_000_000_000 // scale >> 26):
        yield zeros  # the same block again and again, as only its checksum depends on how often
    yield deflater.flush() + b"\0" * 8


def zeros_body(scale: int) -> bytes:
    """A payload that inflates to 10 GB of zeros."""
    return page(b"".join(list(zeros_member(scale))), "Content-Encoding: gzip\r\n")


def attributes(scale: int) -> bytes:
    """Ten million attributes: of one tag as far as a page is long, and the others in further tags."""
    names = b"".join(b' a%d=">"' % number for number in range(10_000_000 // scale))
    return page(b"<html><body><p" + names + b">text</p></body></html>")


def attributes_in_cap(scale: int) -> bytes:
    """As many attributes as fit into a page of 8 MB."""
    names = b"".join(b"a%d=''" % number for number in range(800_000 // scale))
    return page(b"<html><body><p " + names + b">text</p></body></html>")


def fonts(scale: int) -> bytes:
    """Formatting that each later paragraph repeats."""
    opened = b"".join(b"<font size=%d>" % number for number in range(900))
    return page(b"<p>" + opened + b"</p>" + b"<p>x</p>" * (900_000 // scale))


def values_line(scale: int) -> Iterator[bytes]:
    """60 MB of empty arrays."""
    yield b'{"text": "t", "x": ['
    yield from repeated(b"[],", 60_000_000 // scale)
    yield b"1]}"


def long_line(scale: int) -> Iterator[bytes]:
    """A row of 1 GB."""
    yield b'{"text": "'
    yield from repeated(b"abcdefgh", 1_000_000_000 // scale)
    yield b'"}'


def long_header(scale: int) -> bytes:
    """A WARC header of 100 MB."""
    return record(b"text", "conversion", more="X-Long: " + "y" * (100_000_000 // scale) + "\r\n")


def folded_header(scale: int) -> bytes:
    """A header field that goes on for 300,000 lines."""
    return page(b"<p>text", "X-Long: a\r\n" + " b\r\n" * (250_000 // scale))


def chunks(scale: int) -> bytes:
    """A body in chunks of one byte."""
    return page(b"1\r\na\r\n" * (10_000_000 // scale) + b"0\r\n\r\n", "Transfer-Encoding: chunked\r\n")


def markup(unit: bytes, before: bytes = b"", after: bytes = b"") -> Callable[[int], bytes]:
    """A page of repeated tags, as long as a page may be."""
    return lambda scale: page((before + unit * (1_000_000 // scale) + after)[: 8 << 20])


def unopened(scale: int) -> bytes:
    """End tags of elements that are not open, below many that are."""
    return page(b"<x>" * (600_000 // scale) + b"</y>" * (600_000 // scale))


def far(_: int) -> bytes:
    """A record that says it has 10^15 bytes."""
    return record(b"short", "conversion", "1" + "0" * 15)


def parquet(text: Callable[[int], Any], **options: Any) -> Write:
    """A Parquet file of three row groups, the bomb in the second."""

    def write(file: Any, scale: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        bomb = text(scale)
        sound = [pa.array([f"Neighbour {number}. {WORDS * 5}"], pa.large_string()) for number in (1, 2)]
        if pa.types.is_dictionary(bomb.type):
            sound = [array.dictionary_encode().cast(bomb.type) for array in sound]
        # Without Arrow's own schema in the file, what was written from dictionaries is read as text.
        options.update(compression="zstd", store_schema=False)
        with pq.ParquetWriter(file, pa.schema({"text": bomb.type}), **options) as writer:
            for array in (sound[0], bomb, sound[1]):
                writer.write_table(pa.table({"text": array}))

    return write


def long_rows(scale: int) -> Any:
    """Ten rows of 100 MB in one page."""
    import pyarrow as pa

    return pa.array(["a" * (100_000_000 // scale)] * 10, pa.large_string())


def one_page(scale: int) -> Any:
    """A row of 600 MB."""
    import pyarrow as pa

    return pa.array(["a" * (600_000_000 // scale)], pa.large_string())


def same_row(scale: int) -> Any:
    """A row of 1 MB, 20,000 times."""
    import pyarrow as pa

    row = pa.array(["a b " * (250_000 // scale)], pa.large_string())
    return pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), row)


def alike_rows(scale: int) -> Any:
    """Rows of 1 MB that differ by their last letters."""
    import pyarrow as pa

    return pa.array(["a b " * (250_000 // scale) + f"{number:04d}" for number in range(600)], pa.large_string())


def short_then_long(scale: int) -> Any:
    """Many short rows, which set the average, and then 600 of 700 kB."""
    import pyarrow as pa

    return pa.array(["word"] * 400_000 + ["c d " * (175_000 // scale)] * 600, pa.large_string())


def zipped(members: Callable[[int, Any], None]) -> Write:
    """A WACZ file: a sound member, the bomb, and another sound member."""

    def write(file: Any, scale: int) -> None:
        import zipfile

        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("archive/first.warc.gz", gzip.compress(neighbour(1)))
            members(scale, archive)
            archive.writestr("archive/last.warc.gz", gzip.compress(neighbour(2)))

    return write


def slips(_: int, archive: Any) -> None:
    """Members whose names lead out of the archive."""
    for name in ("../../slip.warc.gz", "/tmp/slip.warc.gz", "a/../../b.warc.gz", "C:\\slip.warc.gz"):
        archive.writestr(name, gzip.compress(neighbour(3)))


def many_members(scale: int, archive: Any) -> None:
    """A million members."""
    for number in range(1_000_000 // scale):
        archive.writestr(f"a/{number}.warc", b"")


def deflated_zeros(scale: int, archive: Any) -> None:
    """A member that inflates to 4 GB of zeros."""
    import zipfile

    entry = zipfile.ZipInfo("archive/zeros.warc")
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as member:
        for piece in repeated(b"\0" * 1024, 4_000_000_000 // scale):
            member.write(piece)


def lying(change: Callable[[bytearray], None]) -> Write:
    """A WACZ file whose listing lies about its second member."""

    def write(file: Any, scale: int) -> None:
        import io

        held = io.BytesIO()
        zipped(lambda _, archive: archive.writestr("archive/second.warc.gz", gzip.compress(neighbour(3))))(held, scale)
        content = bytearray(held.getvalue())
        change(content)
        file.write(content)

    return write


def listed(content: bytearray) -> int:
    """Where the second member stands in the listing."""
    return content.index(b"PK\1\2", content.index(b"PK\1\2") + 4)


def larger(content: bytearray) -> None:
    """It says that it has 3 GB."""
    content[listed(content) + 24 : listed(content) + 28] = (3_000_000_000).to_bytes(4, "little")


def elsewhere(content: bytearray) -> None:
    """It says that it begins where the first does."""
    content[listed(content) + 42 : listed(content) + 46] = bytes(4)


BOMBS = (
    Bomb("no bomb.warc", "", in_warc(lambda _: b"")),
    Bomb("gzip 1:1000 in br.warc", "payload", in_warc(gzip_in_brotli)),
    Bomb("four gzips in one another.warc", "payload", in_warc(stacked)),
    Bomb("five codings.warc", "payload", in_warc(five_codings)),
    Bomb(
        "gzip of 10 GB of zeros, a member.warc.gz",
        "ratio|content-length|damaged-member|too-long",
        in_members(zeros_member),
    ),
    Bomb("gzip of 10 GB of zeros, a body.warc", "payload", in_warc(zeros_body)),
    Bomb("10^6 nested div.warc", "html", in_warc(markup(b"<div>"))),
    Bomb("10^6 open b i.warc", "html", in_warc(markup(b"<b><i>"))),
    Bomb("10^6 end tags of nothing.warc", "html", in_warc(lambda scale: unopened(scale))),
    Bomb("10^7 attributes.warc", "html|too-long", in_warc(attributes)),
    Bomb("attributes within the size of a page.warc", "", in_warc(attributes_in_cap)),
    Bomb("unclosed formatting.warc", "", in_warc(fonts)),
    Bomb("lists in lists.warc", "html", in_warc(markup(b"<ul><li>a"))),
    Bomb("options.warc", "html", in_warc(markup(b"<option selected>a", b"<select>"))),
    Bomb("100 MB header.warc", "header-too-long", in_warc(long_header)),
    Bomb("header of many lines.warc", "", in_warc(folded_header)),
    Bomb("chunks of one byte.warc", "payload", in_warc(chunks)),
    Bomb("Content-Length 10^15.warc", "truncated|content-length", in_warc(far)),
    Bomb("Content-Length negative.warc", "content-length", in_warc(lambda _: record(b"short", "conversion", "-5"))),
    Bomb(
        "Content-Length of 40 digits.warc",
        "content-length",
        in_warc(lambda _: record(b"short", "conversion", "9" * 40)),
    ),
    Bomb(
        "Content-Length 10^15.warc.gz", "truncated|content-length", in_members(lambda _: iter([gzip.compress(far(_))]))
    ),
    Bomb(
        "60 MB of plain text.warc",
        "",
        in_warc(lambda scale: page(WORDS.encode() * (600_000 // scale), media="text/plain")),
    ),
    Bomb("1 GB line.jsonl", "line-too-long", in_lines(long_line)),
    Bomb("1 GB line.jsonl.gz", "line-too-long|ratio", in_lines(long_line, packed=True)),
    Bomb(
        "10^7 nested arrays.jsonl",
        "bad-json|too-many-values",
        in_lines(lambda scale: repeated(b"[", 10_000_000 // scale)),
    ),
    Bomb("60 MB of empty arrays.jsonl", "too-many-values", in_lines(values_line)),
    Bomb("10 rows of 100 MB in a page.parquet", "too-long|ratio", parquet(long_rows)),
    Bomb("600 MB in a page.parquet", "too-long", parquet(one_page)),
    Bomb("1 MB in a dictionary, 20,000 times.parquet", "ratio", parquet(same_row)),
    Bomb(
        "1 MB by its prefix, 600 times.parquet",
        "ratio",
        parquet(alike_rows, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}),
    ),
    Bomb("700 kB, 600 times behind short rows.parquet", "ratio", parquet(short_then_long, use_dictionary=False)),
    Bomb("names that lead out.wacz", "member-name", zipped(slips)),
    Bomb("10^6 members.wacz", REFUSED, zipped(many_members)),
    Bomb("4 GB of zeros in a member.wacz", "ratio|not-a-record|truncated", zipped(deflated_zeros)),
    Bomb("a listing of 3 GB.wacz", "ratio|damaged-member", lying(larger)),
    Bomb("a listing of shared bytes.wacz", "damaged-member", lying(elsewhere)),
)


class Seen(NamedTuple):
    """What a scan did."""

    code: int
    tagged: int
    reasons: str
    memory: int
    seconds: float
    said: str


def scanned(file: Path, folder: Path) -> Seen:
    """Scan a file in a process of its own."""
    began, spent = time.monotonic(), used()
    command = [sys.executable, "-c", "from provenance.cli import main; main()", "scan", str(file), "--no-store"]
    process = subprocess.Popen([*command, "--out", str(folder), "--jobs", "1"], stdout=-1, stderr=-2, text=True)
    memory = 0
    while process.poll() is None:
        memory = max(memory, resident(process.pid))
        time.sleep(0.02)
        if time.monotonic() - began > 20 * MOST_SECONDS:
            process.kill()
    said = process.stdout.read() if process.stdout else ""
    tagged, reasons = results(folder)
    return Seen(process.returncode, tagged, reasons, memory, used() - spent, said)


def used() -> float:
    """Processor time of all processes that have ended, in seconds."""
    times = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.ru_utime + times.ru_stime


def results(folder: Path) -> tuple[int, str]:
    """Neighbours that have a tag, and the rejects by reason."""
    import duckdb

    rows = sorted(map(str, folder.glob("records-*.parquet")))
    rejects = sorted(map(str, folder.glob("rejects-*.parquet")))
    tagged = 0
    if rows:
        query = "select count(*) from read_parquet(?) where tag is not null and words between 90 and 130"
        tagged = duckdb.execute(query, [rows]).fetchone()[0]  # type: ignore[index]
    found: list[Any] = []
    if rejects:
        found = duckdb.execute(
            "select reason, count(*) from read_parquet(?) group by 1 order by 1", [rejects]
        ).fetchall()
    return tagged, ", ".join(reason if count == 1 else f"{reason} ×{count}" for reason, count in found)


def resident(pid: int) -> int:
    """Resident memory of a process and of those it started."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (OSError, ValueError):
        return 0
    own = next((int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS:")), 0)
    return own * 1024 + sum(map(resident, children))


def main(argv: list[str]) -> int:
    """Run, print, and say whether anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help="parts of names of bombs")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(argv)
    if str(ROOT / "src") not in sys.path:
        sys.path.insert(0, str(ROOT / "src"))
    wrong = 0
    print(
        "| bomb | size | rejects | neighbours tagged | peak memory, MB | CPU seconds | |\n|---|--:|---|--:|--:|--:|---|"
    )
    for bomb in BOMBS:
        if options.names and not any(name in bomb.name for name in options.names):
            continue
        with tempfile.TemporaryDirectory(dir=options.keep) as folder:
            file = Path(folder) / bomb.name.replace(" ", "-").replace(":", "-")
            with file.open("wb") as stream:
                bomb.write(stream, 100 if options.quick else 1)
            size = file.stat().st_size
            seen = scanned(file, Path(folder) / "out")
        named = any(reason in seen.reasons for reason in bomb.reason.split("|")) if bomb.reason else not seen.reasons
        if bomb.reason == REFUSED:  # and what else is scanned with it is not concerned
            named = seen.code == 2 and "more than" in seen.said
            seen = seen._replace(code=0, tagged=2, reasons="source refused") if named else seen
        bad = [
            *([f"exit {seen.code}: {seen.said[-300:]!r}"] if seen.code else []),
            *([] if named or options.quick else ["not rejected as it should be"]),
            *([] if seen.tagged == 2 else ["a neighbour is lost"]),
            *([] if seen.memory < MOST_MEMORY else ["too much memory"]),
            *([] if seen.seconds < MOST_SECONDS else ["too slow"]),
        ]
        wrong += bool(bad)
        name = bomb.name.rpartition(".warc")[0] + " (WARC)" if ".warc" in bomb.name else bomb.name
        print(
            f"| {name} | {size:,} | {seen.reasons or 'read'} | "
            f"{'–' if bomb.reason == REFUSED else seen.tagged} | {seen.memory // 1_000_000:,}"
            f" | {seen.seconds:.1f} | {'; '.join(bad)} |",
            flush=True,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
