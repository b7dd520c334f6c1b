"""Every container from the scan to the record: scanned, found again, explained and filtered."""

from __future__ import annotations

import csv
import functools
import gzip
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import UsageError

TEXTS = [
    f"The {word} in the yard behind our house was painted by my grandfather in the year that I was born, and nobody "
    "since has had the heart to paint it again, although the colour came off long ago and the "
    f"{word} looks poor beside the new fence."
    for word in ("gate", "shed", "bench", "swing", "well", "kennel")
]
ROWS = [{"id": f"r{n}", "text": text, "date": "2012-05-06", "extra": f"{n}.50"} for n, text in enumerate(TEXTS)]


def arc():
    block = b"1 0 Test\nURL IP-address Archive-date Content-type Archive-length\n"
    records = [b"filedesc://x.arc 0.0.0.0 20120506000000 text/plain %d\n" % len(block) + block + b"\n"]
    for number, text in enumerate(TEXTS):
        page = f"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>{text}</p>".encode()
        records.append(
            f"http://a.example/{number} 192.0.2.1 20120506070809 text/html {len(page)}\n".encode() + page + b"\n"
        )
    return b"".join(gzip.compress(record, mtime=0) for record in records)


def warc(start, stop):
    records = []
    for number in range(start, stop):
        body = TEXTS[number].encode()
        records.append(
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: 2012-05-06T07:08:09Z\r\n"
            f"WARC-Record-ID: <urn:x:{number}>\r\nWARC-Target-URI: http://a.example/{number}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
            + b"\r\n\r\n"
        )
    return b"".join(gzip.compress(record, mtime=0) for record in records)


def wacz():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        target.writestr("archive/one.warc.gz", warc(0, 3))
        target.writestr("datapackage.json", "{}")
        target.writestr("archive/two.warc.gz", warc(3, 6), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def delimited(delimiter):
    file = io.StringIO()
    writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return file.getvalue().encode()


def arrow():
    file = io.BytesIO()
    table = pa.Table.from_pylist(ROWS).add_column(0, "n", pa.array(range(6), pa.uint8()))
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return file.getvalue()


FILES = {
    "x.arc.gz": arc,
    "x.wacz": wacz,
    "x.csv": lambda: delimited(","),
    "x.tsv": lambda: delimited("\t"),
    "x.csv.gz": lambda: gzip.compress(delimited(";")),
    "x.arrow": arrow,
}


def test_every_container_gives_the_same_records(tmp_path):
    (tmp_path / "in").mkdir()
    for name, made in FILES.items():
        (tmp_path / "in" / name).write_bytes(made())
    store = tmp_path / "store"
    result = pv.scan(tmp_path / "in", store=store, name="it", jobs=1)
    assert {source.uri: source.records for source in result.sources} == dict.fromkeys(FILES, 6)
    rows = (
        pv.Store(store)
        .sql(
            "select record_id, uri, content_id from records join sources using (scan_id, source_id) "
            "order by uri, position"
        )
        .fetchall()
    )
    assert len({record for record, _, _ in rows}) == 6 * len(FILES)
    assert len({content for _, _, content in rows}) == 6
    for record, _, _ in rows[4::12]:
        assert pipeline.explain(record, store=store).excerpt.startswith("The well in the yard")


def test_filter_keeps_columns_and_order_of_tables(tmp_path):
    store = tmp_path / "store"
    (tmp_path / "in").mkdir()
    for name in ("x.csv.gz", "x.arrow"):
        (tmp_path / "in" / name).write_bytes(FILES[name]())
    result = pv.scan(tmp_path / "in", store=store, name="it", jobs=1)
    assert (result.records, result.rejects) == (12, 0)
    kept = pv.filter("it", keep={"human"}, out=tmp_path / "kept.jsonl", store=store)
    assert kept.kept == 12
    rows = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert rows == [{"n": n, **row} for n, row in enumerate(ROWS)] + ROWS
    assert [list(row) for row in (rows[0], rows[-1])] == [["n", *ROWS[0]], list(ROWS[0])]
    with pytest.raises(UsageError, match="different columns"):
        pv.filter("it", keep={"human"}, out=tmp_path / "kept.parquet", store=store)


def test_a_folder_of_texts_with_odd_names(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text)
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text(TEXTS[0] + " And so on.")
    except OSError:
        pytest.skip("this file system takes no such name")
    result = pv.scan(folder, store=tmp_path / "store", jobs=1)
    assert (result.records, len(result.sources), len(result.failed_sources)) == (7, 7, 0)
    assert "caf\\xe9.txt" in {source.uri for source in result.sources}


def run(tmp_path, *arguments, stdin=b""):
    command = [sys.executable, "-c", "from provenance.cli import main; main()", *arguments]
    environment = {**os.environ, "PROVENANCE_STORE": str(tmp_path / "store"), "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir(exist_ok=True)
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, cwd=tmp_path, timeout=120)


def test_standard_input_is_scanned_and_not_read_again(tmp_path):
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    done = run(tmp_path, "scan", "-", "--source-name", "crawl.jsonl", "--jobs", "1", "--json", stdin=content)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["records"] == 6
    assert [source["uri"] for source in answer["sources"]] == ["crawl.jsonl"]
    assert not list((tmp_path / "tmp").glob("provenance-stdin-*"))
    record, location = (
        pv.Store(tmp_path / "store")
        .sql("select record_id, location from records join sources using (scan_id, source_id) limit 1")
        .fetchall()[0]
    )
    assert location == "-"
    assert "standard input" in pipeline.explain(record, store=tmp_path / "store").no_excerpt
    with pytest.raises(UsageError, match="standard input"):
        pv.filter("crawl.jsonl", out=tmp_path / "o.parquet", store=tmp_path / "store")
    nameless = run(tmp_path, "scan", "-", stdin=content)
    assert nameless.returncode == 2
    assert b"--source-name" in nameless.stderr


def test_objects_leave_no_secret_in_the_store(tmp_path):
    pytest.importorskip("aiohttp")
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "crawl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        place = f"127.0.0.1:{server.server_address[1]}/crawl.jsonl"
        url = f"http://reader:hunter2@{place}?X-Amz-Signature=hunter2"
        result = pv.scan(url, store=tmp_path / "store", jobs=1)
        again = pv.scan(url.replace("Signature=hunter2", "Signature=other"), store=tmp_path / "store", jobs=1)
        kept = pv.filter("crawl.jsonl", out=tmp_path / "kept.jsonl", store=tmp_path / "store")
        server.shutdown()
    assert (result.records, kept.kept) == (6, 6)
    assert result.name == "crawl.jsonl"
    assert {source.uri for source in result.sources} == {f"http://{place}"}
    assert again.already_done
    held = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"hunter2" not in held
    assert place.encode() in held
