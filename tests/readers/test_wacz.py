"""WACZ: the crawl files in it are read in place, and nothing that a ZIP archive says of itself is believed."""

from __future__ import annotations

import gzip
import io
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from provenance.errors import SourceError
from provenance.readers import ReadOptions, Source, Tally, archive, open_records
from provenance.readers.wacz import MEMBER


def zipped(*members, method=zipfile.ZIP_STORED):
    """A ZIP archive of (name, bytes) or (name, bytes, method)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for name, content, *own in members:
            target.writestr(zipfile.ZipInfo(name), content, *(own or [method]))
    return file.getvalue()


@pytest.fixture
def warcs(record):
    """Three crawl files: plain, by record, and in one gzip member."""
    plain, recordwise, whole = ([record(f"text {name} {n}") for n in range(4)] for name in ("p", "r", "w"))
    return (
        ("archive/p.warc", b"".join(plain)),
        ("archive/r.warc.gz", b"".join(gzip.compress(each, mtime=0) for each in recordwise)),
        ("archive/w.warc.gz", gzip.compress(b"".join(whole), mtime=0)),
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_crawl_file_is_read_and_positions_are_unique(read, warcs, method):
    content = zipped(("datapackage.json", "{}"), *warcs, ("indexes/index.cdx", "x"), method=method)
    rows, tally = read(content, "x.wacz")
    assert tally.format == "wacz"
    assert [row["raw"].strip() for row in rows] == [f"text {name} {n}" for name in "prw" for n in range(4)]
    assert dict(tally.skipped) == {"wacz-member": 2}
    assert not tally.rejects
    positions = [row["position"] for row in rows]
    assert len(set(positions)) == 12
    alone, _ = read(warcs[1][1], "r.warc.gz")
    assert positions[4:8] == [2 * MEMBER + row["position"] for row in alone]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_records_are_found_again_by_position(tmp_path, warcs, method):
    path = tmp_path / "x.wacz"
    path.write_bytes(zipped(("datapackage.json", "{}"), *warcs, method=method))
    source = Source(str(path), "x.wacz", path.stat().st_size)
    every = [row for batch in open_records(source, ReadOptions(), Tally()) for row in batch.to_pylist()]
    for chosen in ([0], [11], [3, 4], [5, 7, 9], list(range(12))):
        only = np.array([every[index]["position"] for index in chosen], np.int64)
        tally = Tally()
        found = [row for batch in open_records(source, ReadOptions(), tally, only) for row in batch.to_pylist()]
        assert found == [every[index] for index in chosen]
        assert not tally.rejects


def test_real_archives_hold_what_warcio_finds(shared, read):
    for path in sorted((shared / "data" / "crawl" / "wacz").glob("*.wacz")):
        if path.name == "invalid_example_1.wacz":
            with pytest.raises(SourceError, match="no crawl file"):
                read(path)
            continue
        inside = members = 0
        with zipfile.ZipFile(path) as opened:
            for name in opened.namelist():
                members += 1
                if ".warc" in name:
                    inside += sum(1 for _ in ArchiveIterator(io.BytesIO(opened.read(name))))
                    members -= 1
        _, tally = read(path)
        assert tally.read - tally.skipped["wacz-member"] == inside, path.name
        assert tally.skipped["wacz-member"] == members
        assert tally.records > 0


@pytest.mark.parametrize(
    "name",
    [
        "../a.warc",
        "archive/../../a.warc",
        "/etc/a.warc",
        "C:/a.warc",
        "archive\\a.warc",
        "a\nb.warc",
        "x/" * 600 + "a.warc",
    ],
)
def test_names_that_lead_elsewhere_are_refused(read, record, name):
    bad = zipped(("archive/good.warc", record("good")), ("Q" * len(name), record("bad")))
    rows, tally = read(bad.replace(b"Q" * len(name), name.encode()), "x.wacz")
    assert [row["raw"].strip() for row in rows] == ["good"]
    assert [(reject.reason, reject.position) for reject in tally.rejects] == [("member-name", MEMBER)]


def patched(content, name, offset, fmt, value):
    """An archive whose directory entry of this name says something else."""
    at = content.rindex(name.encode()) - 46
    assert content[at : at + 4] == b"PK\x01\x02"
    changed = bytearray(content)
    struct.pack_into(fmt, changed, at + offset, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("offset", "fmt", "value", "reason"),
    [
        (8, "<H", 1, "encrypted"),
        (10, "<H", 12, "damaged-member"),  # the local header says otherwise
        (42, "<I", 7, "damaged-member"),
        (16, "<I", 1234, "damaged-member"),
        (24, "<I", 4_000_000_000, "ratio"),
    ],
)
def test_a_member_that_lies_is_one_reject(read, record, offset, fmt, value, reason):
    content = zipped(
        ("a.warc", record("one")),
        ("b.warc", record("two") * 3),
        ("c.warc", record("three")),
        method=zipfile.ZIP_DEFLATED,
    )
    rows, tally = read(patched(content, "b.warc", offset, fmt, value), "x.wacz")
    texts = [row["raw"].strip() for row in rows]
    assert (texts[0], texts[-1]) == ("one", "three")
    # A wrong checksum is known only when the member has been read.
    assert texts[1:-1] in ([], ["two"] * 3)
    assert reason in {reject.reason for reject in tally.rejects} or (offset == 10 and tally.rejects)
    assert {reject.position // MEMBER for reject in tally.rejects} == {1}


def test_other_compressions_are_refused(read, record):
    content = zipped(("a.warc", record("one")), ("b.warc", record("two"), zipfile.ZIP_LZMA))
    rows, tally = read(content, "x.wacz")
    assert [row["raw"].strip() for row in rows] == ["one"]
    assert [reject.reason for reject in tally.rejects] == ["member-compression"]


def test_members_that_share_bytes_are_refused(read, record):
    """The bomb of David Fifield: one stretch of bytes in many members."""
    content = zipped(("a.warc", record("one")), ("b.warc", record("two")))
    rows, tally = read(patched(content, "b.warc", 42, "<I", 0), "x.wacz")
    assert [row["raw"].strip() for row in rows] == ["one"]
    assert "shares bytes" in tally.rejects[0].detail


def test_a_damaged_member_costs_itself(read, record):
    members = [(f"{n}.warc.gz", gzip.compress(record(f"text {n}" * 30), mtime=0)) for n in range(3)]
    content = bytearray(zipped(*members))
    content[content.index(members[1][1]) + 60] ^= 0xFF
    rows, tally = read(bytes(content), "x.wacz")
    assert [row["raw"][:6] for row in rows] == ["text 0", "text 2"]
    assert {reject.position // MEMBER for reject in tally.rejects} == {1}


def test_a_cut_archive_gives_what_stands_before(read, record):
    content = zipped(*((f"{n}.warc", record(f"text {n}") * 5) for n in range(3)))
    rows, tally = read(content[: content.index(b"2.warc") + 600], "x.wacz")
    assert [row["raw"][:6] for row in rows[:10]] == ["text 0"] * 5 + ["text 1"] * 5
    assert "truncated" in {reject.reason for reject in tally.rejects}


def test_a_million_members_are_refused_before_they_are_listed(read):
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    wide = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 4)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 4 + len(directory), 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    began = time.monotonic()
    with pytest.raises(SourceError, match="1000000 members"):
        read(b"PK\x03\x04" + directory + wide + locator + end, "x.wacz")
    # One that states fewer than it lists is no better.
    short = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 4, 0)
    with pytest.raises(SourceError, match="more than 100000 members"):
        read(b"PK\x03\x04" + directory + short, "x.wacz")
    assert time.monotonic() - began < 5


def test_an_archive_without_a_crawl_file_is_named(read):
    with pytest.raises(SourceError, match="no crawl file"):
        read(zipped(("word/document.xml", "<xml/>")), "x.docx")
    with pytest.raises(SourceError, match="compressed as a whole"):
        read(gzip.compress(zipped(("a.warc", b""))), "x.wacz.gz")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8))
def test_no_changed_byte_gets_more_than_a_named_error(changes):
    content = bytearray(zipped(("a.warc", b"WARC/1.0\r\n"), ("b/c.warc.gz", gzip.compress(b"x" * 99)), ("d", b"e")))
    for at, value in changes:
        content[at % len(content)] = value
    file = io.BytesIO(bytes(content))
    try:
        found = archive.entries(file, len(content), ReadOptions())
    except (SourceError, EOFError):
        return
    for entry in found:
        try:
            archive.check(entry, ReadOptions())
            start, length = archive.place(file, entry, len(content))
        except archive.EntryRefused:
            continue
        assert sum(map(len, archive.Bytes(file, entry, start, length))) <= max(entry.size, zlib.MAX_WBITS) + (1 << 20)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_directory_says_what_zipfile_says(method):
    content = b"prefix" + zipped(("a", b"1"), ("dir/b", b"22" * 999), ("\xfc.warc", b""), method=method)
    found = archive.entries(io.BytesIO(content), len(content), ReadOptions())
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        expected = [(i.filename, i.compress_size, i.file_size, i.CRC, i.header_offset) for i in opened.infolist()]
    assert [(e.name, e.compressed, e.size, e.crc, e.header) for e in found] == expected


def test_an_archive_with_wide_sizes_is_read_as_a_narrow_one(read, warcs, monkeypatch):
    """ZIP64, as archives above 4 GB are; here everything counts as large."""
    narrow, _ = read(zipped(*warcs), "x.wacz")
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 0)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    content = zipped(*warcs)
    assert b"PK\x06\x06" in content  # the wide end of the directory
    wide, tally = read(content, "x.wacz")
    assert [row["raw"] for row in wide] == [row["raw"] for row in narrow]
    assert len(wide) == 12
    assert not tally.rejects
