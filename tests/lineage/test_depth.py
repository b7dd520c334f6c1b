"""Generation depth and exposure, against a walk over all ways through the graph, and by hand."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest

from provenance import lineage
from provenance.store import Store

HUMAN = {"captured_at": dt.datetime(2015, 1, 1, tzinfo=dt.UTC)}


def depths(store: Store) -> dict[str, lineage.Depth]:
    return {item.id: item for item in lineage.generation_depth(store)}


@pytest.fixture
def chain(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> Store:
    """m1 is trained on human text; d1 holds three parts human text, one of m1's; m2 is trained on d1; d2 holds m2's."""
    with store.commit("register") as commit:
        sets = [("g1", "m1"), ("g2", "m2")]
        commit.insert("reference_sets", [{"set_id": s, "name": s, "label": "synthetic", "model": m} for s, m in sets])
    rows = [observations("s", "h1", "h2", "h3", **HUMAN), observations("s", "a", "b", "u")]
    fill(store, pa.concat_tables(rows), [match("s", "a", "g1", (0, 100)), match("s", "b", "g2", (0, 40))])
    lineage.seal_dataset(store, "d0", ["h1", "h2", "h3"])
    lineage.seal_dataset(store, "d1", ["h1", "h2", "h3", "a"])
    lineage.seal_dataset(store, "d2", ["h1", "b"])
    lineage.seal_dataset(store, "doubtful", ["h1", "u"])
    lineage.add_run(store, trains="m1", on=["d0"], name="r1")
    lineage.add_run(store, trains="m2", on=["d1"], name="r2")
    return store


def test_each_generation_counts_one(chain: Store) -> None:
    found = depths(chain)
    assert {name: (found[name].max_depth, found[name].mean_depth) for name in ("dataset:d0", "model:m1", "g1")} == {
        "dataset:d0": (0, 0.0),
        "model:m1": (0, 0.0),
        "g1": (1, 1.0),
    }
    assert (found["dataset:d1"].max_depth, found["dataset:d1"].mean_depth) == (1, 0.25)
    assert (found["g2"].max_depth, found["g2"].mean_depth) == (2, 1.25)
    # The verdict on record b is synthetic: all of its words are m2's, a hundred of two hundred.
    assert (found["dataset:d2"].max_depth, found["dataset:d2"].mean_depth) == (2, 0.625)
    (record,) = lineage.generation_depth(chain, "b")
    assert (record.kind, record.max_depth, record.mean_depth) == ("record", 2, 1.25)
    assert lineage.generation_depth(chain, "h1")[0].max_depth == 0


def test_what_is_not_known_is_null_and_what_is_certain_is_said(chain: Store) -> None:
    lineage.add_dataset(chain, "unlisted", derived_from=["d2"])
    lineage.add_run(chain, trains="m3", on=["unlisted", "d0"], name="r3")
    lineage.add_model(chain, "untold")
    lineage.add_model(chain, "Phi-4")
    lineage.seal_dataset(chain, "unseen", ["h1", "nobody-scanned-it"])
    found = depths(chain)
    doubtful = found["dataset:doubtful"]
    assert (doubtful.max_depth, doubtful.mean_depth, doubtful.at_least) == (None, None, 0)
    assert (doubtful.known_share, doubtful.known_mean) == (0.5, 0.0)
    assert [found[name].at_least for name in ("dataset:unlisted", "model:m3", "model:untold", "model:Phi-4")] == [
        2,
        2,
        0,
        1,
    ]
    for name in ("dataset:unlisted", "model:m3", "dataset:unseen"):
        assert (found[name].max_depth, found[name].mean_depth, found[name].known_share) == (None, None, None)
    for name in ("model:untold", "model:Phi-4"):
        assert (found[name].max_depth, found[name].mean_depth, found[name].known_share) == (None, None, 0)


def test_a_fine_tuned_model_was_trained_on_what_its_base_was(chain: Store) -> None:
    lineage.add_model(chain, "tuned", parent="m2", relation="fine-tune")
    lineage.add_run(chain, trains="tuned", on=["d0"], name="r3")
    lineage.add_model(chain, "next", parent="m2", relation="successor")
    lineage.add_run(chain, trains="next", on=["d0"], name="r4")
    lineage.add_model(chain, "taught", parent="m2", relation="distilled")
    lineage.add_run(chain, trains="taught", on=["d0"], name="r5")
    found = depths(chain)
    assert (found["model:tuned"].max_depth, found["model:tuned"].mean_depth) == (1, pytest.approx(100 / 700))
    assert (found["model:next"].max_depth, found["model:next"].mean_depth) == (0, 0.0)
    taught = found["model:taught"]
    assert (taught.max_depth, taught.mean_depth, taught.at_least, taught.known_share) == (2, None, 2, None)


def test_a_model_that_was_trained_on_itself_has_no_depth_but_a_lower_bound(chain: Store) -> None:
    lineage.add_run(chain, trains="m1", on=["d1"], name="again")
    found = depths(chain)
    assert (found["model:m1"].max_depth, found["model:m1"].at_least) == (None, 1)
    assert (found["model:m2"].max_depth, found["model:m2"].at_least) == (None, 1)
    assert found["dataset:d0"].max_depth == 0


def test_exposure_says_whose_words_a_model_was_trained_on(chain: Store) -> None:
    lineage.add_model(chain, "m2", parent="m1")
    lineage.seal_dataset(chain, "mix", ["h1", "a", "b", "u"])
    lineage.add_run(chain, trains="m2", on=["mix"], name="r3")
    found = {(part.origin, part.generation): part for part in lineage.exposure(chain, "m2")}
    # d1: h1, h2, h3 and a; mix: h1, a, b and u. All have a hundred words.
    assert {key: (part.words, part.verified_words) for key, part in found.items()} == {
        ("self", None): (100, 40),
        ("relative", 1): (200, 200),
        ("unknown", None): (100, 0),
        ("human", 0): (400, 0),
    }
    assert sum(part.share for part in found.values()) == pytest.approx(1)
    assert found["relative", 1].models == ("model:m1",)
    assert found["relative", 1].share == 0.25
    assert lineage.exposure(chain, "m1")[0].origin == "human"
    lineage.add_model(chain, "idle")
    assert lineage.exposure(chain, "idle") == [lineage.Exposure("unknown", None, (), None, None, 0)]


def test_depth_and_exposure_stand_as_they_stood(chain: Store) -> None:
    before = chain.sql("select max(recorded_at) from commits").fetchall()[0][0]
    lineage.add_generations(chain, "own", model="m2", texts=1, words=300)
    lineage.add_run(chain, trains="m3", on=["own"], name="r3")
    lineage.add_run(chain, trains="m1", on=["own"], name="r4")
    assert depths(chain)["model:m2"].max_depth is None
    then = {item.id: item for item in lineage.generation_depth(chain, as_of=before)}
    assert then["model:m2"].max_depth == 1
    assert "model:m3" not in then
    assert [part.origin for part in lineage.exposure(chain, "m2", as_of=before)] == ["other", "human"]
    found = chain.sql("select max_depth from generation_depth_as_of($1) where id = 'model:m2'", [before]).fetchall()
    assert found == [(1,)]


def walk(graph: dict[str, list[tuple[str, int, int]]], node: str) -> list[tuple[int, Fraction, bool]]:
    """Every way from a node to its end: steps, share of the node's words, and whether it ends at human text."""
    if node in ("human", "unknown"):
        return [(0, Fraction(1), node == "human")]
    total = sum(words for _, _, words in graph[node])
    return [
        (steps + onward, share * Fraction(words, total), known)
        for part, steps, words in graph[node]
        for onward, share, known in walk(graph, part)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_depth_equals_a_walk_over_all_ways(
    store: Store,
    observations: Callable[..., pa.Table],
    fill: Callable[..., None],
    match: Callable[..., dict[str, Any]],
    seed: int,
) -> None:
    rng = random.Random(seed)
    count = 6
    with store.commit("register") as commit:
        sets = [{"set_id": f"g{i}", "name": f"g{i}", "label": "synthetic", "model": f"m{i}"} for i in range(count)]
        commit.insert("reference_sets", sets)
    rows, matches, members = [], [], {}
    graph: dict[str, list[tuple[str, int, int]]] = {}
    for d in range(count):
        name = f"dataset:d{d}"
        members[name], graph[name] = [], []
        writers = [m for m in range(d) if rng.random() < 0.6]
        for number, writer in enumerate([*writers, "human", *(["unknown"] if rng.random() < 0.15 else [])]):
            record, words = f"r{d}-{number}", rng.randint(30, 300)
            members[name].append(record)
            rows.append(observations("s", record, words=words, **(HUMAN if writer == "human" else {})))
            if isinstance(writer, int):
                matches.append(match("s", record, f"g{writer}", (0, words), of=words))
                graph[name].append((f"model:m{writer}", 1, words))
            else:
                graph[name].append((writer, 0, words))
    fill(store, pa.concat_tables(rows), matches)
    for name, records in members.items():
        lineage.seal_dataset(store, name, records)
    for m in range(count):
        used = rng.sample(range(m + 1), rng.randint(1, min(3, m + 1)))
        for number, d in enumerate(used):  # several runs, and one run on several
            on = [f"d{d}"] if number or len(used) < 3 else [f"d{x}" for x in used[:2]]
            lineage.add_run(store, trains=f"m{m}", on=on, name=f"run-{m}-{number}")
        size = {d: sum(words for _, _, words in graph[f"dataset:d{d}"]) for d in used}
        graph[f"model:m{m}"] = [(f"dataset:d{d}", 0, size[d]) for d in used]
    found = depths(store)
    for name in graph:
        ways = walk(graph, name)
        known = all(is_known for _, _, is_known in ways)
        assert found[name].at_least == max(steps for steps, _, _ in ways)
        assert found[name].max_depth == (max(steps for steps, _, _ in ways) if known else None)
        mean = float(sum(steps * share for steps, share, _ in ways))
        assert found[name].mean_depth == (pytest.approx(mean) if known else None)
        assert found[name].known_share == pytest.approx(float(sum(share for _, share, known in ways if known)))
