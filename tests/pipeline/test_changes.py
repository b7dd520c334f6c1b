"""Dated entries: whatever changes tags says so, in the same commit, for all that hold or learnt from the records."""

from __future__ import annotations

import datetime as dt
import importlib
import shutil
from collections import Counter

import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import ProvenanceError

registering = importlib.import_module("provenance.pipeline.register")
changes = importlib.import_module("provenance.pipeline.changes")
rematching = importlib.import_module("provenance.pipeline.rematch")

MOMENT = dt.timedelta(microseconds=1)


def entries(store):
    query = "select * exclude (words) from changes order by recorded_at, cause, subject_kind, subject, tag_before"
    return pv.Store(store).sql(query).fetchall()


def tags(store, moment=None):
    source = "records" if moment is None else "records_as_of($1)"
    query = f"select scan_id, record_id, tag from {source}"
    found = pv.Store(store).sql(query, [moment] if moment else None).fetchall()
    return {(scan, record): tag for scan, record, tag in found}


def differences(before, after):
    """What entries about scans must say of two states: the oracle is `records_as_of`, record by record."""
    return Counter(
        (scan, before[scan, record], tag)
        for (scan, record), tag in after.items()
        if before.get((scan, record), tag) != tag
    )


def about_scans(rows):
    return Counter({(row[3], row[4], row[5]): row[6] for row in rows if row[2] == "scan"})


@pytest.fixture
def store(corpus, tmp_path, jsonl, text):
    """Two scans of which one holds the other, a dataset of each, a model trained on both, and one that was not."""
    store = tmp_path / "s"
    crawl = tmp_path / "crawl"
    shutil.copytree(corpus / "crawl", crawl)
    # A copy of set two that is older than its model may be, and a record of which two fifths are such a copy.
    jsonl(crawl / "d.jsonl", [{"text": text(2), "date": "2021-06-01"}, {"text": f"{text(2, 60)} {text(51, 90)}"}])
    pv.scan(crawl / "a.jsonl", store=store, jobs=1, name="a", root=crawl)
    pv.scan(crawl, store=store, jobs=1, name="all", root=crawl)
    pipeline.add_dataset("whole", scans=["a"], store=store)
    pipeline.add_dataset("rest", scans=["all"], keep={"unknown"}, store=store)
    pipeline.add_run(trains="m9", on=["whole", "rest"], name="r9", store=store)
    pipeline.add_model("m8", store=store)
    return store


def test_registering_says_what_changes_for_scans_datasets_runs_and_models(corpus, store):
    before = tags(store)
    result = pv.register(corpus / "one.jsonl", label="synthetic", model="m1", store=store)
    after = tags(store)
    rows = entries(store)
    assert {row[:2] for row in rows} == {("register", result.set_id)}
    assert about_scans(rows) == differences(before, after) != Counter()
    assert [(c.subject_kind, c.subject, c.tag_before, c.tag_after, c.records) for c in result.changes] == [
        row[2:7] for row in sorted(rows, key=lambda row: ("sdrm".index(row[2][0]), *row[3:6]))
    ]
    counted = {(row[2], row[3], row[4], row[5]): row[6] for row in rows}
    members = pv.Store(store).sql("select dataset_id, record_id from dataset_records").fetchall()
    last = dict(pv.Store(store).sql("select name, scan_id from scans").fetchall())["all"]
    for dataset in ("dataset:whole", "dataset:rest"):
        held = Counter(
            (before[last, record], after[last, record])
            for name, record in members
            if name == dataset and (last, record) in after and before[last, record] != after[last, record]
        )
        assert {key[2:]: count for key, count in counted.items() if key[1] == dataset} == held
    trained = Counter(
        (before[last, record], after[last, record])
        for record in {record for _, record in members if (last, record) in after}
        if before[last, record] != after[last, record]
    )
    for node in ("run:r9", "model:m9"):
        assert {key[2:]: count for key, count in counted.items() if key[1] == node} == trained
    assert not [row for row in rows if row[3] == "model:m8"]


def test_a_retag_that_was_killed_before_its_entries_makes_them_when_it_is_repeated(corpus, store, monkeypatch):
    monkeypatch.setattr(changes, "AT_ONCE", 0)
    pv.register(corpus / "two.jsonl", label="synthetic", model="m2", store=store)
    known, before = len(entries(store)), tags(store)
    with monkeypatch.context() as killed:
        killed.setattr(changes, "_turned", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pv.retag("all", policy="lenient", store=store)
    assert tags(store) != before
    assert len(entries(store)) == known
    for _ in range(2):
        pv.retag("all", policy="lenient", store=store)
        rows = entries(store)[known:]
        assert about_scans(rows) == differences(before, tags(store)) != Counter()


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "cause", ["register", "unregister", "register again", "release", "retag", "retag at large", "model's release"]
)
def test_entries_agree_with_the_records_as_they_stood(corpus, store, cause, monkeypatch):
    if cause == "retag at large":
        cause = "retag"
        monkeypatch.setattr(changes, "AT_ONCE", 0)  # entered by a second commit
    path = corpus / "two.jsonl"
    steps = {
        "register": lambda: pv.register(path, label="synthetic", model="m2", store=store),
        "unregister": lambda: pv.unregister("m2-two", store=store),
        "register again": lambda: pv.register(path, label="synthetic", model="m2", store=store),
        "release": lambda: pv.register(path, label="synthetic", model="m2", store=store, released=dt.date(2023, 1, 1)),
        "retag": lambda: pv.retag("all", policy="lenient", store=store),
        "model's release": lambda: pipeline.add_model("m2", released=dt.date(2023, 1, 1), store=store),
    }
    needed = {
        "register": [],
        "unregister": ["register"],
        "register again": ["register", "unregister"],
        "release": ["register"],
        "retag": ["register"],
        "model's release": ["register"],
    }
    for step in needed[cause]:
        steps[step]()
    known = len(entries(store))
    before = tags(store)
    steps[cause]()
    rows = entries(store)[known:]
    after = tags(store)
    assert about_scans(rows) == differences(before, after) != Counter()
    names = {"register again": "register", "model's release": "release"}
    assert {row[0] for row in rows} == {names.get(cause, cause)}
    (moment,) = {row[7] for row in rows}
    assert tags(store, moment) == after
    assert tags(store, moment - MOMENT) == before


def test_what_changes_nothing_leaves_no_entry(corpus, store, tmp_path, jsonl, text):
    pv.register(jsonl(tmp_path / "k.jsonl", [{"text": text(777)}]), label="synthetic", model="m", store=store)
    pv.retag("all", policy="default", store=store)
    pipeline.add_model("m", released=dt.date(2024, 1, 1), store=store)
    pv.unregister("m-k", store=store)
    assert entries(store) == []


def test_an_interrupted_registration_enters_what_it_changed_once(corpus, store, monkeypatch):
    path = corpus / "one.jsonl"
    before = tags(store)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rematching, "write_part", killed)  # within the commit of the findings
        with pytest.raises(KeyboardInterrupt):
            pv.register(path, label="synthetic", model="m1", store=store)
    assert entries(store) == []
    assert tags(store) == before
    assert pv.register(path, label="synthetic", model="m1", store=store).already_done
    assert about_scans(entries(store)) == differences(before, tags(store)) != Counter()
    known = entries(store)
    pv.register(path, label="synthetic", model="m1", store=store)
    assert entries(store) == known


def test_a_commit_that_fails_leaves_no_entry(corpus, store):
    from provenance.pipeline.changes import recorded
    from provenance.store import Store

    pv.register(corpus / "one.jsonl", label="synthetic", model="m1", store=store)
    known = entries(store)
    ((set_id,),) = pv.Store(store).sql("select set_id from reference_sets").fetchall()

    def fail():
        with Store(store).commit("unregister") as commit:
            with recorded(commit, "unregister", set_id, sets=[set_id]) as changes:
                commit.execute("update reference_sets set withdrawn_at = ?", [commit.recorded_at])
            assert changes
            raise ProvenanceError("stop")

    with pytest.raises(ProvenanceError, match="stop"):
        fail()
    assert entries(store) == known


def test_verifying_what_was_unverified_is_entered_too(tmp_path, jsonl, text):
    """A record that counts as unknown by fingerprints alone becomes synthetic when its source is back."""
    generation = text(1, 60)
    path = jsonl(tmp_path / "a.jsonl", [{"text": f"{text(3, 110)} {generation}"}])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1)
    path.rename(tmp_path / "away")
    pv.register(jsonl(tmp_path / "k.jsonl", [{"text": generation}]), label="synthetic", model="m", store=store)
    before = tags(store)
    assert set(before.values()) == {"unknown"}
    (tmp_path / "away").rename(path)
    result = pv.rematch(store=store)
    assert about_scans(entries(store)[-1:]) == differences(before, tags(store)) != Counter()
    assert [(c.cause, c.cause_id, c.tag_after) for c in result.changes] == [("rematch", None, "synthetic")]
