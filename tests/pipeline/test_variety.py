"""Diversity and budget of real scans: what is measured is what stands in the sources."""

from __future__ import annotations

import json
import random

import pytest

import provenance as pv
from provenance import lineage, pipeline
from provenance.cli import run
from provenance.errors import LineageError, UsageError
from provenance.store import Store


def zipf(seed, most):
    chance = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(most)]
    return " ".join(f"w{word}" for word in chance.choices(range(most), weights, k=150))


@pytest.fixture(scope="module")
def world(tmp_path_factory, jsonl):
    """Two scans, one of a large vocabulary and one of a small, in which some texts stand twice."""
    folder = tmp_path_factory.mktemp("variety")
    rows = {
        "rich": [{"text": zipf(n, 20_000), "url": f"http://h{n % 2}.example/{n}"} for n in range(80)],
        "poor": [{"text": zipf(1000 + n, 300), "url": "http://h0.example/"} for n in range(80)],
    }
    rows["rich"] = [{**rows["rich"][n], "date": "2015-01-01"} for n in (3, 3, 5)] + rows["rich"]
    for name, texts in rows.items():
        pv.scan(jsonl(folder / f"{name}.jsonl", texts), store=folder / "s", name=name, jobs=1)
    lineage.add_dataset(Store(folder / "s"), "both", scans=["rich", "poor"])
    return folder


def test_a_poor_crawl_is_told_from_a_rich_one(world):
    found = pipeline.diversity("poor", against="rich", store=world / "s")
    (one,) = found.slices.values()
    assert (one.texts, found.unread) == ((80, 83), 0)
    assert one.tokens == 6_000
    assert one.against["tail_coverage"].high < 0.3
    assert one.figures["distinct_1"].high < one.baseline["distinct_1"].low
    assert found == pipeline.diversity("poor", against="rich", store=world / "s")


def test_a_part_of_a_crawl_is_held_against_the_rest_of_it(world):
    (one,) = pipeline.diversity("rich", against="rich", store=world / "s").slices.values()
    assert sum(one.texts) == 83
    assert one.against["tail_coverage"].low < 1.05
    assert one.against["tail_coverage"].high > 0.95
    assert abs(one.against["vocabulary_lost"].mean) < 0.05


def test_slices_and_datasets(world):
    by_host = pipeline.diversity("rich", by="host", store=world / "s")
    assert {name: one.texts[0] for name, one in by_host.slices.items()} == {"h0.example": 40, "h1.example": 43}
    assert pipeline.diversity("both", store=world / "s").slices[""].texts == (163, 0)


def test_sources_that_are_gone_are_counted(world, tmp_path, jsonl):
    source = jsonl(tmp_path / "gone.jsonl", [{"text": zipf(1, 100)}])
    pv.scan(source, store=tmp_path / "s", name="gone", jobs=1)
    source.unlink()
    with pytest.raises(UsageError, match="None of its sources"):
        pipeline.diversity("gone", store=tmp_path / "s")
    with pytest.raises(LineageError, match="no scan or dataset"):
        pipeline.diversity("none", store=tmp_path / "s")


def test_a_budget_counts_each_human_text_once(world):
    (whole,) = pipeline.budget("rich", store=world / "s")
    assert (whole.records, whole.words) == (83, 83 * 150)
    assert (whole.human_words, whole.unique_human_words, whole.usable_words) == (450, 300, 300)
    rows = pipeline.budget("both", by="host", store=world / "s")
    assert [row.slice for row in rows] == ["", "h0.example", "h1.example"]
    assert rows[0].words == rows[1].words + rows[2].words == 163 * 150


def test_copies_that_dedup_found_are_dropped_from_the_budget(world):
    before = pipeline.budget("rich", store=world / "s")[0]
    pv.dedup("rich", store=world / "s", jobs=1)
    after = pipeline.budget("rich", store=world / "s")[0]
    assert after.unique_human_words == 300
    assert after.unique_unknown_words == before.unique_unknown_words - 300


def test_the_command_line(world, capsys):
    store = ["--store", str(world / "s")]
    assert run(["diversity", "poor", "--against", "rich", "--json", *store]) == 0
    assert json.loads(capsys.readouterr().out)["slices"][""]["tokens"] == 6_000
    assert run(["diversity", "poor", "--against", "rich", *store]) == 0
    assert "tail_coverage" in capsys.readouterr().out
    assert run(["budget", "both", "--by", "language", *store]) == 0
    assert "24,450" in capsys.readouterr().out


def test_too_little_text_is_said(tmp_path, jsonl, capsys):
    pv.scan(jsonl(tmp_path / "one.jsonl", [{"text": "a b c"}]), store=tmp_path / "s", name="one", jobs=1)
    assert run(["diversity", "one", "--store", str(tmp_path / "s")]) == 0
    assert "too little text" in capsys.readouterr().out
