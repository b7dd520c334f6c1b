from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import pytest

from provenance.readers import inflate, pieces
from provenance.readers.grammar import parse_headers, plain_headers
from provenance.readers.inflate import whole_member
from provenance.readers.options import ReadOptions

pytest.importorskip("isal")
TEXTS = [b"", b"a", b"word " * 40, random.Random(1).randbytes(3_000), b"long text, " * 9_000]


def damaged(content: bytes, source: random.Random) -> bytes:
    """Bytes with a few bits flipped, bytes cut out, put in, or the end cut off."""
    changed = bytearray(content)
    for _ in range(source.choice((1, 1, 2, 4))):
        at = source.randrange(len(changed))
        kind = source.random()
        if kind < 0.5:
            changed[at] ^= 1 << source.randrange(8)
        elif kind < 0.65:
            del changed[at : at + source.choice((1, 40))]
        elif kind < 0.8:
            changed[at:at] = source.randbytes(source.choice((1, 60)))
        else:
            del changed[at:]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("text", TEXTS)
def test_a_whole_member_is_what_zlib_makes_of_it(text: bytes) -> None:
    member = gzip.compress(text, mtime=0)
    held = b"in front" + member + b"behind it"
    assert whole_member(held, 8, 1 << 20) == (text, 8 + len(member))
    for end in range(0, len(member), max(1, len(member) // 50)):
        assert whole_member(member[:end], 0, 1 << 20) is None
    if len(text) > 1:
        assert whole_member(member, 0, len(text) - 1) is None


def test_what_a_damaged_member_gives_has_the_right_checksum() -> None:
    source = random.Random(2)
    for _ in range(1_500):
        content = damaged(gzip.compress(source.choice(TEXTS[:4]), mtime=0), source)
        found = whole_member(content, 0, 1 << 20)
        if found is not None:
            text, end = found
            assert content[end - 8 : end - 4] == zlib.crc32(text).to_bytes(4, "little")
            assert content[end - 4 : end] == len(text).to_bytes(4, "little")


def test_the_library_that_inflates_changes_nothing(
    read: Callable, record: Callable, members: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(3)
    records = [record(b"text %d " % number * source.randrange(1, 400)) for number in range(12)]
    records[4] = record(source.randbytes(40_000).hex())
    sound = members(*records) + gzip.compress(records[0] + records[1], mtime=0) + members(*records[:3])
    for turn in range(60):
        content = damaged(sound, source) if turn else sound
        here = read(content, "x.warc.gz")
        with monkeypatch.context() as patch:
            patch.setattr(inflate, "isal_zlib", None)
            there = read(content, "x.warc.gz")
        assert here[0] == there[0]
        assert (here[1].rejects, here[1].skipped) == (there[1].rejects, there[1].skipped)


def test_members_of_every_size_are_read_in_order(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(4)
    texts = [source.randbytes(size) for size in (0, 10, 70_000, 300_000, 5, 1 << 20, 3)] + [bytes(5 << 20), b"end"]
    stored = [gzip.compress(text, mtime=0) for text in texts]
    path = tmp_path / "x.gz"
    path.write_bytes(b"".join(stored) + bytes(40_000))
    found = list(pieces.pieces(str(path), "gz", lambda _: None))
    assert b"".join(piece.data for piece in found) == b"".join(texts)
    assert [piece.member for piece in found if piece.member is not None] == [
        sum(map(len, stored[:number])) for number in range(len(stored))
    ]
    assert not any(piece.fault for piece in found)
    assert sum(piece.whole for piece in found) >= 6


def test_a_member_that_would_decompress_to_too_much_is_left_to_the_bounds(tmp_path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(bytes(3 << 20), mtime=0) * 100)
    found = list(pieces.pieces(str(path), "gz", lambda _: None, caps=ReadOptions(max_ratio=2)))
    assert [piece.fault for piece in found if piece.fault]


@pytest.mark.parametrize(
    "header",
    [
        b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 5\r\n\r\n",
        b"WARC/1.0\r\nA: b: c\r\nB:  d \r\nC: \xc3\xa9\r\nD: \r\n\r\n",
        b"WARC/1.0\r\nA:b\r\nB: c\r\n\r\n",
        b"WARC/1.0\r\nA: b\r\n c: d\r\nB: e\r\n\r\n",
        b"WARC/1.0\r\nA: b\r\na: c\r\n\r\n",
        b"WARC/1.0\nA: b\nB: c\n\n",
        b"WARC/1.0\r\nA: b\nB: c\r\n\r\n",
        b"WARC/1.0\r\nA : b\r\nB c: d\r\nno field\r\n\r\n",
        b"WARC/1.0\r\nA: \xff\r\n\r\n",
        b"WARC/1.0\r\nA:b: c\r\n\r\n",
        b"WARC/1.0\r\n\r\n",
    ],
)
def test_a_plain_header_is_read_as_any_other(header: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plain_headers(header)
    monkeypatch.setattr("provenance.readers.grammar.plain_headers", lambda _: None)
    assert plain is None or plain == parse_headers(header)


def test_most_headers_are_plain() -> None:
    assert plain_headers(b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 5\r\n\r\n") == {
        "warc-type": "conversion",
        "content-length": "5",
    }
