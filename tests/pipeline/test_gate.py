"""The gate as a user meets it: files, sealed subsets, moments, and what a set registered later changes."""

from __future__ import annotations

import csv
import datetime as dt
import json
import time

import pyarrow.parquet as pq
import pytest

import provenance as pv
from provenance import pipeline
from provenance.cli import run
from provenance.errors import GateError, LineageError, PolicyError, StoreError, UsageError

LOOPS_ONLY = """
name = "loops"
[gate]
max_synthetic_share = 1.0
max_unknown_share = 1.0
min_human_share = 0.0
max_unverified_share = 1.0
max_self_graded_share = 1.0
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "loops.toml"
    path.write_text(LOOPS_ONLY)
    return path


@pytest.fixture
def world(tmp_path, jsonl, text):
    """A crawl, sealed as `web`: two of six records are text of demo-1, not registered yet; demo-2 succeeds demo-1."""
    store = tmp_path / "store"
    rows = [{"id": f"r{n}", "text": text(n), "date": "2024-05-01"} for n in range(6)]
    rows[5]["text"] = f"{text(5, 60)} {text(99, 60)}"
    jsonl(tmp_path / "crawl.jsonl", rows)
    jsonl(tmp_path / "generated.jsonl", [{"text": text(4)}, {"text": text(99, 60)}])
    pv.scan(tmp_path / "crawl.jsonl", store=store, jobs=1, name="crawl")
    pipeline.add_dataset("web", scans=["crawl"], store=store)
    pipeline.add_model("demo-2", parent="demo-1", store=store)
    return store


def register(tmp_path, store):
    return pv.register(tmp_path / "generated.jsonl", label="synthetic", model="demo-1", name="late", store=store)


def latest(store):
    ((moment,),) = pv.Store(store).sql("select max(recorded_at) from commits").fetchall()
    return moment


def test_a_set_registered_later_changes_the_answer_and_not_what_it_was(world, tmp_path, policy, capfd):
    arguments = ["check", "web", "--for-model", "demo-2", "--policy", str(policy), "--store", str(world)]
    assert run(arguments) == 0
    pipeline.add_run(trains="demo-2", on=["web"], name="night", store=world)
    pipeline.add_model("tiny", parent="demo-2", relation="distilled", store=world)
    before = latest(world)
    time.sleep(0.01)
    registered = register(tmp_path, world)
    capfd.readouterr()
    assert run(arguments) == 1
    said = capfd.readouterr().out
    assert said.startswith("REFUSED: dataset web for training demo-2 under policy loops@1")
    assert "text of model:demo-1 in 2 records (180 words)" in said

    assert run(["lineage", "impact", "late", "--json", "--store", str(world)]) == 0
    touched = {row["id"]: row for row in json.loads(capfd.readouterr().out)}
    assert set(touched) == {
        next(row for row in touched if touched[row]["kind"] == "scan"),
        *("dataset:web", "run:night", "model:demo-2", "model:tiny"),
    }
    assert {row["how"] for row in touched.values()} == {"direct", "indirect"}
    assert touched["model:tiny"]["how"] == "indirect"
    for node in ("dataset:web", "run:night", "model:demo-2"):
        assert touched[node]["since"] == str(registered_at(world, registered.set_id))
        assert [(c["tag_before"], c["tag_after"], c["records"], c["words"]) for c in touched[node]["changes"]] == [
            ("unknown", "synthetic", 2, 240)
        ]
    assert (touched["dataset:web"]["held_records"], touched["dataset:web"]["held_words"]) == (2, 180)

    assert run([*arguments, "--as-of", before.isoformat()]) == 0
    assert f"as of {before}" in capfd.readouterr().out
    now = pv.check("web", for_model="demo-2", policy=policy, store=world, as_of=latest(world))
    assert not now.allowed


def registered_at(store, set_id):
    query = "select min(recorded_at) from changes where cause_id = $1"
    ((moment,),) = pv.Store(store).sql(query, [set_id]).fetchall()
    return moment


def test_a_moment_that_can_not_be_told_is_refused(world, tmp_path, policy):
    def check(dataset, moment, judged_by="default"):
        return pv.check(dataset, for_model="demo-2", policy=judged_by, as_of=moment, store=world)

    start = latest(world)
    with pytest.raises(UsageError, match="begins at"):
        check("web", dt.date(2020, 1, 1))
    with pytest.raises(UsageError, match="in the future"):
        check("web", dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    with pytest.raises(PolicyError, match="did not know the policy 'strict'"):
        check("web", start, "strict")
    with pytest.raises(PolicyError, match="did not know"):
        check("web", start, policy)
    pipeline.add_dataset("later", scans=["crawl"], store=world)
    with pytest.raises(LineageError, match="was sealed later"):
        check("later", start)
    pv.check("web", policy=policy, store=world)
    assert check("web", latest(world), policy).allowed  # a check records its policy
    with pv.Store(world).commit("take a part out") as commit:
        ((part,),) = commit.execute("select path from parts where kind = 'observations'").fetchall()
        commit.withdraw_part(part)
    with pytest.raises(StoreError, match="can't be told any more"):
        check("web", start)


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl"])
def test_the_records_concerned_are_written(world, tmp_path, policy, form):
    register(tmp_path, world)
    out = tmp_path / f"concerned.{form}"
    result = pv.check("web", for_model="demo-2", policy=policy, store=world, records=out)
    assert result.records == str(out)
    if form == "parquet":
        rows = pq.read_table(out).to_pylist()
    elif form == "csv":
        rows = list(csv.DictReader(out.open()))
    else:
        rows = [json.loads(line) for line in out.open()]
    assert [(row["uri"], int(row["position"]), row["tag"]) for row in rows] == [
        ("crawl.jsonl", 4, "synthetic"),
        ("crawl.jsonl", 5, "synthetic"),
    ]
    assert {str(row["violations"]) for row in rows} <= {"own", "['own']"}
    with pytest.raises(UsageError, match="does not say what to write"):
        pv.check("web", policy=policy, store=world, records=tmp_path / "x.txt")


def test_a_fixed_dataset_passes_and_is_sealed(world, tmp_path, policy, text):
    register(tmp_path, world)
    out = tmp_path / "clean.jsonl"
    fixed = pv.fix("web", for_model="demo-2", policy=policy, out=out, store=world)
    assert (fixed.kept, fixed.dropped, fixed.dataset, fixed.check.allowed) == (4, 2, "dataset:web-fixed", True)
    assert [json.loads(line) for line in out.open()] == [
        {"id": f"r{n}", "text": text(n), "date": "2024-05-01"} for n in range(4)
    ]
    assert pq.read_table(fixed.dropped_list).column("position").to_pylist() == [4, 5]
    query = "select count(*) from dataset_records where dataset_id = 'dataset:web-fixed'"
    assert pv.Store(world).sql(query).fetchall() == [(4,)]
    again = pv.fix("web", for_model="demo-2", policy=policy, out=out, store=world)
    assert again.kept == 4
    none = tmp_path / "none.jsonl"
    with pytest.raises(LineageError, match="sealed with other members"):
        pv.fix("web", policy=policy, out=none, store=world)
    with pytest.raises(GateError, match="no record is human"):
        pv.fix("web", policy="strict", out=none, store=world)
    assert not none.exists()


def test_weights_leave_out_what_is_a_relatives(world, tmp_path, policy):
    register(tmp_path, world)
    out = tmp_path / "weights.parquet"
    result = pv.fix("web", for_model="demo-2", policy=policy, out=out, weights=True, store=world)
    rows = pq.read_table(out).to_pylist()
    assert [row["weight"] for row in rows] == [1, 1, 1, 1, 0, 0]
    assert (result.kept, result.dropped, result.dataset) == (4, 2, None)
    assert not result.check.allowed


def test_fixing_from_the_command_line(world, tmp_path, policy, capfd):
    register(tmp_path, world)
    out = tmp_path / "clean.jsonl"
    arguments = ["check", "web", "--for-model", "demo-2", "--policy", str(policy), "--store", str(world)]
    assert run([*arguments, "--fix", str(out), "--fixed-name", "clean"]) == 1
    assert "4 records kept" in capfd.readouterr().out
    assert run([*arguments[:1], "clean", *arguments[2:]]) == 0
    assert run([*arguments, "--fix", str(out), "--as-of", "2026-01-01"]) == 2
    assert run([*arguments, "--weights"]) == 2
