"""ZIP directories in all widths, by what zipfile writes; and archives that have lost theirs."""

from __future__ import annotations

import io
import zipfile

import pytest

from provenance.errors import SourceError
from provenance.readers import ReadOptions, archive

MEMBERS = [("a.warc", b"one" * 50), ("folder/\xfc.warc", b""), ("c.warc.gz", bytes(range(256)) * 3), ("d", b"x")]


def zipped(comment=b"", method=zipfile.ZIP_STORED, front=b""):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as target:
        target.comment = comment
        for name, content in MEMBERS:
            member = zipfile.ZipInfo(name)
            member.extra, member.comment = b"\xfe\xca\x03\x00abc", b"about it"
            target.writestr(member, content, method)
    return front + file.getvalue()


def known(content):
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return [
            (i.filename, i.flag_bits, i.compress_type, i.CRC, i.compress_size, i.file_size, i.header_offset)
            for i in opened.infolist()
        ]


def told(entries):
    return [(e.name, e.flags, e.method, e.crc, e.compressed, e.size, e.header) for e in entries]


def bytes_of(content, entry, start, length):
    """What an entry gives, and what is said to be wrong with it."""
    if entry.method == zipfile.ZIP_STORED:
        stored = archive.Checked(io.BytesIO(content), entry, start, length)
        return stored.read(), stored.fault
    stream = archive.Bytes(io.BytesIO(content), entry, start, length)
    return b"".join(stream), stream.fault


@pytest.fixture(params=["narrow", "wide sizes", "wide counts", "wide"])
def width(request, monkeypatch):
    """Let zipfile write the ZIP64 fields of large archives into small ones."""
    if "sizes" in request.param or request.param == "wide":
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    if "counts" in request.param or request.param == "wide":
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("comment", "front"), [(b"", b""), (b"a comment", b""), (b"", b"a program in front")])
def test_directories_of_every_width_are_read(method, comment, front):
    content = zipped(comment, method, front)
    found = archive.entries(io.BytesIO(content), len(content), ReadOptions())
    assert told(found) == known(content)
    assert [entry.number for entry in found] == list(range(len(MEMBERS)))
    for entry, (_, expected) in zip(found, MEMBERS, strict=True):
        start, length = archive.place(io.BytesIO(content), entry, len(content))
        assert bytes_of(content, entry, start, length) == (expected, None)


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("cut", [0, 1, 25, 60])
def test_without_its_directory_an_archive_is_walked(cut):
    content = zipped()
    begins = content.index(b"PK\x01\x02")
    torn = content[: begins - cut]
    found = list(archive.walk(io.BytesIO(torn), len(torn), ReadOptions()))
    assert told(found) == known(content)[: len(found)]
    assert len(found) == (len(MEMBERS) if cut < 25 else len(MEMBERS) - 1)
    assert len(list(archive.walk(io.BytesIO(torn), len(torn), ReadOptions(max_members=2)))) == 2


def test_sizes_that_stand_behind_the_bytes_end_the_walk():
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    file = Pipe()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("a", b"text")
    content = file.content
    assert content[6] & 8
    assert list(archive.walk(io.BytesIO(content), len(content), ReadOptions())) == []


def test_the_number_of_members_is_bounded():
    content = zipped()
    assert len(archive.entries(io.BytesIO(content), len(content), ReadOptions(max_members=4))) == 4
    with pytest.raises(SourceError, match="says it has 4 members, more than 3"):
        archive.entries(io.BytesIO(content), len(content), ReadOptions(max_members=3))
    end = content.rindex(b"PK\x05\x06")
    lies = content[: end + 8] + b"\x01\x00\x01\x00" + content[end + 12 :]
    with pytest.raises(SourceError, match="has more than 3 members"):
        archive.entries(io.BytesIO(lies), len(lies), ReadOptions(max_members=3))


def test_what_is_no_archive_has_no_end():
    for content in (b"", b"PK\x05\x06", b"x" * 100_000):
        with pytest.raises(EOFError):
            archive.entries(io.BytesIO(content), len(content), ReadOptions())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_checksum_or_size_is_told(method):
    content = zipped(method=method)
    entry = archive.entries(io.BytesIO(content), len(content), ReadOptions())[2]
    start, length = archive.place(io.BytesIO(content), entry, len(content))
    assert bytes_of(content, entry._replace(crc=entry.crc ^ 1), start, length)[1] == "its checksum is wrong"
    if method == zipfile.ZIP_DEFLATED:
        assert bytes_of(content, entry._replace(size=entry.size + 1), start, length)[1] == "its checksum is wrong"
        less = entry._replace(size=entry.size - 1)
        assert bytes_of(content, less, start, length) == (b"", f"more than the {less.size} bytes it should have")
        assert bytes_of(content, entry, start, length - 1)[1] == "it ends before its deflate stream does"
        assert "deflate" in bytes_of(content, entry, start + 1, length - 1)[1]


def test_a_checksum_is_over_bytes_in_order_however_they_are_read():
    content = zipped()
    entry = archive.entries(io.BytesIO(content), len(content), ReadOptions())[0]
    stream = archive.Checked(io.BytesIO(content), entry, *archive.place(io.BytesIO(content), entry, len(content)))
    assert stream.read(10) == b"oneoneoneo"
    stream.seek(4)
    assert stream.read(20) == (b"one" * 9)[4:24]
    stream.seek(100)
    assert len(stream.read(50)) == 50
    stream.seek(20)
    assert len(stream.read(130)) == 130
    assert stream.fault is None
