"""Plain text: one file is one record."""

from __future__ import annotations

import gzip

import pytest

from provenance.readers.plain import encoding_of


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"One text.\r\n\r\nOf two paragraphs.\r\n", "One text.\n\nOf two paragraphs.\n"),
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("ünï 漢字".encode("utf-16"), "ünï 漢字"),
        (gzip.compress(b"packed", mtime=0), "packed"),
        (b"{not json", "{not json"),
        (b'[{"not json', '[{"not json'),
    ],
)
def test_a_file_is_a_record(read, content, text):
    rows, tally = read(content, "a note.txt")
    assert [(row["raw"], row["position"], row["url"]) for row in rows] == [(text, 0, None)]
    assert tally.format.startswith("txt")
    assert tally.read == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"x" * 1001, "too-long"),
        (gzip.compress(b"hello" * 40, mtime=0)[:-4], "truncated"),
        (b"\x00\x01\x02\x03 binary", "binary"),
    ],
)
def test_what_is_none_is_rejected(read, content, reason):
    rows, tally = read(content, "x.txt", max_record_bytes=1000)
    assert rows == []
    assert [reject.reason for reject in tally.rejects] == [reason]


def test_blank_text_holds_none(read):
    assert dict(read(b" \n\n", "x.txt")[1].skipped) == {"empty": 1}


def test_encodings():
    assert encoding_of("naïve café déjà vu".encode("windows-1252") * 5).lower() in (
        "windows-1252",
        "cp1252",
        "iso-8859-1",
    )
    assert encoding_of(("ünï " * 50).encode() + b"\xff\xfe\xfd") == "utf-8"
    assert encoding_of("漢字".encode() * 9 + "漢".encode()[:2]) == "utf-8"
    assert encoding_of(b"\xef\xbb\xbfx") == "utf-8-sig"


def test_json_lines_named_txt_are_json_lines(read):
    rows, tally = read(b'{"text": "one"}\n{"text": "two"}\n', "x.txt")
    assert tally.format == "jsonl"
    assert len(rows) == 2
