"""``explain``, ``estimate``, ``diversity`` and ``budget``, as a person reads them."""

from __future__ import annotations

import json
import random

import pytest

from provenance import pipeline

WORDS = [f"{a}{b}" for a in ("ba", "ke", "li", "mo") for b in range(400)]


def text(seed, words=120):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.fixture
def web(cli, tmp_path):
    """A scan of eight texts of two hosts; m1 wrote the first, a robot declares the second."""
    rows = [{"text": text(seed), "url": f"https://h{seed % 2}.example/\x1b{seed}"} for seed in range(8)]
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "made.jsonl").write_text(json.dumps({"text": text(0)}) + "\n")
    assert cli("register", "made.jsonl", "--synthetic", "--model", "m1", "--jobs", 1).code == 0
    assert cli("scan", "web.jsonl", "--name", "web", "--jobs", 1).code == 0
    return cli


def record(cli, condition):
    query = f"select record_id from records where {condition} order by record_id limit 1"
    return json.loads(cli("sql", query, "--json").out)[0]["record_id"]


def test_explain_shows_the_match_what_decided_and_the_text(web):
    done = web("explain", record(web, "tag = 'synthetic'"))
    assert done.code == 0
    assert "  synthetic  (match:copy" in done.out.splitlines()[0]
    assert "shares text with" in done.out
    assert "m1-made" in done.out
    assert any(line.startswith("decided by: ") for line in done.out.splitlines())
    assert f"  text: {text(0)[:40]}" in done.out
    assert "\x1b" not in done.out
    assert "\\u001b" in done.out


def test_explain_says_why_no_text_is_shown(web, tmp_path):
    name = record(web, "tag = 'unknown'")
    (tmp_path / "web.jsonl").unlink()
    done = web("explain", name[:12])
    assert done.code == 0
    assert "no text is shown: " in done.err
    assert "would change it: " in done.out
    assert json.loads(web("explain", f"web/{name}", "--json").out)["record"]["record_id"] == name


def test_estimate_counts_what_it_could_not_judge(web):
    done = web("estimate", "web", "--by", "host", "--top", 1)
    assert done.code == 0, done.err
    assert "synthetic text in web, as estimated with style-" in done.out
    assert "not estimated: " in done.out
    assert "2 other hosts: shares not as surely high, or too few texts" in done.out
    assert "Intervals: 95 %" in done.err
    assert json.loads(web("estimate", "web", "--json").out)["total"]["records"] == 8


def test_an_alarm_of_drift_stands_under_the_estimate(web, monkeypatch):
    from dataclasses import replace

    from provenance.pipeline.drift import Drift

    found = pipeline.estimate("web")
    alarm = Drift("web\x1b", "en", 900, 90, 0.1, 0.005, 1e-9, None, None, True)
    calm = replace(alarm, language="de", alarm=False)
    monkeypatch.setattr(pipeline, "estimate", lambda *_, **__: replace(found, drift=(alarm, calm)))
    done = web("estimate", "web")
    assert done.code == 0, done.err
    said = [line for line in done.out.splitlines() if "rift" in line.lower()]
    assert [line.partition(":")[0] for line in said] == ["DRIFT in web\\u001b (en)"]


def test_too_little_text_has_no_diversity(web):
    done = web("diversity", "web")
    assert done.code == 0
    assert "too little text to measure" in done.out
    assert json.loads(web("diversity", "web", "--json").out)["of"] == "web"


def test_a_budget_by_host(web):
    said = [" ".join(line.split()) for line in web("budget", "web", "--by", "host").out.splitlines()]
    assert any(line.startswith("all 8 960 ") for line in said)
    assert any(line.startswith("h0.example 4 480 ") for line in said)
    assert json.loads(web("budget", "web", "--json").out)[0]["records"] == 8
