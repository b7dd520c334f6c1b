"""Files that filters write: whole or not at all, and readable by others whatever the values are."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import UsageError
from provenance.pipeline import sinks

ODD = pa.table(
    {
        "nan": [float("nan"), 1.5],
        "far": [[float("inf")], []],
        "bytes": [b"\x00\xff", None],
        "day": [dt.date(2020, 1, 2), None],
        "fine": pa.array([1, None], pa.timestamp("ns")),
    }
)


def test_what_json_can_not_say_is_null_or_text(tmp_path):
    path = tmp_path / "o.jsonl"
    assert sinks.write(path, sinks.form_of(path), [ODD]) == 2
    first, second = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert first == {
        "nan": None,
        "far": [None],
        "bytes": "00ff",
        "day": "2020-01-02",
        "fine": "1970-01-01 00:00:00.000000001",
    }
    assert second == {"nan": 1.5, "far": [], "bytes": None, "day": None, "fine": None}


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz", "o.jsonl.zst"])
def test_lines_are_written_as_they_stood(tmp_path, name):
    path = tmp_path / "new" / name
    assert sinks.write(path, sinks.form_of(path), [[b'{"a": 1}\r\n'], [b"{}"]]) == 2
    opened = {"o.jsonl": lambda: path.read_bytes(), "o.jsonl.gz": lambda: gzip.decompress(path.read_bytes())}
    content = opened[name]() if name in opened else pa.input_stream(str(path), compression="zstd").read()
    assert content == b'{"a": 1}\n{}\n'


def test_sources_of_different_columns_share_no_table_and_leave_what_stood_there(tmp_path):
    path = tmp_path / "o.parquet"
    path.write_bytes(b"before")
    with pytest.raises(UsageError, match=r"different columns.*\.jsonl"):
        sinks.write(path, sinks.form_of(path), [pa.table({"a": [1]}), pa.table({"b": [1]})])
    assert path.read_bytes() == b"before"
    assert [found.name for found in tmp_path.iterdir()] == ["o.parquet"]


def test_no_row_is_a_table_of_its_columns(tmp_path):
    path = tmp_path / "o.parquet"
    assert sinks.write(path, sinks.form_of(path), [], pa.schema([("text", pa.string())])) == 0
    assert pq.read_table(path).column_names == ["text"]


def test_a_name_that_says_no_form_is_refused():
    with pytest.raises(UsageError, match=r"\.parquet, \.jsonl, \.jsonl\.gz, \.jsonl\.zst, \.csv"):
        sinks.form_of(Path("o.xml"), also=[".csv"])


def test_what_a_killed_process_left_goes_and_what_a_running_one_writes_stays(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name = sinks.unfinished(tmp_path / "o.jsonl").name
    left = tmp_path / name.replace(f".{os.getpid()}.", f".{dead.pid}.")
    living = tmp_path / name.replace(f".{os.getpid()}.", f".{os.getppid()}.")
    foreign = tmp_path / ".o.jsonl.another-machine.1.partial"
    for path in (left, living, foreign):
        path.write_bytes(b"x")
    sinks.write(tmp_path / "o.jsonl", sinks.form_of(tmp_path / "o.jsonl"), [[b"{}"]])
    assert {path.name for path in tmp_path.iterdir()} == {"o.jsonl", living.name, foreign.name}
