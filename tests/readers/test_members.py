"""Every compression around every container, damaged and absurd ones among them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import struct

import pytest
import zstandard

from provenance.errors import SourceError
from provenance.readers.members import zstd

lz4 = pytest.importorskip("lz4.frame")


def lines(count, start=0):
    return b"".join(json.dumps({"text": f"text number {n}"}).encode() + b"\n" for n in range(start, start + count))


PACK = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "lz4": lz4.compress,
}


@pytest.mark.parametrize("compression", PACK)
def test_one_member_and_many_read_the_same(read, compression):
    rows, tally = read(PACK[compression](lines(300)))
    assert tally.format == f"jsonl.{compression}"
    many = b"".join(PACK[compression](lines(30, start)) for start in range(0, 300, 30))
    assert read(many)[0] == rows
    assert [row["raw"] for row in rows] == [f"text number {n}" for n in range(300)]


@pytest.mark.parametrize("compression", PACK)
def test_a_damaged_member_costs_its_own_rows(read, compression):
    members = [bytearray(PACK[compression](lines(200, start))) for start in range(0, 1000, 200)]
    middle = members[2]
    for at in range(len(middle) // 2, len(middle) // 2 + 4):
        middle[at] ^= 0x5A
    rows, tally = read(b"".join(members))
    found = {row["raw"] for row in rows}
    sound = [n for n in range(1000) if not 400 <= n < 600]
    assert all(f"text number {n}" in found for n in sound)
    assert tally.rejects
    assert any(reject.reason == "damaged-member" for reject in tally.rejects)


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_cut_file_says_so_and_gives_what_stands_before(read, compression, cut):
    content = b"".join(PACK[compression](lines(100, start)) for start in (0, 100, 200))
    rows, tally = read(content[:-cut])
    assert len(rows) >= 200
    assert {reject.reason for reject in tally.rejects} <= {"truncated", "damaged-member"}
    assert len(rows) < 300 or tally.rejects


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
def test_what_stands_before_damage_is_read_to_the_last_line(read, compression):
    """A decoder that fails on a chunk gives nothing of it, even of what it had decoded."""
    texts = [random.Random(n).randbytes(40).hex() for n in range(6_000)]
    text = b"".join(json.dumps({"text": each}).encode() + b"\n" for each in texts)
    pack = {"bz2": lambda data: bz2.compress(data, 1), "xz": lambda data: lzma.compress(data, preset=0)}
    content = bytearray(pack.get(compression, PACK[compression])(text))
    at = len(content) // 2
    content[at : at + 64] = bytes(byte ^ 0xA5 for byte in content[at : at + 64])
    rows, tally = read(bytes(content))
    # bzip2 checks blocks of 100 kB, of which the one that is hit is lost.
    assert [row["raw"] for row in rows[:1800]] == texts[:1800]
    assert len(rows) >= (1800 if compression == "bz2" else 2800)
    assert tally.rejects


@pytest.mark.parametrize("outer", PACK)
@pytest.mark.parametrize("inner", PACK)
def test_a_compression_around_another(read, inner, outer):
    rows, tally = read(PACK[outer](PACK[inner](lines(50))))
    assert tally.format == f"jsonl.{inner}.{outer}"
    assert len(rows) == 50
    assert not tally.rejects


def test_a_cut_within_nested_compressions_is_one_fault(read):
    content = PACK["gz"](PACK["xz"](lines(50)) + PACK["xz"](lines(50, 50)))
    rows, tally = read(content[:-30])
    assert len(rows) >= 50
    assert [reject.reason for reject in tally.rejects] == ["truncated"]


def test_more_layers_than_the_cap(read):
    with pytest.raises(SourceError, match="more than 2 times"):
        read(PACK["gz"](PACK["gz"](PACK["gz"](lines(5)))))
    assert len(read(PACK["gz"](PACK["gz"](PACK["gz"](lines(5)))), max_layers=3)[0]) == 5


def dictionary():
    rows = ({"text": f"a text about the number {n}", "url": f"http://a.example/{n}"} for n in range(999))
    samples = [json.dumps(row).encode() for row in rows]
    return zstandard.train_dictionary(4096, samples)


@pytest.mark.parametrize("packed", [False, True])
def test_zstandard_with_a_dictionary_in_front(read, record, packed):
    """IIPC's Zstandard compression of WARC files: a skippable frame holds the dictionary, plain or compressed."""
    trained = dictionary()
    raw = trained.as_bytes()
    content = zstandard.compress(raw) if packed else raw
    head = b"\x5d\x2a\x4d\x18" + struct.pack("<I", len(content)) + content
    compressor = zstandard.ZstdCompressor(dict_data=trained)
    records = [record(f"a text about the number {n}") for n in range(20)]
    rows, tally = read(head + b"".join(map(compressor.compress, records)), "x.warc.zst")
    assert tally.format == "warc.zst"
    assert [row["raw"].strip() for row in rows] == [f"a text about the number {n}" for n in range(20)]
    plain, _ = read(b"".join(records), "x.warc")
    assert [row["position"] for row in rows] == [row["position"] for row in plain]


def test_a_dictionary_that_is_missing_or_damaged(read, record):
    compressor = zstandard.ZstdCompressor(dict_data=dictionary())
    frames = b"".join(compressor.compress(record(f"number {n}")) for n in range(3))
    with pytest.raises(SourceError, match="nothing of it can be decompressed"):
        read(frames, "x.zst")
    head = b"\x5d\x2a\x4d\x18" + struct.pack("<I", 4) + b"none"
    with pytest.raises(SourceError, match="nothing of it can be decompressed"):
        read(head + frames, "x.zst")


def test_other_skippable_frames_are_skipped(read):
    content = b"\x50\x2a\x4d\x18" + struct.pack("<I", 5) + b"hello" + PACK["zst"](lines(3))
    assert len(read(content)[0]) == 3
    _, tally = read(PACK["zst"](lines(3)) + b"\x50\x2a\x4d\x18" + struct.pack("<I", 50) + b"hello")
    assert [reject.reason for reject in tally.rejects] == ["truncated"]


@pytest.mark.parametrize("compression", ["gz", "zst", "bz2", "xz"])
def test_a_bomb_is_a_reject_and_its_neighbours_are_read(read, compression, monkeypatch):
    monkeypatch.setattr("provenance.readers.pieces._FREE", 1 << 20)
    bomb = PACK[compression](b"0" * (16 << 20))
    rows, tally = read(PACK[compression](lines(5)) + bomb + PACK[compression](lines(5, 5)), max_ratio=100)
    assert [row["raw"] for row in rows] == [f"text number {n}" for n in range(10)]
    assert "ratio" in {reject.reason for reject in tally.rejects}


def test_a_source_that_grows_beyond_its_cap(read):
    with pytest.raises(SourceError, match="decompresses to more than 1000 bytes"):
        read(PACK["gz"](lines(500)), max_source_bytes=1000)


@pytest.mark.parametrize("compression", ["zst", "xz"])
def test_a_window_beyond_the_cap(read, compression):
    if compression == "xz":
        content = lzma.compress(lines(3), preset=9)
    else:
        parameters = zstd().CompressionParameter
        compressor = zstd().ZstdCompressor(options={parameters.window_log: 27, parameters.content_size_flag: 0})
        content = compressor.compress(lines(3)) + compressor.flush()
    with pytest.raises(SourceError, match="nothing of it can be decompressed"):
        read(content, max_window_bytes=1 << 20)
    assert len(read(content)[0]) == 3


def test_padding_behind_the_last_member(read):
    rows, tally = read(PACK["xz"](lines(3)) + bytes(64))
    assert (len(rows), tally.rejects) == (3, [])


def test_bytes_behind_the_last_member_are_told(read):
    rows, tally = read(PACK["bz2"](lines(3)) + b"rubbish")
    assert len(rows) == 3
    assert len(tally.rejects) == 1
