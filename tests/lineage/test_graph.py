"""The graph: ancestors and descendants on any graph, doors, refusals."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import networkx
import pyarrow as pa
import pytest

from provenance import lineage, schema
from provenance.errors import LineageError
from provenance.store import Store


def reached(store: Store, macro: str, node: str) -> dict[str, int]:
    rows = store.sql(f"select id, distance from {macro}($1)", [node]).fetchall()
    assert len(rows) == len({row[0] for row in rows})
    return dict(rows)


@pytest.mark.parametrize("seed", range(6))
def test_ancestors_and_descendants_equal_networkx_on_graphs_with_cycles(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    graph = networkx.gnp_random_graph(30, rng.choice([0.03, 0.06, 0.15]), seed=seed, directed=True)
    graph.add_edge(0, 0)
    graph.add_edges_from([(1, 2), (2, 1)])
    relations = ["used", "wasDerivedFrom", "wasGeneratedBy"]
    edges = [{"subject": f"n{a}", "relation": rng.choice(relations), "object": f"n{b}"} for a, b in graph.edges]
    with store.commit("import") as commit:
        commit.insert("edges", edges)
    for node in range(0, 30, 5):
        up = {f"n{n}": d for n, d in networkx.single_source_shortest_path_length(graph, node).items() if n != node}
        down = {
            f"n{n}": d
            for n, d in networkx.single_source_shortest_path_length(graph.reverse(), node).items()
            if n != node
        }
        assert reached(store, "ancestors", f"n{node}") == up
        assert reached(store, "descendants", f"n{node}") == down


def test_ancestors_of_an_unknown_node_are_none(store: Store) -> None:
    assert reached(store, "ancestors", "nobody") == {}


def test_numbers_of_edges_keep_step_with_the_edges(store: Store) -> None:
    """Walks read them: edges that came with an earlier time or are gone again are noticed."""
    assert store.sql("select relation_names()").fetchall() == [(sorted(schema.RELATIONS, key=str.encode),)]
    edges = {(f"dataset:{n}", "wasDerivedFrom", f"dataset:{n + 1}") for n in range(3)}
    with store.commit("first") as commit:
        commit.add_edges(sorted(edges))
    with store.commit("earlier") as commit:
        commit.execute("insert into edges values ('dataset:3', 'hadMember', 'dataset:4', timestamp '2020-01-01', null)")
    assert reached(store, "ancestors", "dataset:0") == {f"dataset:{n}": n for n in range(1, 5)}
    with store.commit("gone") as commit:
        commit.execute("delete from edges where subject = 'dataset:1'")
    assert reached(store, "ancestors", "dataset:0") == {"dataset:1": 1}
    assert reached(store, "descendants", "dataset:4") == {"dataset:3": 1, "dataset:2": 2}
    then = "select id, distance from ancestors_as_of('dataset:3', timestamp '2021-01-01')"
    assert store.sql(then).fetchall() == [("dataset:4", 1)]


def test_a_line_of_models_datasets_and_runs_is_traced(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("scan-1", "r1", "r2"))
    lineage.add_model(store, "m1", family="M", released=dt.date(2024, 1, 1))
    lineage.add_model(store, "m2", parent="m1", relation="successor")
    lineage.add_dataset(store, "d", scans=["scan of scan-1"])
    lineage.add_run(store, trains="m2", on=["d"], name="first")
    up = {
        row["name"]: (row["kind"], row["distance"], row["relation"])
        for row in lineage.trace(store, "m2", "up")["ancestors"]
    }
    assert up == {
        "m1": ("model", 1, "successor_of"),
        "first": ("run", 1, "wasGeneratedBy"),
        "d": ("dataset", 2, "used"),
        "scan of scan-1": ("scan", 3, "wasDerivedFrom"),
    }
    down = lineage.trace(store, "scan-1", "down")
    assert [row["id"] for row in down["descendants"]] == ["dataset:d", "run:first", "model:m2"]
    record = lineage.trace(store, "r1")
    assert [row["id"] for row in record["ancestors"]] == ["scan-1", "source:src"]
    assert [row["id"] for row in record["descendants"]] == ["dataset:d", "run:first", "model:m2"]
    assert store.verify().problems == []


def test_a_model_keeps_what_is_said_of_it_piecemeal(store: Store) -> None:
    lineage.add_model(store, "m2", family="M")
    lineage.add_model(store, "m2", released=dt.date(2024, 1, 1))
    lineage.add_model(store, "m2", parent="m1")
    latest = (
        store.sql("from models where model = 'm2' order by recorded_at desc limit 1").to_arrow_table().to_pylist()[0]
    )
    assert (latest["family"], latest["released"], latest["predecessor"]) == ("M", dt.date(2024, 1, 1), "m1")


def test_a_cycle_of_versions_is_refused_and_named(store: Store) -> None:
    lineage.add_model(store, "m2", parent="m1")
    lineage.add_model(store, "m3", parent="m2", relation="fine-tune")
    before = store.current
    with pytest.raises(LineageError, match="model:m1 -> model:m3 -> model:m2 -> model:m1"):
        lineage.add_model(store, "m1", parent="m3", relation="distilled")
    with pytest.raises(LineageError, match="model:m1 -> model:m1"):
        lineage.add_model(store, "m1", parent="m1")
    assert store.current == before


def test_a_cycle_of_datasets_is_refused_and_named(store: Store) -> None:
    lineage.seal_dataset(store, "a", [])
    lineage.seal_dataset(store, "b", [], derived_from=["dataset:a"])
    with pytest.raises(LineageError, match="dataset:a -> dataset:b -> dataset:a"):
        lineage.seal_dataset(store, "a", [], derived_from=["dataset:b"])
    with pytest.raises(LineageError, match="dataset:c -> dataset:c"):
        lineage.add_dataset(store, "c", derived_from=["c"])


def test_a_sealed_dataset_does_not_change(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("s", "r1", "r2"))
    lineage.add_dataset(store, "d", scans=["s"])
    lineage.add_dataset(store, "d", scans=["s"])
    with pytest.raises(LineageError, match="sealed with other members"):
        lineage.seal_dataset(store, "d", ["r1"])
    assert store.sql("select records, words from datasets").fetchall() == [(2, 200)]
    assert lineage.add_dataset(store, "d", version="2", scans=["s"], keep={"human"}) == "dataset:d@2"
    assert store.sql("select records from datasets where version = '2'").fetchall() == [(0,)]


def test_what_is_unknown_or_ambiguous_is_said(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("aa1", "r"))
    fill(store, observations("aa2", "r"))
    for call, message in (
        (lambda: lineage.resolve(store, "zz", ("scan",)), "There is no scan 'zz'"),
        (lambda: lineage.resolve(store, "aa", ("scan",)), "several things: aa1"),
        (lambda: lineage.add_run(store, trains="m", on=["nothing"]), "no dataset or .* 'nothing'"),
        (lambda: lineage.add_dataset(store, "d"), "Nothing says what"),
        (lambda: lineage.add_dataset(store, "d", scans=["aa1"], keep={"robot"}), "no tag 'robot'"),
        (lambda: lineage.add_model(store, "m", parent="n", relation="cousin"), "no relation 'cousin'"),
        (lambda: lineage.add_model(store, "m\n"), "cannot be the name"),
    ):
        with pytest.raises(LineageError, match=message):
            call()
    assert lineage.resolve(store, "aa1") == "aa1"
    assert lineage.resolve(store, "scan of aa1") == "aa1"


def test_a_generation_set_leads_to_its_model_and_run(store: Store) -> None:
    row: dict[str, Any] = {"set_id": "set-1", "name": "outputs", "label": "synthetic", "model": "m1"}
    with store.commit("register") as commit:
        commit.insert("reference_sets", [row])
        lineage.add_generation_set(commit, "set-1", model="m1", run="sampling")
    found = {row["id"]: row["kind"] for row in lineage.trace(store, "outputs", "up")["ancestors"]}
    assert found == {"model:m1": "model", "run:sampling": "generation_run"}


def test_a_cyclic_import_is_refused_and_the_cycle_named(store: Store) -> None:
    edges = [
        ("model:a", "successor_of", "model:b"),
        ("model:b", "distilled_from", "model:c"),
        ("model:c", "fine_tuned_from", "model:a"),
    ]
    before = store.current

    def import_all() -> None:
        with store.commit("import") as commit:
            commit.add_edges(edges)
            lineage.refuse_cycles(commit)

    with pytest.raises(
        LineageError, match=r"(a -> model:b -> model:c|b -> model:c -> model:a|c -> model:a -> model:b)"
    ):
        import_all()
    assert store.current == before
    with store.commit("import") as commit:
        commit.add_edges([*edges[:2], ("dataset:d", "used", "model:a"), ("model:a", "trained_on", "dataset:d")])
        lineage.refuse_cycles(commit)


def test_runs_sets_and_evaluations_are_recorded_once(store: Store) -> None:
    lineage.add_model(store, "m2", parent="m1", developer="Nobody")
    lineage.add_generations(store, "seeds", model="m1", texts=2, words=20)

    def record() -> None:
        lineage.add_generation_run(store, "rewriting", model="m2", inputs=["seeds"])
        lineage.add_generations(store, "rewritten", model="m2", run="rewriting", derived_from=["seeds"])
        lineage.add_run(store, trains="m3", on=["rewritten"], name="training")
        lineage.add_evaluation(store, "check", of="rewritten", grader="m2", relation="verified_by")

    record()
    edges = store.sql("select subject, relation, object from edges order by all").fetchall()
    record()
    assert store.sql("select subject, relation, object from edges order by all").fetchall() == edges
    assert edges == sorted(
        [
            ("model:m2", "successor_of", "model:m1"),
            ("model:m3", "wasGeneratedBy", "run:training"),
            ("run:check", "used", "model:m2"),
            ("run:rewriting", "used", "model:m2"),
            ("run:rewriting", "used", "set:seeds"),
            ("run:training", "used", "set:rewritten"),
            ("set:rewritten", "verified_by", "run:check"),
            ("set:rewritten", "wasAttributedTo", "model:m2"),
            ("set:rewritten", "wasDerivedFrom", "set:seeds"),
            ("set:rewritten", "wasGeneratedBy", "run:rewriting"),
            ("set:seeds", "wasAttributedTo", "model:m1"),
        ]
    )
    kinds = dict(store.sql("select id, kind from lineage_nodes").fetchall())
    assert kinds["run:check"], kinds["run:rewriting"] == ("evaluation", "generation_run")
    assert store.verify().problems == []


def test_what_an_edge_may_not_say_is_refused(store: Store) -> None:
    lineage.add_model(store, "m2", parent="m1")
    lineage.add_generations(store, "g", model="m1")
    lineage.add_run(store, trains="m2", on=["g"], name="r")
    for call, message in (
        (lambda: lineage.add_edge(store, "m1", "begat", "m2"), "no relation 'begat'"),
        (lambda: lineage.add_edge(store, "m1", "successor_of", "nobody"), "no node 'nobody'"),
        (lambda: lineage.add_edge(store, "g", "successor_of", "m1"), "does not lead from a generation set to a model"),
        (lambda: lineage.add_edge(store, "m1", "fine_tuned_from", "m2"), "model:m1 -> model:m2 -> model:m1"),
        (lambda: lineage.add_edge(store, "g", "wasDerivedFrom", "g"), "set:g -> set:g"),
        (lambda: lineage.add_generation_run(store, "r", model="m1"), "is one of training"),
        (lambda: lineage.add_generations(store, "g", model="m2"), "is the work of m1"),
        (lambda: lineage.add_generations(store, "h"), "Nothing says which model"),
        (lambda: lineage.add_evaluation(store, "e", of="g", relation="liked_by"), "no relation 'liked_by'"),  # type: ignore[arg-type]
        (lambda: lineage.generation_depth(store, "nobody"), "There is no"),
        (lambda: lineage.exposure(store, "nobody"), "no model 'nobody'"),
    ):
        with pytest.raises(LineageError, match=message):
            call()
    assert lineage.add_edge(store, "m2", "trained_on", "g") == ("model:m2", "trained_on", "set:g")


def test_descendants_of_a_model_are_what_holds_its_text_and_what_that_trains(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> None:
    with store.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": "g", "name": "g", "label": "synthetic", "model": "m1"}])
    fill(store, observations("s", "r1", "r2"), [match("s", "r1", "g", (0, 40))])
    lineage.add_dataset(store, "d", scans=["s"])
    lineage.add_run(store, trains="m9", on=["d"], name="run")
    down = {row["id"]: (row["distance"], row["relation"]) for row in lineage.trace(store, "m1", "down")["descendants"]}
    assert down == {
        "g": (1, "wasAttributedTo"),
        "dataset:d": (2, "hadMember"),
        "run:run": (3, "used"),
        "model:m9": (4, "wasGeneratedBy"),
    }
