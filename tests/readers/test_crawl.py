"""Which records of a crawl hold text, how their payload is decoded, and what the others are counted as."""

from __future__ import annotations

import gzip
import zlib

import pyarrow as pa
import pytest

TEXT = "A readable paragraph of text, long enough."
PAGE = f"<html><head><title>t</title></head><body><main><p>{TEXT}</p></main></body></html>"


def response(body: bytes | str, *fields: str, status: str = "200 OK", media: str | None = "text/html") -> bytes:
    payload = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {media}"] if media else []), *fields]
    return "\r\n".join([*lines, "", ""]).encode() + payload


def brotli(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "brotli") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def raw_deflate(content: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(content) + squeezer.flush()


def chunked(content: bytes) -> bytes:
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(part), part) for part in (content[:7], content[7:])) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (PAGE.encode(), []),
        (gzip.compress(PAGE.encode(), mtime=0), ["Content-Encoding: gzip"]),
        (zlib.compress(PAGE.encode()), ["Content-Encoding: deflate"]),
        (raw_deflate(PAGE.encode()), ["Content-Encoding: deflate"]),
        (brotli(PAGE.encode()), ["Content-Encoding: br"]),
        (chunked(PAGE.encode()), ["Transfer-Encoding: chunked"]),
        (chunked(gzip.compress(PAGE.encode(), mtime=0)), ["Transfer-Encoding: chunked", "Content-Encoding: gzip"]),
        (brotli(gzip.compress(PAGE.encode(), mtime=0)), ["Content-Encoding: gzip, br"]),
        # Lies that archives are full of:
        (PAGE.encode(), ["Content-Encoding: gzip"]),
        (PAGE.encode(), ["Content-Encoding: br"]),
        (PAGE.encode(), ["Content-Encoding: deflate"]),
        (PAGE.encode(), ["Transfer-Encoding: chunked"]),
        (PAGE.encode(), ["Content-Encoding: none-such"]),
        (gzip.compress(PAGE.encode(), mtime=0)[:-5], ["Content-Encoding: gzip"]),
    ],
)
def test_payload_codings(read, record, body, fields):
    rows, tally = read(record(response(body, *fields), "response"))
    assert [row["raw"] for row in rows] == [TEXT]
    assert not tally.rejects


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("<p>Grüße aus Köln, das reicht als Text.</p>".encode("iso-8859-1"), "text/html; charset=ISO-8859-1"),
        ("<meta charset=iso-8859-1><p>Grüße aus Köln, das reicht als Text.</p>".encode("iso-8859-1"), "text/html"),
        ("\ufeff<p>Grüße aus Köln, das reicht als Text.</p>".encode(), "text/html; charset=iso-8859-1"),
        ("\ufeff<p>Grüße aus Köln, das reicht als Text.</p>".encode("utf-16-le"), "text/html"),
        ("<p>Grüße aus Köln, das reicht als Text.</p>".encode(), 'text/html; charset="UTF-8"'),
    ],
)
def test_charsets(read, record, body, media):
    rows, _ = read(record(response(body, media=media), "response"))
    assert rows[0]["raw"] == "Grüße aus Köln, das reicht als Text."


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (response("x", media="image/png"), "image"),
        (response("x", media="application/pdf"), "pdf"),
        (response("{}", media="application/json"), "json"),
        (response("x", media="text/css"), "css"),
        (response("x", media="application/javascript"), "javascript"),
        (response("x", media="application/zip"), "other-type"),
        (response("", media="text/html"), "empty"),
        (response("<p></p>", media="text/html"), "no-text"),
        (response(PAGE, status="404 Not Found"), "http-4xx"),
        (response(PAGE, status="503 No"), "http-5xx"),
        (response(PAGE, status="302"), "http-3xx"),
        (response("plain words without a type", media=None), "unknown-type"),
        (b"no http at all", "no-http"),
    ],
)
def test_responses_without_text_are_skipped_by_kind(read, record, block, kind):
    rows, tally = read(record(block, "response"))
    assert rows == []
    assert dict(tally.skipped) == {kind: 1}


@pytest.mark.parametrize("kind", ["warcinfo", "request", "metadata", "revisit", "continuation"])
def test_record_types_without_text(read, record, kind):
    assert dict(read(record("x", kind))[1].skipped) == {kind: 1}


def test_resources_dns_and_unknown_types(read, record):
    _, tally = read(
        record("text of a resource", "resource")
        + record(b"\x89PNG", "resource", Content_Type="image/png")
        + record("a.example 1 IN A 1.2.3.4", "response", Content_Type="text/dns")
        + record("x", "future-type")
    )
    assert tally.records == 1
    assert dict(tally.skipped) == {"image": 1, "dns": 1, "other-record": 1}


def test_plain_text_and_wet_are_taken_as_they_are(read, record):
    rows, _ = read(
        record(response("line 1\n  <b>line 2</b>\n", media="text/plain"), "response")
        + record("von Köln\nnach Berlin", "conversion", WARC_Target_URI="<http://b.example/>")
    )
    assert [row["raw"] for row in rows] == ["line 1\n  <b>line 2</b>\n", "von Köln\nnach Berlin"]
    assert rows[1]["url"] == "http://b.example/"
    assert str(rows[1]["captured_at"]) == "2018-05-06 07:08:09+00:00"
    assert rows[1]["date_origin"] == "container"
    assert rows[1]["own_id"].startswith("urn:x:")


@pytest.mark.parametrize("date", ["1970-01-01T00:00:00Z", "1985-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_dates_that_no_archive_can_have(read, record, date):
    assert read(record("text", WARC_Date=date))[0][0]["date_origin"] == "implausible"


def test_unreadable_date_is_null(read, record):
    row = read(record("text", WARC_Date="blue monday"))[0][0]
    assert (row["captured_at"], row["date_origin"]) == (None, None)


def test_declarations_of_header_and_page(read, record):
    page = PAGE.replace("<title>", '<meta name="AI-Disclosure" content="ai-originated"><title>')
    fields = ["AI-Disclosure: mode=ai-originated", "X-Robots-Tag: noai", "TDM-Reservation: 1", "Server: x"]
    rows, _ = read(record(response(page, *fields), "response"))
    assert [tuple(item.values()) for item in rows[0]["declarations"]] == [
        ("http", "ai-disclosure", "mode=ai-originated"),
        ("http", "x-robots-tag", "noai"),
        ("http", "tdm-reservation", "1"),
        ("meta", "ai-disclosure", "ai-originated"),
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, brotli])
def test_decompression_bomb_is_a_reject(read, record, pack):
    coding = {gzip.compress: "gzip", zlib.compress: "deflate", brotli: "br"}[pack]
    bomb = record(response(pack(b"a" * 5_000_000), f"Content-Encoding: {coding}"), "response")
    rows, tally = read(bomb + record("after"), max_decoded_bytes=1_000_000)
    assert [row["raw"] for row in rows] == ["after"]
    assert [reject.reason for reject in tally.rejects] == ["payload"]


def test_page_beyond_the_bound_of_pages_is_a_reject(read, record, monkeypatch):
    monkeypatch.setattr("provenance.text.html.MAX_HTML_BYTES", 1_000)
    rows, tally = read(record(response("<p>" + "x" * 1_000), "response") + record("after"))
    assert len(rows) == 1
    assert [reject.reason for reject in tally.rejects] == ["html"]


def test_batches_are_bounded(read, record, tmp_path):
    from provenance.readers import ReadOptions, Source, Tally, open_records

    path = tmp_path / "x.warc"
    path.write_bytes(b"".join(record("word " * 20) for _ in range(50)))
    source = Source(str(path), "x.warc", path.stat().st_size)
    by_rows = list(open_records(source, ReadOptions(batch_rows=7), Tally()))
    assert [batch.num_rows for batch in by_rows] == [7] * 7 + [1]
    by_bytes = list(open_records(source, ReadOptions(batch_bytes=350), Tally()))
    assert {batch.num_rows for batch in by_bytes[:-1]} == {4}
