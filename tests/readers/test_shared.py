"""Real and broken crawl files of other projects: counts agree with a byte-level count, nothing crashes or hangs."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import re
import time
from pathlib import Path

import pytest

from provenance.errors import SourceError
from provenance.readers import ReadOptions, Source, Tally, open_records

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "count-records"


@pytest.fixture(scope="module")
def script():
    loader = importlib.machinery.SourceFileLoader("count_records", str(SCRIPT))
    spec = importlib.util.spec_from_loader("count_records", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def count(script):
    return lambda path: script.walk(script.inflate(path.read_bytes()))


def test_no_sound_unit_is_lost_in_any_container(shared, script, capsys):
    folder = shared / "data" / "crawl"
    assert script.main([str(folder / name) for name in ("malformed", "revisit", "wacz")]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if re.search(r"\.(?:wacz|arc|arc\.gz) ", line)]
    assert len(rows) >= 13


def read_whole(path: Path) -> tuple[Tally, int]:
    """What was counted, and how many records are not believed."""
    tally, recovered = Tally(), 0
    for batch in open_records(Source(str(path), path.name, path.stat().st_size), ReadOptions(), tally):
        recovered += sum(batch.column("recovered").to_pylist())
    return tally, recovered


def tally_of(path: Path) -> Tally:
    return read_whole(path)[0]


def test_every_record_start_is_accounted_for(shared, count):
    folders = ("commoncrawl+whirlwind-python", "resiliparse", "dolma", "revisit", "wacz")
    files = [
        file
        for folder in folders
        for file in sorted((shared / "data" / "crawl" / folder).iterdir())
        if re.search(r"\.(?:warc|wet|wat)(?:\.|$)", file.name)
    ]
    assert len(files) >= 30
    counted = {file.name: count(file) for file in files}
    found = {file.name: read_whole(file) for file in files}
    assert {name: tally.read for name, (tally, _) in found.items()} == counted
    assert {name: recovered for name, (_, recovered) in found.items() if recovered} == {}
    assert sum(counted.values()) > 700


def test_the_same_capture_in_four_forms_gives_the_same_text(shared):
    texts = []
    for name in ("warcfile.warc", "warcfile.warc.gz", "warcfile.warc.lz4"):
        path = shared / "data" / "crawl" / "resiliparse" / name
        batches = open_records(Source(str(path), name, path.stat().st_size), ReadOptions(), Tally())
        texts.append([text for batch in batches for text in batch.column("raw").to_pylist()])
    assert len(texts[0]) == 16
    assert texts[0] == texts[1] == texts[2]


def test_malformed_files(shared, count):
    """No exception but a clear one, no hang, and in crawl files no record start that nobody answers for."""
    for path in sorted((shared / "data" / "crawl" / "malformed").iterdir()):
        began = time.monotonic()
        tally = None
        with contextlib.suppress(SourceError):
            tally = tally_of(path)
        assert time.monotonic() - began < 10, path.name
        if tally is not None and tally.format.startswith("warc"):
            assert tally.read == count(path), path.name


@pytest.mark.parametrize(
    ("name", "records", "reasons"),
    [
        ("truncated-large.warc.gz", 10, ["truncated"]),
        ("truncated-mid-member.warc.gz", 0, ["truncated"]),
        ("single-member-gzip.warc.gz", 1, []),
        ("gzip-named-plain.warc", 1, []),
        ("content-length-too-long.warc.wet", 0, ["truncated"]),
        ("content-length-missing.warc.wet", 0, ["content-length", "content-length"]),
        ("webrecorder+warcio.js__example-bad-length.warc", 0, ["content-length"]),
        ("bad-line-in-middle.jsonl", 10, ["bad-json"] * 3 + ["no-text"]),
        ("bom-crlf.jsonl", 5, []),
    ],
)
def test_good_records_around_the_fault(shared, name, records, reasons):
    tally = tally_of(shared / "data" / "crawl" / "malformed" / name)
    assert tally.records == records
    assert sorted(reject.reason for reject in tally.rejects) == sorted(reasons)


def test_datasets_in_the_wild(shared):
    """Every sample of a dataset is read whole, or refused because it holds no text."""
    from provenance.errors import UsageError

    read = refused = 0
    for path in sorted((shared / "data" / "web").iterdir()):
        if path.name.startswith("band_") and path.name != "band_0_segment_0.parquet":
            continue
        try:
            tally = tally_of(path)
        except UsageError:
            refused += 1
            continue
        assert tally.records > 0, path.name
        assert not tally.rejects, path.name
        read += 1
    assert (read, refused) == (25, 5)
