"""Feedback loops and the gate, against networkx and by hand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import networkx
import pyarrow as pa
import pytest

from provenance import lineage, policy
from provenance.errors import LineageError
from provenance.store import Store

VERSIONS = ("successor_of", "fine_tuned_from", "distilled_from")


@pytest.fixture
def world(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> Store:
    """m3 succeeds m2 succeeds m1; the scan's r1 holds 40 words of m1's text and r2 10 of another's; r3 is nobody's."""
    for name, parent in (("m2", "m1"), ("m3", "m2")):
        lineage.add_model(store, name, parent=parent)
    with store.commit("register") as commit:
        commit.insert(
            "reference_sets",
            [{"set_id": s, "name": s, "label": "synthetic", "model": m} for s, m in (("g1", "m1"), ("gx", "x"))],
        )
    fill(store, observations("s", "r1", "r2", "r3"), [match("s", "r1", "g1", (0, 40)), match("s", "r2", "gx", (0, 10))])
    lineage.add_dataset(store, "d", scans=["s"])
    return store


def test_training_a_successor_on_its_ancestors_text_is_a_loop(world: Store) -> None:
    lineage.add_run(world, trains="m3", on=["d"], name="run")
    (loop,) = lineage.feedback_loops(world)
    assert loop.witness == ("model:m3", "run:run", "dataset:d", "g1", "model:m1", "model:m2", "model:m3")
    assert (loop.model, loop.dataset, loop.relatives) == ("model:m3", "dataset:d", ("model:m1",))
    assert (loop.records, loop.words) == (1, 40)
    assert loop.share == pytest.approx(40 / 300)
    assert loop.record_share == pytest.approx(1 / 3)


@pytest.mark.parametrize(("model", "closes"), [("m1", True), ("m2", True), ("m3", True), ("x", True), ("other", False)])
def test_the_gate_sees_a_loop_before_the_run(world: Store, model: str, closes: bool) -> None:
    assert bool(lineage.loops_for(world, "d", model)) is closes
    assert lineage.feedback_loops(world) == []


def test_a_model_that_is_not_recorded_is_judged_as_the_successor_that_it_will_be(world: Store) -> None:
    assert lineage.loops_for(world, "d", "m4") == []
    (loop,) = lineage.loops_for(world, "d", "m4", successor_of="m3")
    assert loop.witness == ("model:m4", "dataset:d", "g1", "model:m1", "model:m2", "model:m3", "model:m4")


def test_siblings_are_no_relatives(world: Store) -> None:
    lineage.add_model(world, "sibling", parent="m0")
    lineage.add_model(world, "m1", parent="m0")
    assert lineage.loops_for(world, "d", "sibling") == []
    assert lineage.loops_for(world, "d", "m0") != []


def test_two_runs_and_two_ways_are_one_row(world: Store) -> None:
    lineage.add_run(world, trains="m1", on=["d"], name="b")
    lineage.add_run(world, trains="m1", on=["d"], name="a")
    (loop,) = lineage.feedback_loops(world)
    assert loop.witness == ("model:m1", "run:a", "dataset:d", "g1", "model:m1")


@pytest.mark.parametrize("more", [{"verified": False}, {"cover": b"\x00" * 13}])
def test_what_is_not_verified_closes_no_loop(
    store: Store,
    observations: Callable[..., pa.Table],
    fill: Callable[..., None],
    match: Callable[..., dict[str, Any]],
    more: Any,
) -> None:
    with store.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": "g", "name": "g", "label": "synthetic", "model": "m"}])
    fill(store, observations("s", "r"), [match("s", "r", "g", (0, 40), **more)])
    lineage.add_dataset(store, "d", scans=["s"])
    assert lineage.loops_for(store, "d", "m") == []


def test_words_of_a_human_reference_close_no_loop(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> None:
    with store.commit("register") as commit:
        sets = (("g", "synthetic", "m"), ("h", "human", None))
        commit.insert("reference_sets", [{"set_id": s, "name": s, "label": label, "model": m} for s, label, m in sets])
    fill(store, observations("s", "r"), [match("s", "r", "g", (0, 40)), match("s", "r", "h", (0, 50))])
    lineage.add_dataset(store, "d", scans=["s"])
    assert lineage.loops_for(store, "d", "m") == []


def test_a_dataset_without_the_records_is_free_of_the_loop(world: Store) -> None:
    lineage.seal_dataset(world, "clean", ["r3"], derived_from=["s", "dataset:d"])
    assert lineage.loops_for(world, "clean", "m1") == []


def test_a_dataset_without_a_list_of_members_holds_what_it_was_made_of(world: Store) -> None:
    lineage.add_dataset(world, "middle", derived_from=["d"])
    lineage.add_dataset(world, "outer", derived_from=["middle"])
    (loop,) = lineage.loops_for(world, "outer", "m1")
    assert loop.witness == ("model:m1", "dataset:outer", "dataset:middle", "dataset:d", "g1", "model:m1")
    assert loop.records == 1


def test_a_dataset_made_of_a_generation_set_holds_it(world: Store) -> None:
    lineage.add_dataset(world, "inner", derived_from=["g1"])
    lineage.add_dataset(world, "outer", derived_from=["inner"])
    (loop,) = lineage.loops_for(world, "outer", "m2")
    assert loop.witness == ("model:m2", "dataset:outer", "dataset:inner", "g1", "model:m1", "model:m2")
    assert (loop.records, loop.share) == (0, None)


@pytest.mark.parametrize("seed", range(12))
def test_loops_equal_those_that_networkx_finds(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    models, datasets, sets, runs = (
        [f"{kind}{i}" for i in range(n)] for kind, n in (("model:m", 6), ("dataset:d", 5), ("g", 4), ("run:r", 6))
    )
    author = {name: rng.choice(models) for name in sets}
    versions = networkx.DiGraph([(a, b) for a, b in itertools.combinations(models, 2) if rng.random() < 0.25])
    made = networkx.DiGraph([(a, b) for a, b in itertools.combinations(datasets, 2) if rng.random() < 0.3])
    holds = {(d, s) for d in datasets for s in sets if rng.random() < 0.2}
    trains = {(rng.choice(models), r, rng.choice(datasets)) for r in runs}
    versions.add_nodes_from(models)
    made.add_nodes_from(datasets)
    with store.commit("import") as commit:
        commit.insert("models", [{"model": m.removeprefix("model:")} for m in models])
        commit.insert("datasets", [{"dataset_id": d, "name": d} for d in datasets])
        commit.insert(
            "reference_sets",
            [{"set_id": s, "name": s, "label": "synthetic", "model": author[s].removeprefix("model:")} for s in sets],
        )
        commit.insert("runs", [{"run_id": r, "kind": "training", "name": r} for r in runs])
        commit.add_edges([(a, rng.choice(VERSIONS), b) for a, b in versions.edges])
        commit.add_edges([(a, "wasDerivedFrom", b) for a, b in [*made.edges, *holds]])
        commit.add_edges([edge for m, r, d in trains for edge in ((m, "wasGeneratedBy", r), (r, "used", d))])

    steps = networkx.DiGraph()
    for m, r, d in trains:
        steps.add_edges_from([(m, r), (r, d)])
    steps.add_edges_from([*made.edges, *holds, *author.items()])

    expected: dict[tuple[str, str], int] = {}
    for m, _, d in trains:
        for s in sets:
            inner = any(networkx.has_path(made, d, origin) for origin, held in holds if held == s)
            for end, start in ((author[s], m), (m, author[s])):
                if inner and networkx.has_path(versions, end, start):
                    length = (
                        3  # model, run, dataset
                        + min(
                            networkx.shortest_path_length(made, d, o)
                            for o, held in holds
                            if held == s and networkx.has_path(made, d, o)
                        )
                        + 2  # set, its model
                        + networkx.shortest_path_length(versions, end, start)
                    )
                    expected[m, d] = min(expected.get((m, d), length), length)
    found = lineage.feedback_loops(store)
    assert {(loop.model, loop.dataset): len(loop.witness) for loop in found} == expected
    assert len(found) == len(expected)
    for loop in found:
        assert loop.witness[0] == loop.witness[-1] == loop.model
        cut = next(i for i, node in enumerate(loop.witness) if node in sets) + 2
        assert all(steps.has_edge(a, b) for a, b in itertools.pairwise(loop.witness[:cut]))
        tail = list(itertools.pairwise(loop.witness[cut - 1 :]))
        assert all(versions.has_edge(a, b) for a, b in tail) or all(versions.has_edge(b, a) for a, b in tail)


def test_check_refuses_and_says_what_and_by_how_much(world: Store) -> None:
    result = lineage.check(world, "d", "m2", policy.load("default"))
    assert not result.allowed
    assert result.loops[0].model == "model:m2"
    assert "closes a loop" in result.violations[0]
    assert result.figures["records"] == 3
    assert result.figures["synthetic_share"] == pytest.approx(1 / 3)
    assert result.figures["unknown_share"] == pytest.approx(2 / 3)
    assert any("synthetic share of its words is 33.3%, the most allowed is 10.0%" in v for v in result.violations)
    assert any("human share of its words is 0.0%, the least allowed is 30.0%" in v for v in result.violations)
    assert result.as_dict()["allowed"] is False
    assert result.remarks == ()
    assert "'m9' is not recorded" in lineage.check(world, "d", "m9", policy.load("default")).remarks[0]


def test_check_passes_a_human_dataset_and_judges_by_the_policy_it_is_given(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    style = {"style_score": -3.0, "p_human": 0.9, "p_synthetic": 0.01, "calibration_bin": "en:100"}
    fill(store, observations("s", "r1", "r2", rights={"licence": None, "opt_out": ["tdm-reservation"]}, **style))
    lineage.add_dataset(store, "d", scans=["s"])
    result = lineage.check(store, "d", "m1", policy.load("default"))
    assert (result.allowed, result.violations, result.figures["human_share"]) == (True, (), 1.0)
    careful = policy.parse('name = "careful"\n[style]\nbeta = 0.001\n[gate]\nmax_opt_out_share = 0.5\n')
    violations = lineage.check(store, "d", None, careful).violations
    assert [v.split(" is ")[0] for v in violations] == [
        "the unknown share of its words",
        "the human share of its words",
        "the share of records with rights reserved",
    ]


def test_check_does_not_pass_what_it_knows_nothing_of(store: Store) -> None:
    lineage.seal_dataset(store, "d", [])
    assert "nothing is known" in lineage.check(store, "d", None, policy.load("lenient")).violations[0]
    with pytest.raises(LineageError, match="no dataset"):
        lineage.check(store, "e", None, policy.load("default"))


def test_a_record_in_two_scans_counts_once(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("s", "r1"))
    fill(store, observations("t", "r1"))
    lineage.add_dataset(store, "d", scans=["s", "t"])
    figures = lineage.check(store, "d", None, policy.load("default")).figures
    assert (figures["records"], figures["words"]) == (1, 100)
