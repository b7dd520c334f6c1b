"""HTTP messages in records: headers, chunks and codings as the standard library takes them, within their caps."""

from __future__ import annotations

import gzip
import http.client
import io
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.readers import http as ours
from provenance.readers.http import BodyRefused, Message, dechunk, decoded_body, parse

TEXT = b"<p>some words of a page</p>" * 40


def response(*fields, body=b"", end="\r\n"):
    return end.join(["HTTP/1.1 200 OK", *fields, "", ""]).encode() + body


class _Socket:
    def __init__(self, content):
        self.content = content

    def makefile(self, _mode):
        return io.BytesIO(self.content)


def as_the_library_reads_it(content):
    found = http.client.HTTPResponse(_Socket(content))
    found.begin()
    return found.status, [(name.lower(), value) for name, value in found.getheaders()], found.read()


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_headers_are_those_that_the_library_finds(end):
    content = response("Content-Type: text/html", "X-Two:  b", "Content-Length: 5", body=b"\r\n\r\na", end=end)
    message = parse(content, 1000)
    assert (message.status, message.fields, message.body) == as_the_library_reads_it(content)
    assert message.get("x-two") == "b"
    assert message.get("x-three") == ""


def test_the_first_of_several_fields_counts_and_lines_without_colon_are_no_field():
    message = parse(response("A: 1", "no field", "A: 2"), 1000)
    assert message.fields == [("a", "1"), ("a", "2")]
    assert message.get("a") == "1"


def test_a_field_goes_on_in_the_next_line_up_to_a_length():
    found = parse(response("Z: 0", "A: one", "  two ", "\tthree", "B: x"), 1000).fields
    assert found == [("z", "0"), ("a", "one two three"), ("b", "x")]
    assert parse(response(" no field to go on", "A: x"), 1000).fields == [("a", "x")]
    part = " " + "y" * 40_000
    ((_, value),) = parse(response("A: x", part, part, part, part), 1 << 20).fields
    assert value == "x" + 2 * part


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HTTP/1.1 404 Gone", 404),
        ("HTTP/2 200", 200),
        ("HTTP/1.0\t503 x", 503),
        ("HTTP/x", None),
        ("HTTP/1.1 20", None),
    ],
)
def test_status(line, status):
    message = parse(f"{line}\r\nA: b\r\n\r\nbody".encode(), 1000)
    assert (message.status, message.get("a"), message.body) == (status, "b", b"body")


def test_what_is_no_message_is_body_altogether():
    assert parse(b"<p>HTTP/1.1 200 OK\r\n\r\nx", 10) == Message(None, [], b"<p>HTTP/1.1 200 OK\r\n\r\nx")


def test_a_header_ends_within_the_cap_or_with_the_block():
    content = response("A: b", body=b"body")
    size = len(content) - len(b"body")
    assert parse(content, size).body == b"body"
    with pytest.raises(BodyRefused, match=f"does not end within {size - 1} bytes"):
        parse(content, size - 1)
    cut = b"HTTP/1.1 200 OK\r\nA: b\r\n"
    assert parse(cut, len(cut)) == Message(200, [("a", "b")], b"")


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.sampled_from(["", "x=y", " ;a"]))
def test_chunks_are_joined_as_the_library_does(parts, extension):
    chunked = b"".join(b"%x;%s\r\n%s\r\n" % (len(part), extension.encode(), part) for part in parts) + b"0\r\n\r\n"
    content = response("Transfer-Encoding: chunked", body=chunked)
    assert decoded_body(parse(content, 1000), 1000) == as_the_library_reads_it(content)[2] == b"".join(parts)


def test_chunks_of_careless_servers():
    assert dechunk(b"3\nabc\n2\nde\n0\n\n") == b"abcde"
    assert dechunk(b"3\r\nabc2\r\nde0\r\n\r\n") == b"abcde"  # without a line end behind
    assert dechunk(b"  3\r\nabc\r\nno chunk") == b"abcno chunk"
    assert dechunk(b"ff\r\ncut off") == b"cut off"
    assert dechunk(b"plain text") == b"plain text"
    assert dechunk(b"") == b""
    assert dechunk(b"1\r\na\r\n0\r\n\r\n1\r\nb\r\n") == b"a"


def test_the_number_of_chunks_is_bounded(monkeypatch):
    monkeypatch.setattr(ours, "_MAX_CHUNKS", 3)
    assert dechunk(b"1\r\na\r\n" * 3 + b"0\r\n\r\n") == b"aaa"
    with pytest.raises(BodyRefused, match="more than 3 chunks"):
        dechunk(b"1\r\na\r\n" * 4)


def raw_deflate(content):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def zstd(content):
    import zstandard

    return zstandard.ZstdCompressor().compress(content)


def coded(body, *codings, limit=10_000, field="Content-Encoding"):
    return decoded_body(parse(response(f"{field}: {', '.join(codings)}", body=body), 1000), limit)


FORMS = [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)]
FORMS += [("zstd", zstd)]


@pytest.mark.parametrize(("coding", "pack"), FORMS)
@pytest.mark.parametrize("field", ["Content-Encoding", "Transfer-Encoding"])
def test_a_coded_body_is_decoded_up_to_the_limit(coding, pack, field):
    assert coded(pack(TEXT), coding, limit=len(TEXT), field=field) == TEXT
    with pytest.raises(BodyRefused, match=f"more than {len(TEXT) - 1} bytes"):
        coded(pack(TEXT), coding, limit=len(TEXT) - 1, field=field)


@pytest.mark.parametrize(("coding", "pack"), [form for form in FORMS if form[0] != "zstd"])
def test_of_a_damaged_body_what_stands_before_the_damage_is_kept(coding, pack):
    source = random.Random(1).randbytes(4000).hex().encode()
    packed = bytearray(pack(source))
    half = len(packed) // 2
    packed[half : half + 40] = b"\xff" * 40
    found = coded(bytes(packed), coding)
    whole = half - 600  # decoded in steps of 512 bytes, the damaged one lost
    assert len(found) > whole
    assert found[:whole] == source[:whole]


@pytest.mark.parametrize(("coding", "pack"), [form for form in FORMS if form[0] != "zstd"])
def test_a_body_that_is_cut_gives_what_is_there(coding, pack):
    source = random.Random(1).randbytes(4000).hex().encode()
    found = coded(pack(source)[:-9], coding)
    assert source.startswith(found)
    assert len(found) > 7000


def test_codings_are_undone_in_reverse_and_at_most_four():
    body = gzip.compress(zlib.compress(TEXT))
    assert coded(body, "deflate", "identity", "gzip") == TEXT
    four = TEXT
    for _ in range(4):
        four = gzip.compress(four)
    assert coded(four, *["gzip"] * 4) == TEXT
    with pytest.raises(BodyRefused, match="coded 5 times, more than 4"):
        coded(gzip.compress(four), *["gzip"] * 5)


def test_a_body_that_was_never_coded_is_taken_as_it_is():
    assert coded(TEXT, "gzip") == coded(TEXT, "deflate") == coded(TEXT, "br") == coded(TEXT, "unheard-of") == TEXT
    assert coded(b"  \n" + TEXT, "deflate") == b"  \n" + TEXT
    assert coded(TEXT, limit=len(TEXT)) == TEXT
    with pytest.raises(BodyRefused, match="the body has more than"):
        coded(TEXT, limit=len(TEXT) - 1)


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd"])
def test_a_body_that_is_neither_text_nor_coded_is_refused(coding):
    with pytest.raises(BodyRefused, match="stream is damaged"):
        coded(b"\xff\xff\xff\xff no such stream", coding)
    with pytest.raises(BodyRefused, match="deflate stream is damaged"):
        coded(b"\x1f\x8b\xff\xff", "gzip")


def test_damage_does_not_lift_the_limit():
    packed = zlib.compress(bytes(1 << 20))[:-4] + b"\xff\xff\xff\xff"
    with pytest.raises(BodyRefused, match="inflates to more than 1000 bytes"):
        coded(packed, "deflate", limit=1000)
