"""Feedback loops and self-grading, by hand; `test_random_graphs` compares with networkx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from provenance import lineage
from provenance.store import Store


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


def add_set(store: Store, name: str, model: str, **more: Any) -> None:
    with store.commit("register") as commit:
        row = {"set_id": name, "name": name, "label": "synthetic", "model": model, **more}
        commit.insert("reference_sets", [row])


def both(store: Store) -> list[lineage.Loop]:
    """Return the loops that the functions find, after the view in SQL said the same."""
    found = lineage.feedback_loops(store)
    in_sql = store.sql("from feedback_loops").to_arrow_table().to_pylist()
    assert [
        {**vars(loop), "witness": list(loop.witness), "relatives": list(loop.relatives)} for loop in found
    ] == in_sql
    return found


def test_text_of_a_paraphrase_goes_back_to_the_model_that_was_paraphrased(world: Store) -> None:
    lineage.add_generations(world, "gx", derived_from=["g1"])
    lineage.add_dataset(world, "r2-only", scans=["s"])
    lineage.add_run(world, trains="m1", on=["d"], name="run")
    (loop,) = both(world)
    assert (loop.records, loop.words, loop.direct_records, loop.direct_words) == (2, 50, 2, 50)
    assert loop.direct
    lineage.seal_dataset(world, "paraphrased", ["r2"])
    (only,) = lineage.loops_for(world, "paraphrased", "m1")
    assert only.witness == ("model:m1", "dataset:paraphrased", "gx", "g1", "model:m1")


def test_text_of_a_model_that_was_trained_on_ones_text_is_an_indirect_loop(world: Store) -> None:
    lineage.add_run(world, trains="y", on=["d"], name="first")
    lineage.add_generations(world, "gy", model="y", texts=7, words=700)
    lineage.add_dataset(world, "late", derived_from=["gy"])
    lineage.add_run(world, trains="m2", on=["late"], name="second")
    (loop,) = both(world)
    assert loop.witness == (
        *("model:m2", "run:second", "dataset:late", "set:gy", "model:y"),
        *("run:first", "dataset:d", "g1", "model:m1", "model:m2"),
    )
    assert not loop.direct
    (whole,) = [item for item in lineage.loops_for(world, "late", "y") if item.model == "model:y"]
    assert whole.direct


def test_a_generation_set_that_trains_its_own_author_is_a_loop_of_all_its_words(world: Store) -> None:
    lineage.add_generations(world, "own", model="m3", texts=7, words=700)
    lineage.add_run(world, trains="m3", on=["own"], name="run")
    (loop,) = both(world)
    assert loop.witness == ("model:m3", "run:run", "set:own", "model:m3")
    assert (loop.records, loop.words, loop.share, loop.direct_words) == (7, 700, 1.0, 700)


def test_a_dataset_whose_members_nobody_observed_is_what_it_was_made_of(world: Store) -> None:
    lineage.seal_dataset(world, "elsewhere", ["x1", "x2"], derived_from=["dataset:d"])
    (loop,) = lineage.loops_for(world, "elsewhere", "m1")
    assert loop.witness == ("model:m1", "dataset:elsewhere", "dataset:d", "g1", "model:m1")


def test_a_declaration_that_names_a_model_joins_the_record_to_it(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    def said(detail: str, decides: bool = True) -> list[dict[str, Any]]:
        reason = {"kind": "declared", "name": "field-model", "detail": detail, "weight": 6.0, "measured": False}
        return [{**reason, "decides": decides}]

    lineage.add_model(store, "OpenAI/GPT-4o")
    lineage.add_model(store, "own")
    rows = [
        observations("s", "by-alias", words=30, evidence=said("model=gpt-4o-2024-08-06; field=generator")),
        observations("s", "by-name", words=50, evidence=said("trainedAlgorithmicMedia; model=Own")),
        observations("s", "weak", evidence=said("model=own", decides=False)),
        observations("s", "stranger", evidence=said("model=somebody-else")),
        observations("s", "damaged", evidence=said("model=own"), recovered=True),
    ]
    fill(store, pa.concat_tables(rows))
    lineage.add_dataset(store, "d", scans=["s"])
    held = store.sql("select origin, records, words from held_text order by all").fetchall()
    assert held == [("model:OpenAI/GPT-4o", 1, 30), ("model:own", 1, 50)]
    lineage.add_run(store, trains="own", on=["d"], name="run")
    (loop,) = both(store)
    assert loop.witness == ("model:own", "run:run", "dataset:d", "model:own")
    assert (loop.records, loop.words) == (1, 50)
    ids = {row["id"] for row in lineage.trace(store, "by-name", "up")["ancestors"]}
    assert "model:own" in ids


def test_loops_stand_as_they_stood(world: Store) -> None:
    lineage.add_run(world, trains="m3", on=["d"], name="run")
    before = world.sql("select max(recorded_at) from commits").fetchall()[0][0]
    assert len(lineage.feedback_loops(world)) == 1
    with world.commit("unregister") as commit:
        commit.execute("update reference_sets set withdrawn_at = ? where set_id = 'g1'", [commit.recorded_at])
    lineage.add_run(world, trains="x", on=["d"], name="later")
    assert [loop.model for loop in lineage.feedback_loops(world)] == ["model:x"]
    assert [loop.model for loop in lineage.feedback_loops(world, as_of=before)] == ["model:m3"]
    assert world.sql("select model from feedback_loops_as_of($1)", [before]).fetchall() == [("model:m3",)]
    assert lineage.loops_for(world, "d", "m1", as_of=before) != []
    assert lineage.loops_for(world, "d", "m1") == []
    ids = {row["id"] for row in lineage.trace(world, "d", "down", as_of=before)["descendants"]}
    assert ids == {"run:run", "model:m3"}
    assert world.sql("select id from descendants_as_of('d', $1) order by all", [before]).fetchall() == [
        ("model:m3",),
        ("run:run",),
    ]


def test_what_a_model_admits_of_its_relatives_is_self_grading(world: Store) -> None:
    add_set(world, "fresh", "m2", reference_count=5, words=500)
    lineage.add_evaluation(world, "by a stranger", of="fresh", grader="x")
    lineage.add_evaluation(world, "by people", of="fresh", relation="verified_by")
    assert lineage.self_grading(world) == []
    lineage.add_evaluation(world, "by its successor", of="fresh", grader="m3", relation="verified_by")
    lineage.add_edge(world, "d", "graded_by", "m3")
    found = {item.graded: item for item in lineage.self_grading(world)}
    fresh, whole = found["fresh"], found["dataset:d"]
    assert (fresh.grader, fresh.relations, fresh.evaluation) == ("model:m3", ("verified_by",), "run:by its successor")
    assert (fresh.records, fresh.words, fresh.witness) == (5, 500, ("fresh", "model:m2", "model:m3"))
    assert (whole.records, whole.words, whole.authors) == (1, 40, ("model:m1",))
