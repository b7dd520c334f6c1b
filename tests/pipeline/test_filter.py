"""Filtered files: the rows as they stood in their source, and a list of what is missing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import provenance as pv
from provenance.errors import LineageError, UsageError
from provenance.pipeline import sinks

DATES = ["2010-05-01", "2024-05-01", "2011-05-01", "2024-06-01"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, text):
    """A folder with a Parquet and a JSONL source of four records, two of them early, scanned into one store."""
    folder = tmp_path_factory.mktemp("filter")
    table = pa.table(
        {
            "score": pa.array([1, None, 3, 4], pa.int8()),
            "text": pa.array([text(n) for n in range(4)], pa.large_string()),
            "date": DATES,
            "tags": pa.array([["a"], [], None, ["b", "c"]], pa.list_(pa.string())),
            "tag": pa.array(["x", "y", "z", None], pa.string()).dictionary_encode(),
            "price": pa.array([1, 2, 3, 4], pa.decimal128(9, 2)),
        }
    )
    pq.write_table(table, folder / "t.parquet", row_group_size=3)
    lines = [
        json.dumps({"text": text(10), "date": DATES[0], "n": 1.0}, separators=(",", ":")),
        '  {"date": "2024-05-01", "text": "' + text(11) + '"}',
        '{"text":"' + text(12) + ' caf\\u00e9","date":"2011-05-01","big":12345678901234567890}\r',
        "{broken",
        json.dumps({"text": text(13)}),
    ]
    (folder / "l.jsonl").write_bytes("\n".join(lines).encode() + b"\n")
    pv.scan(folder / "t.parquet", store=folder / "s", jobs=1)
    pv.scan(folder / "l.jsonl", store=folder / "s", jobs=1)
    return folder, table, lines


def test_parquet_keeps_its_columns_order_and_types(made, tmp_path):
    folder, table, _ = made
    result = pv.filter("t.parquet", out=tmp_path / "o.parquet", store=folder / "s")
    assert (result.kept, result.dropped) == (2, 2)
    got = pq.read_table(tmp_path / "o.parquet")
    assert got.schema.equals(table.schema)
    assert got.to_pylist() == table.take([0, 2]).to_pylist()
    dropped = pq.read_table(tmp_path / "o.dropped.parquet").to_pylist()
    assert [(row["position"], row["tag"]) for row in dropped] == [(1, "unknown"), (3, "unknown")]
    assert all(row["reason"] for row in dropped)


def test_tags_can_be_added(made, tmp_path):
    folder, table, _ = made
    pq.write_table(table.drop_columns(["score", "tag"]), folder / "plain.parquet")
    pv.filter(
        folder / "plain.parquet",
        keep={"human", "unknown"},
        out=tmp_path / "o.parquet",
        store=tmp_path / "s",
        with_tags=True,
    )
    got = pq.read_table(tmp_path / "o.parquet")
    assert got.column_names == ["text", "date", "tags", "price", "record_id", "tag", "reason", "score"]
    assert got.column("tag").to_pylist() == ["human", "unknown", "human", "unknown"]
    assert got.column("text").to_pylist() == table.column("text").to_pylist()
    pv.filter("l.jsonl", keep={"human"}, out=tmp_path / "o.jsonl", store=folder / "s", with_tags=True)
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_bytes().splitlines()]
    assert [row["reason"] for row in rows] == ["dated", "dated"]
    assert rows[1]["big"] == 12345678901234567890


def test_tags_are_added_to_a_row_that_utf8_can_not_hold(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": text(1), "note": "\ud800 alone"}) + "\n")
    pv.scan(path, store=tmp_path / "s")
    pv.filter("a.jsonl", keep={"unknown", "human"}, out=tmp_path / "o.jsonl", store=tmp_path / "s", with_tags=True)
    row = json.loads((tmp_path / "o.jsonl").read_bytes())
    assert row["note"] == "\ud800 alone"
    assert row["tag"] in ("unknown", "human")


def test_a_source_of_another_scan_is_not_overwritten(tmp_path, text):
    for number, name in enumerate(("a.jsonl", "b.jsonl")):
        (tmp_path / name).write_text(json.dumps({"text": text(number)}) + "\n")
        pv.scan(tmp_path / name, store=tmp_path / "s")
    before = (tmp_path / "b.jsonl").read_bytes()
    with pytest.raises(UsageError, match="overwrite a source"):
        pv.filter("a.jsonl", out=tmp_path / "b.jsonl", store=tmp_path / "s")
    assert (tmp_path / "b.jsonl").read_bytes() == before


def test_tags_never_replace_a_column_of_the_users_own(made, tmp_path):
    folder, _, _ = made
    with pytest.raises(UsageError, match="'score' of their own"):
        pv.filter("t.parquet", out=tmp_path / "o.parquet", store=folder / "s", with_tags=True)
    assert list(tmp_path.glob("o.*")) == []


def test_nanoseconds_reach_json_in_full(made, tmp_path):
    folder, table, _ = made
    times = pa.array([1_700_000_000_123_456_789] * table.num_rows, pa.timestamp("ns"))
    pq.write_table(table.append_column("seen", times), folder / "times.parquet")
    pv.filter(folder / "times.parquet", out=tmp_path / "o.jsonl", store=tmp_path / "s")
    first = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert first["seen"] == "2023-11-14 22:13:20.123456789"


def test_lines_keep_their_bytes(made, tmp_path):
    folder, _, lines = made
    for out in ("o.jsonl", "o.jsonl.gz", "o.jsonl.zst"):
        pv.filter("l.jsonl", out=tmp_path / out, store=folder / "s")
        with pa.input_stream(str(tmp_path / out), compression={"gz": "gzip", "zst": "zstd"}.get(out[8:])) as stream:
            assert stream.read().decode().splitlines() == [lines[0], lines[2].rstrip("\r")]
    first = (tmp_path / "o.jsonl.gz").read_bytes()
    pv.filter("l.jsonl", out=tmp_path / "o.jsonl.gz", store=folder / "s")
    assert (tmp_path / "o.jsonl.gz").read_bytes() == first


def test_a_crawl_gives_id_url_date_text_and_language(sample, tmp_path):
    result = pv.filter(sample / "crawl.warc.gz", out=tmp_path / "o.jsonl.gz", store=tmp_path / "s", jobs=1)
    with gzip.open(tmp_path / "o.jsonl.gz", "rt") as stream:
        rows = [json.loads(line) for line in stream]
    assert len(rows) == result.kept > 3
    assert all(list(row) == ["id", "url", "date", "text", "language"] for row in rows)
    urls = pv.Store(tmp_path / "s").sql("select url from records where tag = 'human'").fetchall()
    assert sorted((row["url"],) for row in rows) == sorted(urls)


def test_nothing_kept_is_an_empty_file_with_the_columns(made, tmp_path):
    folder, table, _ = made
    result = pv.filter("t.parquet", keep={"synthetic"}, out=tmp_path / "o.parquet", store=folder / "s")
    assert (result.kept, result.dropped) == (0, 4)
    assert pq.read_table(tmp_path / "o.parquet").schema.equals(table.schema)
    assert pv.filter("l.jsonl", keep={"synthetic"}, out=tmp_path / "o.jsonl", store=folder / "s").kept == 0
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_another_policy_for_this_file_alone(made, tmp_path):
    folder, _, _ = made
    result = pv.filter("t.parquet", out=tmp_path / "o.parquet", store=folder / "s", policy="strict")
    assert result.kept == 0
    ((policies,),) = pv.Store(folder / "s").sql("select list(distinct policy_id) from records").fetchall()
    assert [policy.split("@")[0] for policy in policies] == ["default"]


def test_paths_are_scanned_first_and_not_twice(made, tmp_path):
    folder, _, _ = made
    pv.filter(folder / "t.parquet", out=tmp_path / "o.parquet", store=folder / "s")
    assert pv.Store(folder / "s").sql("select count(*) from scans").fetchall() == [(2,)]


def test_the_result_is_recorded_and_a_sealed_name_is_not_overwritten(made, tmp_path):
    folder, _, _ = made
    store, out = folder / "s", tmp_path / "o.parquet"
    first = pv.filter("t.parquet", out=out, store=store, dataset="clean")
    assert first.dataset_id == "dataset:clean"
    members = "select count(*) from dataset_records join records using (record_id) where dataset_id = 'dataset:clean'"
    assert pv.Store(store).sql(members).fetchall() == [(2,)]
    assert pv.filter("t.parquet", out=out, store=store, dataset="clean").dataset_id == "dataset:clean"
    before = out.read_bytes()
    with pytest.raises(LineageError, match="--dataset"):
        pv.filter("t.parquet", keep={"unknown"}, out=out, store=store, dataset="clean")
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "keep", "message"),
    [
        ("o.txt", {"human"}, r"\.jsonl\.zst"),
        ("o.jsonl", {"humans"}, "humans"),
        ("o.jsonl", set(), "no tag"),
        ("o.parquet", {"human"}, "JSONL source"),
    ],
)
def test_what_cannot_be_written_is_refused(made, tmp_path, out, keep, message):
    folder, _, _ = made
    with pytest.raises(UsageError, match=message):
        pv.filter("l.jsonl", keep=keep, out=tmp_path / out, store=folder / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_not_overwritten(made):
    folder, _, lines = made
    with pytest.raises(UsageError, match="overwrite a source"):
        pv.filter("l.jsonl", out=folder / "l.jsonl", store=folder / "s")
    assert (folder / "l.jsonl").read_bytes().decode().splitlines()[0] == lines[0]


def test_a_changed_or_lost_source_is_refused(tmp_path, jsonl, text):
    path = jsonl(tmp_path / "a.jsonl", [{"text": text(1), "date": "2010-01-01"}])
    pv.scan(path, store=tmp_path / "s", jobs=1)
    jsonl(path, [{"text": text(2), "date": "2010-01-01"}])
    for _ in range(2):
        with pytest.raises(UsageError, match="gone or has changed"):
            pv.filter("a.jsonl", out=tmp_path / "o.jsonl", store=tmp_path / "s")
        path.unlink(missing_ok=True)
    assert not (tmp_path / "o.jsonl").exists()


def test_what_a_killed_process_left_is_swept_and_that_of_a_living_one_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "x.jsonl.gz"
    waiting = sinks.unfinished(path)
    left = waiting.with_name(waiting.name.replace(f".{os.getpid()}.", f".{ended.pid}."))
    for file in (waiting, left):
        file.touch()
    assert sinks.unfinished(path) == waiting
    assert [waiting] == list(tmp_path.iterdir())


def test_a_scan_goes_before_a_folder_of_its_name(made, tmp_path, monkeypatch):
    folder, table, _ = made
    (tmp_path / "t.parquet").mkdir()
    monkeypatch.chdir(tmp_path)
    result = pv.filter("t.parquet", keep={"human", "unknown", "synthetic"}, out="o.parquet", store=folder / "s")
    assert result.kept == table.num_rows
