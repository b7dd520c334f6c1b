"""``check`` as a person reads it: why a dataset is refused, and what a subset that passes holds."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest

WORDS = [f"{a}{b}" for a in ("ba", "ke", "li", "mo") for b in range(400)]


def text(seed, words=120):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.fixture
def gate(cli, tmp_path):
    """Of the ten texts of dataset `news`, m1 wrote two; people wrote the others. m2 is the successor of m1."""
    rows = [{"text": text(seed), "date": "2015-01-01" if seed > 1 else "2025-01-01"} for seed in range(10)]
    for name, chosen in (("web", rows), ("made", rows[:2])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    assert cli("register", "made.jsonl", "--synthetic", "--model", "m1", "--jobs", 1).code == 0
    assert cli("scan", "web.jsonl", "--name", "web", "--jobs", 1, "--date-column", "date").code == 0
    assert cli("lineage", "add", "model", "m2", "--parent", "m1").code == 0
    assert cli("lineage", "add", "dataset", "news", "--scan", "web").code == 0
    return cli


def test_a_refusal_names_the_loop_the_limit_and_the_records(gate, tmp_path):
    done = gate("check", "news", "--for-model", "m2", "--records", "concerned.jsonl")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("REFUSED: dataset news for training m2 under policy ")
    assert any(line.startswith("  violation: ") for line in lines)
    assert any(line.startswith("  loop: ") and "model m1" in line for line in lines)
    assert "2 synthetic), 1,200 words" in done.out
    assert "at most" in done.out
    assert lines[-1] == "the records concerned are listed in concerned.jsonl"
    assert len((tmp_path / "concerned.jsonl").read_text().splitlines()) == 2


def test_a_subset_that_passes_is_written_and_sealed(gate, tmp_path):
    done = gate("check", "news", "--for-model", "m2", "--fix", "good.jsonl", "--fixed-name", "good")
    assert done.code == 1
    said = done.out.splitlines()
    assert any(line.startswith("8 records kept in good.jsonl, 2 dropped (listed in ") for line in said)
    assert said[-1].endswith(" passes")
    assert gate("check", "good", "--for-model", "m2").out.startswith("passes: dataset good for training m2 ")
    kept = [json.loads(line)["text"] for line in (tmp_path / "good.jsonl").read_text().splitlines()]
    assert kept == [text(seed) for seed in range(2, 10)]
    again = gate("check", "good", "--for-model", "m2", "--fix", "again.jsonl")
    assert again.code == 0
    assert again.out.splitlines()[-1] == "it passes as it is: again.jsonl is not written"
    assert not (tmp_path / "again.jsonl").exists()


def test_weights_instead_of_a_subset(gate, tmp_path):
    done = gate("check", "news", "--for-model", "m2", "--fix", "weights.jsonl", "--weights")
    assert done.code == 1
    assert "records have a weight above zero in weights.jsonl" in done.out
    found = json.loads(gate("check", "news", "--for-model", "m2", "--fix", "w.jsonl", "--weights", "--json").out)
    assert (found["allowed"], found["fixed"]["kept"] + found["fixed"]["dropped"]) == (False, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--weights",), "belong to --fix"),
        (("--fixed-name", "x"), "belong to --fix"),
        (("--fix", "x.jsonl", "--as-of", "2030-01-01"), "exclude each other"),
        (("--fix", "x.csv", "--for-model", "m2"), ".jsonl"),
    ],
)
def test_options_that_make_no_sense_together(gate, options, message):
    done = gate("check", "news", *options)
    assert done.code == 2
    assert message in done.err
    assert done.out == ""


def test_a_model_that_is_not_recorded_is_checked_by_its_own_text_alone(gate):
    done = gate("check", "news", "--for-model", "m9")
    assert "note: " in done.err
    assert "its ancestors are unknown" in done.err
    assert "loop: " not in done.out


def test_a_moment_is_told(gate):
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    done = gate("check", "news", "--for-model", "m2", "--as-of", later)
    assert done.code in (1, 2)
    assert "as of" in done.out or "future" in done.err or later[:10] in done.err


def test_nothing_is_written_over_a_source_or_where_nothing_can_be(gate, tmp_path):
    before = (tmp_path / "web.jsonl").read_bytes()
    done = gate("check", "news", "--for-model", "m2", "--fix", "web.jsonl")
    assert done.code == 2
    assert "would overwrite a source of a scan (web.jsonl)" in done.err
    assert (tmp_path / "web.jsonl").read_bytes() == before
    for command in (
        ("check", "news", "--for-model", "m2", "--records", "web.jsonl"),
        ("lineage", "export", "prov", "--out", "web.jsonl"),
    ):
        done = gate(*command)
        assert done.code == 2
        assert "would overwrite a source of a scan" in done.err
        assert (tmp_path / "web.jsonl").read_bytes() == before
    (tmp_path / "folder.csv").mkdir()
    done = gate("check", "news", "--for-model", "m2", "--records", "folder.csv")
    assert done.code == 2
    assert "The output can't be written" in done.err
    assert (tmp_path / "folder.csv").is_dir()
