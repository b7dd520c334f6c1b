"""What makes a record text: its type, its own content type, the one that was sent, and the bytes themselves."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

WORDS = "Ein Café in Münster, täglich geöffnet, für müde Gäste aus aller Welt und von überall her."


PAGE = f"<p>{WORDS}</p>".encode()


def sent(*fields, status="200 OK", body=PAGE):
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


def test_extracted_text_is_utf_8_and_resources_are_what_they_look_like(read, record):
    latin = WORDS.encode("latin-1")
    rows, _ = read(record(latin, "resource") + record(latin, "conversion") + record(WORDS, "conversion"))
    assert rows[0]["raw"] == WORDS
    assert rows[1]["raw"] == latin.decode("utf-8", "replace")
    assert rows[2]["raw"] == WORDS


@pytest.mark.parametrize("kind", ["conversion", "resource"])
def test_a_charset_that_is_named_is_used(read, record, kind):
    rows, _ = read(record(WORDS.encode("utf-16-le"), kind, Content_Type="text/plain; charset=utf-16le"))
    assert [row["raw"] for row in rows] == [WORDS]


def test_extracted_text_needs_no_content_type_and_resources_do(read, record):
    rows, tally = read(record(WORDS, "conversion", Content_Type="") + record(WORDS, "resource", Content_Type=""))
    assert [row["raw"] for row in rows] == [WORDS]
    assert tally.skipped.total() == 1


@pytest.mark.parametrize(
    ("block", "skipped"),
    [
        (sent(status="199 x"), "http-1xx"),
        (sent(status="300 x"), "http-3xx"),
        (sent(status="500 x"), "http-5xx"),
        (sent(body=b" \r\n"), "empty"),
        (b"   ", "empty"),
        (b"no message at all", "no-http"),
        (sent("Content-Type: image/png"), "image"),
        (sent("Content-Type: application/pdf"), "pdf"),
    ],
)
def test_responses_that_hold_none(read, record, block, skipped):
    rows, tally = read(record(block, "response"))
    assert not rows
    assert dict(tally.skipped) == {skipped: 1}


@pytest.mark.parametrize("status", ["200 OK", "203 x", "299 x"])
def test_any_success_is_one(read, record, status):
    rows, _ = read(record(sent("Content-Type: text/html; charset=utf-8", status=status), "response"))
    assert WORDS in rows[0]["raw"]


def test_a_page_without_a_header_is_still_a_page(read, record):
    rows, _ = read(record(f" <html><body><p>{WORDS}</p></body></html>", "response"))
    assert WORDS in rows[0]["raw"]


def test_the_type_that_was_sent_counts_more_than_the_one_that_was_found(read, record):
    found = {"WARC_Identified_Payload_Type": "image/png"}
    html = "Content-Type: text/html; charset=utf-8"
    rows, tally = read(record(sent(html), "response", **found) + record(sent(), "response", **found))
    assert len(rows) == 1
    assert dict(tally.skipped) == {"image": 1}


def test_names_of_hosts_are_no_text(read, record):
    block = b"20080430204825\na.example. 300 IN A 192.0.2.7\n"
    first = record(block, "response", Content_Type="text/dns", WARC_Target_URI="http://a.example/")
    rows, tally = read(first + record(block, "response", WARC_Target_URI="dns:a.example"))
    assert not rows
    assert dict(tally.skipped) == {"dns": 2}


def test_so_they_are_in_arc_files_whatever_the_address(read):
    block = b"20080430204825\na.example. 300 IN A 192.0.2.7\n"
    line = b"http://a.example/ 192.0.2.7 20080430204825 text/dns %d\n" % len(block)
    head = b"filedesc://x.arc 0.0.0.0 20080430204825 text/plain 9\n1 0 Test\n\n"
    _, tally = read(head + line + block + b"\n", "x.arc")
    assert dict(tally.skipped) == {"filedesc": 1, "dns": 1}


def test_ids_are_kept_though_they_are_no_text(read, tmp_path):
    path = tmp_path / "x.parquet"
    ids = pa.array([b"\xff\x01", b"plain", b"\xff\x02", None])
    pq.write_table(pa.table({"id": ids, "text": [f"{WORDS} {number}" for number in range(4)]}), path)
    rows, _ = read(path, id_column="id")
    found = [row["own_id"] for row in rows]
    assert found[1] == "plain"
    assert found[3] is None
    assert len(set(found)) == 4
