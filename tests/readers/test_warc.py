"""Framing: every record start is accounted for, and damage costs the damaged record alone."""

from __future__ import annotations

import gzip
import io
import random

import pytest
from warcio.archiveiterator import ArchiveIterator as Warcio

from provenance.readers.grammar import parse_headers
from provenance.readers.progress import SHARED_MEMBER


def texts(rows: list[dict]) -> list[str]:
    return [row["raw"] for row in rows]


def reasons(tally) -> list[tuple[int, str]]:
    return [(reject.position, reject.reason) for reject in tally.rejects]


def test_plain_positions_are_offsets_of_the_stream(read, record):
    first, second = record("one"), record("two two")
    rows, tally = read(first + second)
    assert [(row["position"], row["raw"]) for row in rows] == [(0, "one"), (len(first), "two two")]
    assert tally.format == "warc"
    assert not any(row["recovered"] for row in rows)


def test_recordwise_gzip_positions_are_offsets_of_members(read, record, members):
    content = members(record("one"), record("two two"), record("three"))
    rows, tally = read(content)
    oracle = Warcio(io.BytesIO(content))
    expected = [oracle.get_record_offset() for _ in oracle]
    assert [row["position"] for row in rows] == expected
    assert tally.format == "warc.gz"


def test_positions_in_one_member_are_offsets_of_the_stream(read, record):
    first = record("one")
    rows, _ = read(gzip.compress(first + record("two")))
    assert [row["position"] for row in rows] == [0, len(first)]


def test_a_member_shared_by_two_records_of_a_recordwise_file_keeps_positions_apart(read, record, members):
    rows, _ = read(members(record("one"), record("two") + record("three"), record("four")))
    assert texts(rows) == ["one", "two", "three", "four"]
    assert len({row["position"] for row in rows}) == 4
    assert rows[2]["position"] > SHARED_MEMBER


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
def test_truncated_gzip_is_a_reject_and_not_a_quiet_end(read, record, members, cut):
    whole = members(record("good"), record("lost " * 50))
    rows, tally = read(whole[:-cut])
    assert texts(rows) == ["good"]
    assert [reason for _, reason in reasons(tally)] == ["truncated"]
    assert tally.rejects[0].position == len(members(record("good")))


def test_truncated_plain_file(read, record):
    rows, tally = read(record("good") + record("lost " * 50)[:-100])
    assert texts(rows) == ["good"]
    assert [reason for _, reason in reasons(tally)] == ["truncated"]


def test_last_record_without_line_ends_is_whole(read, record):
    rows, tally = read(record("one") + record("two").rstrip())
    assert texts(rows) == ["one", "two"]
    assert not tally.rejects


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize("lie", [-2, 5, 40, 400, 10**6, 10**15])
def test_wrong_length_costs_one_record(read, record, members, lie, gzipped):
    block = "the record whose length is wrong"
    records = [record("one"), record(block, length=len(block) + lie), *[record(f"after {i}") for i in range(5)]]
    rows, tally = read(members(*records) if gzipped else b"".join(records))
    assert texts(rows) == ["one", *[f"after {i}" for i in range(5)]]
    assert len(tally.rejects) == 1
    # A new member can't be forged by what stands in a payload, a line of a plain file can.
    assert [row["recovered"] for row in rows[1:]] == [not gzipped] * 5


@pytest.mark.parametrize("length", ["", "-5", "12e3", "1" * 40, "٣"])
def test_unreadable_length(read, record, length):
    bad = record("bad").replace(b"Content-Length: 3", f"Content-Length: {length}".encode())
    rows, tally = read(record("one") + bad + record("two"))
    assert texts(rows) == ["one", "two"]
    assert [reason for _, reason in reasons(tally)] == ["content-length"]


def test_forged_record_behind_damage_is_not_believed(read, record):
    forged = record("forged", WARC_Date="2001-01-01T00:00:00Z")
    carrier = record(b"page\r\n\r\n" + forged, length=10**9)
    rows, _ = read(record("one") + carrier)
    assert rows[1]["raw"] == "forged"
    assert rows[1]["recovered"]
    assert rows[1]["captured_at"] is None
    assert rows[1]["declarations"] == []


def test_record_inside_a_sound_record_is_text(read, record):
    rows, tally = read(record(record("inner")) + record("two"))
    assert len(rows) == 2
    assert not tally.rejects


def test_damaged_member_costs_itself(read, record, members):
    parts = [members(record(f"text {i} " + "ab" * 40 + str(i))) for i in range(8)]
    damaged = bytearray(parts[3])
    damaged[len(damaged) // 2] ^= 0xFF
    rows, tally = read(b"".join([*parts[:3], bytes(damaged), *parts[4:]]))
    assert [row["raw"][:6] for row in rows] == [f"text {i}" for i in range(8) if i != 3]
    assert len(tally.rejects) == 1
    assert tally.rejects[0].position == sum(map(len, parts[:3]))


def test_wrong_checksum_of_a_member_is_a_reject(read, record, members):
    parts = [members(record(f"text {i}")) for i in range(3)]
    damaged = bytearray(parts[1])
    damaged[-6] ^= 0xFF
    rows, tally = read(parts[0] + bytes(damaged) + parts[2])
    assert texts(rows) == ["text 0", "text 2"]
    assert [reason for _, reason in reasons(tally)] == ["damaged-member"]


def test_good_records_before_damage_in_a_single_member(read, record):
    noise = random.Random(1)
    plain = b"".join(record("".join(noise.choices("abcdefgh ", k=3000))) for _ in range(60))
    stored = bytearray(gzip.compress(plain))
    at = len(stored) * 2 // 3
    stored[at : at + 4] = b"\xff\xff\xff\xff"
    rows, tally = read(bytes(stored))
    before = [row for row in rows if row["position"] < tally.rejects[0].position]
    assert len(before) >= 35
    assert all(row["raw"] in plain.decode() for row in before)
    assert all(row["recovered"] for row in rows[len(before) :])


def test_garbage_between_records(read, record, members):
    rows, tally = read(record("one") + b"garbage here\r\n\r\n" + record("two"))
    # What stands between two records makes the length of the first one wrong.
    assert texts(rows)[-1] == "two"
    assert len(tally.rejects) == 1
    rows, tally = read(members(record("one")) + b"garbage here" + members(record("two")))
    assert texts(rows) == ["one", "two"]
    assert len(tally.rejects) == 1


def test_zeros_behind_the_last_member_are_padding(read, record, members):
    rows, tally = read(members(record("one")) + b"\0" * 2000)
    assert texts(rows) == ["one"]
    assert not tally.rejects


def test_record_above_the_cap_is_a_reject_and_the_next_is_read(read, record, members):
    records = record("one"), record("x" * 5000), record("two")
    for content in (b"".join(records), members(*records), gzip.compress(b"".join(records))):
        rows, tally = read(content, max_record_bytes=4000, max_header_bytes=1000)
        assert texts(rows) == ["one", "two"]
        assert [reason for _, reason in reasons(tally)] == ["too-long"]
        assert not rows[1]["recovered"]


def test_long_record_with_a_wrong_length_is_rewound(read, record):
    block = "x" * 5000
    records = [record("one"), record(block, length=9000), *[record("y" * 900) for _ in range(9)]]
    for content in (b"".join(records), gzip.compress(b"".join(records))):
        rows, tally = read(content, max_record_bytes=4000, max_header_bytes=1000)
        assert len(rows) == 10
        assert len(tally.rejects) == 1


def test_endless_header(read, record):
    rows, tally = read(
        record("one") + b"WARC/1.0\r\nX: " + b"y" * 50_000 + b"\r\n" + record("two"), max_header_bytes=10_000
    )
    assert texts(rows) == ["one", "two"]
    assert [reason for _, reason in reasons(tally)] == ["header-too-long"]


def test_headers_fold_repeat_and_survive_bad_bytes():
    block = b"WARC/1.0\r\nA: 1\r\na: 2\r\nB: x\r\n\ty\r\nno colon\r\nC\xff: z\r\n\r\n"
    assert parse_headers(block) == {"a": "1", "b": "x y", "c\ufffd": "z"}
    assert parse_headers(b"WARC/1.0\nA: 1\na: 2\n\n") == {"a": "1"}


def test_one_flipped_byte_never_loses_another_record(read, record, members):
    parts = [members(record(f"text number {i} " + "lorem ipsum " * 5)) for i in range(6)]
    whole = b"".join(parts)
    noise = random.Random(7)
    for _ in range(60):
        at = noise.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[at] ^= 1 << noise.randrange(8)
        rows, _ = read(bytes(damaged), "x.warc.gz")
        assert len(rows) >= 5, at
