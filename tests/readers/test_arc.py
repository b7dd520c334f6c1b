"""ARC files: what warcio reads of them is read, and more where they are broken."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime

import pytest
from warcio.archiveiterator import ArchiveIterator

VERSION_1 = "1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
VERSION_2 = (
    "2 0 Test\nURL IP-address Archive-date Content-type Result-code Checksum Location Offset Filename Archive-length\n"
)


def page(words, status="200 OK", media="text/html"):
    return f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n\r\n<p>{words}, and a few more words</p>".encode()


def arc(*captures, version=1, length=len, date="20080430204825"):
    """Records of an ARC file: its version block, then (URL, block) each."""
    block = (VERSION_1 if version == 1 else VERSION_2).encode()
    head = "text/plain" if version == 1 else "text/plain 200 - - 0 test.arc"
    records = [f"filedesc://test.arc 0.0.0.0 {date} {head} {len(block)}\n".encode() + block + b"\n"]
    for url, block in captures:
        fields = "text/html" if version == 1 else "text/html 200 abc - 1234 test.arc"
        records.append(f"{url} 192.0.2.7 {date} {fields} {length(block)}\n".encode() + block + b"\n")
    return records


PAGES = [(f"http://a.example/{number}", page(f"page number {number}")) for number in range(5)]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("form", ["plain", "by record", "whole"])
def test_every_capture_is_a_record_with_url_and_date(read, version, form):
    records = arc(*PAGES, version=version)
    plain = b"".join(records)
    content = {
        "plain": plain,
        "by record": b"".join(gzip.compress(record, mtime=0) for record in records),
        "whole": gzip.compress(plain, mtime=0),
    }[form]
    rows, tally = read(content, "x.arc")
    assert tally.format == ("arc" if form == "plain" else "arc.gz")
    assert [(row["url"], row["raw"].split(",")[0]) for row in rows] == [
        (f"http://a.example/{number}", f"page number {number}") for number in range(5)
    ]
    assert {row["captured_at"] for row in rows} == {datetime(2008, 4, 30, 20, 48, 25, tzinfo=UTC)}
    assert {row["date_origin"] for row in rows} == {"container"}
    assert dict(tally.skipped) == {"filedesc": 1}
    if form != "whole":  # warcio does not read a file that is one member
        starts = [record.raw_stream and place for record, place in offsets(content)]
        assert [row["position"] for row in rows] == starts[1:]


def offsets(content):
    iterator = ArchiveIterator(io.BytesIO(content))
    for record in iterator:
        yield record, iterator.get_record_offset()


@pytest.mark.parametrize("name", ["example.arc", "example.arc.gz"])
def test_a_real_file_reads_as_warcio_reads_it(shared, read, name):
    path = shared / "data" / "crawl" / "revisit" / name
    rows, tally = read(path)
    with path.open("rb") as file:
        found = [record.rec_headers.get_header("WARC-Target-URI") for record in ArchiveIterator(file, arc2warc=True)]
    assert [row["url"] for row in rows] == found[1:] == ["http://example.com/"]
    assert rows[0]["captured_at"] == datetime(2014, 2, 16, 5, 2, 21, tzinfo=UTC)
    assert rows[0]["raw"].startswith("Example Domain")
    assert not tally.rejects


@pytest.mark.parametrize(("name", "read_", "rejected"), [("bad.arc", 4, 3), ("example.arc", 2, 0)])
def test_every_header_line_is_accounted_for(shared, read, name, read_, rejected):
    _, tally = read(shared / "data" / "crawl" / "revisit" / name)
    assert (tally.read, len(tally.rejects)) == (read_, rejected)


def test_lines_as_crawlers_wrote_them(read):
    url, block = "http://a.example/with some spaces?q=a b", page("spaces")
    line = f"{url} 192.0.2.7 20080430204825 text/html; charset=utf-8 {len(block)}\n".encode()
    dashed = f"http://b.example/ - - - {len(block)}\n".encode()
    odd = f"http://c.example/ 2001:db8::7 20080430204825123 no-type {len(block)}\r\n".encode()
    rows, tally = read(arc()[0] + line + block + b"\n" + dashed + block + b"\n" + odd + block + b"\n\n", "x.arc")
    assert [row["url"] for row in rows] == [url, "http://b.example/", "http://c.example/"]
    assert [row["captured_at"] and row["captured_at"].year for row in rows] == [2008, None, 2008]
    assert not tally.rejects


def test_what_holds_no_page_is_skipped(read):
    records = arc(
        ("dns:a.example", b"20080430204825\na.example. 300 IN A 192.0.2.7\n"),
        ("http://a.example/gone", page("gone", "404 Not Found")),
        ("http://a.example/picture", page("x", media="image/png")),
    )
    rows, tally = read(b"".join(records), "x.arc")
    assert not rows
    assert dict(tally.skipped) == {"filedesc": 1, "dns": 1, "http-4xx": 1, "image": 1}


@pytest.mark.parametrize("lie", ["12x", "-1", "9999999999", "3"])
def test_a_wrong_length_costs_one_record(read, lie):
    records = arc(*PAGES)
    shown = str(len(PAGES[1][1])).encode()
    records[2] = records[2].replace(b" text/html " + shown, b" text/html " + lie.encode(), 1)
    rows, tally = read(b"".join(records), "x.arc")
    assert [row["url"][-1] for row in rows] == ["0", "2", "3", "4"]
    assert len(tally.rejects) == 1
    # A payload could have forged what is found by searching.
    assert [row["recovered"] for row in rows] == [False, True, True, True]
    assert [row["captured_at"] for row in rows][1:] == [None] * 3


def test_a_damaged_member_costs_one_record(read):
    members = [bytearray(gzip.compress(record, mtime=0)) for record in arc(*PAGES)]
    members[2][len(members[2]) * 3 // 4] ^= 0xFF
    rows, tally = read(b"".join(members), "x.arc.gz")
    assert [row["url"][-1] for row in rows] == ["0", "2", "3", "4"]
    assert [reject.reason for reject in tally.rejects] == ["damaged-member"]


@pytest.mark.parametrize("cut", [1, 40, 100])
def test_a_cut_file_says_so(read, cut):
    rows, tally = read(b"".join(gzip.compress(record, mtime=0) for record in arc(*PAGES))[:-cut], "x.arc.gz")
    assert len(rows) == 4
    assert [reject.reason for reject in tally.rejects] == ["truncated"]


def test_hostile_lines_take_no_time(read):
    line = b"http://a.example/" + b" 1.2.3.4 20080430" * 60_000 + b"\n"
    rows, tally = read(arc()[0] + line + b"x" * 1000 + b"\n" + b"".join(arc(*PAGES)[1:]), "x.arc")
    assert len(rows) == 5
    assert len(tally.rejects) == 1
