"""What the lineage commands print for people, over a store in which a model is trained on its parent's text."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest

from provenance import pipeline

WORDS = [f"{a}{b}" for a in ("ba", "ke", "li", "mo") for b in range(400)]


def text(seed, words=120):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def write(path, seeds):
    path.write_text("".join(json.dumps({"text": text(seed)}) + "\n" for seed in seeds))
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store: of the four records of `web`, m1 wrote two; m2, its successor, is trained on dataset `news` of them."""
    folder = tmp_path_factory.mktemp("world")
    store = folder / "store"
    pipeline.scan(write(folder / "web.jsonl", range(4)), store=store, name="web", jobs=1)
    pipeline.register(
        write(folder / "made.jsonl", (1, 2, 9)), label="synthetic", model="m1", name="made", store=store, jobs=1
    )
    pipeline.add_model("m2", parent="m1", store=store)
    pipeline.add_dataset("news", scans=["web"], store=store)
    pipeline.add_dataset("older", scans=["web"], version="1", store=store)
    pipeline.add_run(trains="m2", on=["news"], name="r", started_at=dt.datetime(2025, 1, 1), store=store)
    return store


def lines(done):
    assert done.code in (0, 1), done.err
    return [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]


def test_trace_lists_both_directions(cli, world):
    said = lines(cli("lineage", "trace", "news", "--store", world))
    assert said[0] == "ancestors of news"
    assert any(line.startswith("scan web 1 ") for line in said)
    down = said[said.index("descendants of news") :]
    assert any(line.startswith("model m2 ") for line in down)
    only = lines(cli("lineage", "trace", "news", "--direction", "down", "--store", world))
    assert only[0] == "descendants of news"
    assert not any("scan web" in line for line in only)


def test_loops_exit_with_1_and_tell_the_path(cli, world):
    done = cli("lineage", "loops", "--store", world)
    assert done.code == 1
    (row,) = [line for line in lines(done) if line.startswith("model m2 dataset news 2 ")]
    assert "run r -> dataset news -> generation set made -> model m1" in row
    assert cli("lineage", "loops", "--as-of", "2000-01-01", "--store", world).code == 2


def test_nothing_found_is_said(cli, tmp_path):
    assert cli("init").code == 0
    assert cli("lineage", "add", "model", "alone").code == 0
    assert cli("lineage", "loops").out == "no feedback loop is known\n"
    assert cli("lineage", "grading").out == "no self-grading is known\n"
    assert "unknown unknown unknown unknown 0" in lines(cli("lineage", "exposure", "alone"))
    assert cli("lineage", "impact").out == "nothing is touched\n"


def test_depth_and_exposure(cli, world):
    said = lines(cli("lineage", "depth", "--store", world))
    assert any(line.startswith("dataset news unknown") for line in said)
    (one,) = json.loads(cli("lineage", "depth", "news", "--json", "--store", world).out)
    assert one["kind"] == "dataset"
    assert one["at_least"] >= 1
    said = lines(cli("lineage", "exposure", "m2", "--store", world))
    assert any(line.startswith("relative ") and line.endswith("model m1") for line in said)


def test_a_model_that_grades_its_own_text(cli, world, tmp_path):
    import shutil

    store = shutil.copytree(world, tmp_path / "copy")
    done = cli("lineage", "add", "evaluation", "quality", "--of", "news", "--grader", "m1", "--store", store)
    assert done.out == "evaluation run:quality\n"
    done = cli("lineage", "grading", "--store", store)
    assert done.code == 1
    assert "model m1" in done.out


def test_impact_counts_what_a_set_has_changed(cli, world):
    said = lines(cli("lineage", "impact", "made", "--store", world))
    assert any(line.startswith("scan web direct") and "2 unknown -> synthetic" in line for line in said)
    found = json.loads(cli("lineage", "impact", "made", "--json", "--store", world).out)
    assert {row["name"] for row in found} >= {"web", "news", "m2"}


@pytest.mark.parametrize(("name", "kind"), [("news", "dataset"), ("older", "dataset"), ("web", "scan"), ("r", "run")])
def test_impact_of_what_causes_nothing_names_the_verb_that_answers(cli, world, name, kind):
    done = cli("lineage", "impact", name, "--store", world)
    assert done.code == 2
    assert f"is a {kind}" in done.err
    assert f"provenance lineage trace {name}" in done.err
    assert ("lineage diff" in done.err) == (kind != "run")


def test_impact_of_nothing_known(cli, world):
    assert "no reference set, policy or model 'nothing'" in cli("lineage", "impact", "nothing", "--store", world).err


def test_diff_of_policies_and_its_columns(cli, world):
    policies = ("--policy", "default", "--policy", "strict")
    assert lines(cli("lineage", "diff", "web", *policies, "--store", world))[0] == "before after records words"
    said = lines(cli("lineage", "diff", "news", *policies, "--reasons", "--by-dataset", "--store", world))
    assert said[0] == "dataset before after records words"
    assert any("synthetic match:copy" in line for line in said)
    (row,) = json.loads(cli("lineage", "diff", "web", "--policy", "default", "--json", "--store", world).out)[:1]
    assert row["tag_before"] == row["tag_after"]


def test_diff_between_moments_and_scans(cli, world):
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).strftime("%Y-%m-%d")
    assert cli("lineage", "diff", "web", "--from", tomorrow, "--store", world).code == 2
    moments = pipeline.status(store=world)["commits"]
    begun = min(commit["recorded_at"] for commit in moments)
    rows = json.loads(cli("lineage", "diff", "web", "--from", begun.isoformat(), "--json", "--store", world).out)
    assert sum(row["records"] for row in rows) == 4
    rows = json.loads(cli("lineage", "diff", "web", "web", "--json", "--store", world).out)
    assert all(row["tag_before"] == row["tag_after"] for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "One comparison at a time"),
        (("web", "--policy", "strict"), "One comparison at a time"),
        (("--policy", "strict", "--policy", "lenient", "--policy", "default"), "One comparison at a time"),
        (("--policy", "strict", "--to", "2030-01-01"), "later moment alone"),
    ],
)
def test_diff_of_too_much_or_too_little(cli, world, options, message):
    done = cli("lineage", "diff", "web", *options, "--store", world)
    assert done.code == 2
    assert message in done.err


def test_export_and_import_by_file(cli, world, tmp_path):
    out = tmp_path / "graph.json"
    assert cli("lineage", "export", "prov", "--out", out, "--store", world).code == 0
    assert cli("init", "--store", "other").code == 0
    done = cli("lineage", "import", out, "--store", "other")
    assert done.code == 0, done.err
    assert "nodes" in done.out
    names = json.loads(cli("sql", "select name from lineage_nodes", "--json", "--store", "other").out)
    assert {"m1", "m2"} <= {row["name"] for row in names}


def test_generations_and_their_run_may_be_added_by_name(cli, tmp_path):
    assert cli("init").code == 0
    assert cli("lineage", "add", "model", "m").code == 0
    assert cli("lineage", "add", "generation-run", "g1", "--model", "m").out == "generation_run run:g1\n"
    done = cli("lineage", "add", "generation-set", "batch", "--run", "g1", "--texts", 3)
    assert done.code == 0, done.err
    said = lines(cli("lineage", "trace", "batch", "--direction", "up"))
    assert any(line.startswith("model m ") for line in said)
