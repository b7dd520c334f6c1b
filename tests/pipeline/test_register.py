"""Registering: what is known decides, not when it became known."""

from __future__ import annotations

import datetime as dt
import importlib

import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import UsageError
from provenance.pipeline import publisher, worker

scanning = importlib.import_module("provenance.pipeline.scan")
registering = importlib.import_module("provenance.pipeline.register")


def register_all(corpus, store, order=("one", "two", "people")):
    options = {
        "one": {"label": "synthetic", "model": "m1", "prompt_column": "prompt"},
        "two": {"label": "synthetic", "model": "m2", "released": dt.date(2023, 1, 1)},
        "people": {"label": "human"},
    }
    return {name: pv.register(corpus / f"{name}.jsonl", store=store, **options[name]) for name in order}


@pytest.fixture(scope="module")
def before(corpus, tmp_path_factory):
    """A store whose sets were registered before the scan."""
    store = tmp_path_factory.mktemp("before") / "s"
    register_all(corpus, store)
    pv.scan(corpus / "crawl", store=store, jobs=1)
    return store


def interrupted(*_, **__):
    raise KeyboardInterrupt


def verdicts(store):
    query = "select s.uri, r.position, r.tag, r.reason from records r join sources s using (source_id) order by all"
    return {(uri, position): (tag, reason) for uri, position, tag, reason in pv.Store(store).sql(query).fetchall()}


def test_what_is_registered_decides(before):
    found = verdicts(before)
    assert found["a.jsonl", 0] == ("synthetic", "match:passage")
    assert found["a.jsonl", 2][0] == "synthetic"
    assert found["a.jsonl", 3] == ("human", "match:human-reference")
    assert found["a.jsonl", 5][0] == "unknown"  # what it shares with a generation is the prompt
    assert found["a.jsonl", 7] == ("human", "dated")
    # The other half of set two stood in an early row, but a date column excuses no other record.
    assert found["c.jsonl", 0][0] == "synthetic"


def test_registered_before_or_after_gives_the_same_rows(corpus, before, tmp_path, contents):
    store = tmp_path / "after"
    pv.scan(corpus / "crawl", store=store, jobs=1)
    results = register_all(corpus, store, ("people", "two", "one"))
    assert contents(store) == contents(before)
    assert all(result.rematch.unverified == 0 for result in results.values())
    assert pipeline.verify(store=store).problems == []


def test_registered_while_the_scan_runs_gives_the_same_rows(corpus, before, tmp_path, contents, monkeypatch):
    store = tmp_path / "during"
    pv.Store.create(store)
    monkeypatch.setattr(publisher, "COMMIT_SHARDS", 1)

    def interrupted_by_registrations(task):
        if task.source.uri == "c.jsonl":
            register_all(corpus, store)
        yield from worker.scan_shard(task)

    monkeypatch.setattr(scanning, "scan_shard", interrupted_by_registrations)
    result = pv.scan(corpus / "crawl", store=store, jobs=1)
    assert result.late_matches > 0
    assert contents(store) == contents(before)


def test_an_interrupted_scan_does_not_name_a_match_twice(corpus, before, tmp_path, contents, monkeypatch):
    store = tmp_path / "torn"
    pv.Store.create(store)

    def torn(task):
        if task.source.uri == "deep/b.jsonl":
            raise KeyboardInterrupt
        for piece in worker.scan_shard(task):
            if isinstance(piece, worker.ShardRead) and task.source.uri == "c.jsonl":
                raise KeyboardInterrupt
            yield piece

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_PART_ROWS", 1)
        patch.setattr(scanning, "scan_shard", torn)
        with pytest.raises(KeyboardInterrupt):
            pv.scan(corpus / "crawl", store=store, jobs=1)
    register_all(corpus, store)
    pv.scan(corpus / "crawl", store=store, jobs=1)
    assert contents(store) == contents(before)


def test_a_set_counts_until_it_is_withdrawn_and_again_when_it_is_registered_again(corpus, before, tmp_path, contents):
    store = tmp_path / "s"
    register_all(corpus, store)
    pv.scan(corpus / "crawl", store=store, jobs=1)
    withdrawn = pv.unregister("m1-one", store=store)
    reasons = pv.Store(store).sql("select distinct reason from records where model = 'm1'").fetchall()
    assert reasons == []
    with pytest.raises(UsageError, match="provenance status"):
        pv.unregister("m1-one", store=store)
    again = register_all(corpus, store, ("one",))["one"]
    assert not again.already_done
    assert again.set_id == withdrawn.set_id
    assert contents(store)["records"] == contents(before)["records"]
    pv.unregister(again.set_id, store=store)
    live = pv.Store(store).sql("select count(*) from reference_sets where withdrawn_at is null and name = 'm1-one'")
    assert live.fetchall() == [(0,)]  # its prompts go with it


def test_the_same_set_again_changes_nothing_but_mends_what_was_interrupted(corpus, before, tmp_path, contents):
    store = tmp_path / "s"
    pv.scan(corpus / "crawl", store=store, jobs=1)
    for name in ("one", "two", "people"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registering, "rematch_segments", interrupted)
            with pytest.raises(KeyboardInterrupt):
                register_all(corpus, store, (name,))
    results = register_all(corpus, store)
    assert results["one"].already_done
    assert results["one"].references == 2
    assert results["one"].prompts == 1
    assert contents(store) == contents(before)
    register_all(corpus, store)
    assert contents(store) == contents(before)


def test_a_release_date_can_be_given_later(corpus, tmp_path):
    store = tmp_path / "s"
    path = corpus / "two.jsonl"
    pv.scan(corpus / "crawl" / "a.jsonl", store=store, jobs=1)
    pv.register(path, label="synthetic", model="m2", store=store)
    predated = "select count(*) from findings where not admissible"
    assert pv.Store(store).sql(predated).fetchall() == [(0,)]
    result = pv.register(path, label="synthetic", model="m2", store=store, released=dt.date(2023, 1, 1))
    assert result.already_done
    assert pv.Store(store).sql(predated).fetchall() == [(1,)]
    assert pv.Store(store).sql("select released from reference_sets where withdrawn_at is null").fetchall() == [
        (dt.date(2023, 1, 1),)
    ]


def test_a_source_that_is_gone_is_matched_unverified_and_verified_when_it_is_back(tmp_path, jsonl, text):
    generation = text(1, 300)
    path = jsonl(tmp_path / "a.jsonl", [{"text": f"{generation} and {text(3, 60)}"}, {"text": text(2)}])
    store = tmp_path / "s"
    pv.scan(path, store=store, jobs=1)
    path.rename(tmp_path / "away")
    known = jsonl(tmp_path / "known.jsonl", [{"text": generation}])
    result = pv.register(known, label="synthetic", model="m", store=store).rematch
    assert (result.verified, result.unverified, result.unreadable) == (0, 1, ("a.jsonl",))
    ((record,),) = pv.Store(store).sql("select record_id from records where position = 0").fetchall()
    explained = pv.explain(record, store=store)
    assert explained.record["reason"] == "match:passage"
    assert "could not be read again" in explained.decided
    assert explained.excerpt == ""
    (tmp_path / "away").rename(path)
    result = pv.rematch(store=store)
    assert (result.verified, result.unverified) == (1, 0)
    assert pv.rematch(store=store).verified == 0
    assert pv.explain(record, store=store).decided.startswith("8")


def test_counts_of_what_was_and_was_not_registered(tmp_path, jsonl, text):
    path = jsonl(tmp_path / "g.jsonl", [{"text": text(1)}, {"text": "too few words"}])
    with path.open("a") as file:
        file.write("{broken\n")
    result = pv.register(path, label="synthetic", model="m", store=tmp_path / "s")
    assert (result.name, result.references, result.skipped, result.rejects) == ("m-g", 1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "synthetic"}, "--model"),
        ({"label": "human", "model": "m"}, "no model"),
        ({"label": "human", "text_column": "absent"}, "absent"),
    ],
)
def test_calls_that_make_no_sense(tmp_path, jsonl, text, arguments, message):
    path = jsonl(tmp_path / "g.jsonl", [{"text": text(1)}])
    with pytest.raises(UsageError, match=message):
        pv.register(path, store=tmp_path / "s", **arguments)


def test_too_short_a_set_is_refused_and_nothing_is_published(tmp_path, jsonl):
    path = jsonl(tmp_path / "g.jsonl", [{"text": "a b c d"}])
    with pytest.raises(UsageError, match="at least 5 words"):
        pv.register(path, label="human", store=tmp_path / "s")
    assert pipeline.status(store=tmp_path / "s")["reference_sets"] == []
