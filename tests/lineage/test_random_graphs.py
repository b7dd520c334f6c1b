"""Loops on random graphs, against networkx. Ten thousand of them: `PROVENANCE_RANDOM_GRAPHS=10000 pytest` on this file.

A few hundred graphs stand side by side in one store, which finds the loops of all of them at once.
"""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import dataclass, field

import networkx
import pytest

from provenance import lineage
from provenance.store import Store

GRAPHS = int(os.environ.get("PROVENANCE_RANDOM_GRAPHS", "300"))
TOGETHER = 100
VERSIONS = ("successor_of", "fine_tuned_from", "distilled_from")

Edge = tuple[str, str, str]


@dataclass
class World:
    """A graph of any shape, cycles included, as rows of the catalogue."""

    models: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    """Datasets whose members were all observed."""
    sets: list[str] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)


def some_world(number: int) -> World:
    rng = random.Random(number)
    size = rng.choice([2, 3, 5, 8])

    def named(kind: str, most: int) -> list[str]:
        return [f"{kind}:{number}-{i}" for i in range(rng.randint(1, most))]

    world = World(models=named("model", size), datasets=named("dataset", size), sets=named("set", size))
    world.told = {dataset for dataset in world.datasets if rng.random() < 0.3}
    trainings, generations, evaluations = (
        [f"run:{number}-{kind}{i}" for i in range(rng.randint(0, size))] for kind in "tge"
    )
    world.runs = {
        **dict.fromkeys(trainings, "training"),
        **dict.fromkeys(generations, "generation"),
        **dict.fromkeys(evaluations, "evaluation"),
    }
    texts = [*world.datasets, *world.sets]
    likely = {
        "used": ([*world.runs], [*texts, *world.models]),
        "wasGeneratedBy": ([*texts, *world.models], [*world.runs]),
        "wasDerivedFrom": (texts, texts),
        "wasAttributedTo": (texts, world.models),
        "hadMember": (world.datasets, texts),
        "trained_on": (world.models, texts),
        "graded_by": (texts, [*world.models, *evaluations]),
        **dict.fromkeys(VERSIONS, (world.models, world.models)),
    }
    density = rng.choice([0.5, 1.0, 2.0])
    found: set[Edge] = set()
    for relation, (subjects, objects) in likely.items():
        for _ in range(round(density * rng.random() * size)):
            if subjects and objects:
                found.add((rng.choice(subjects), relation, rng.choice(objects)))
    world.edges = sorted(found)
    return world


def add(store: Store, worlds: list[World]) -> None:
    with store.commit("import") as commit:
        commit.insert("models", [{"model": m.removeprefix("model:")} for w in worlds for m in w.models])
        commit.insert(
            "datasets",
            [
                {"dataset_id": d, "name": d, **({"records": 0, "observed": 0} if d in w.told else {})}
                for w in worlds
                for d in w.datasets
            ],
        )
        commit.insert(
            "reference_sets", [{"set_id": s, "name": s, "label": "synthetic"} for w in worlds for s in w.sets]
        )
        commit.insert("runs", [{"run_id": r, "kind": kind, "name": r} for w in worlds for r, kind in w.runs.items()])
        commit.add_edges([edge for w in worlds for edge in w.edges])


def expected(world: World) -> dict[tuple[str, str], tuple[int, bool]]:
    """Return for each looping pair the length of a shortest path from dataset to model, and whether one is direct."""
    flow, versions, trained = networkx.DiGraph(), networkx.DiGraph(), set()
    flow.add_nodes_from([*world.models, *world.datasets, *world.sets, *world.runs])
    versions.add_nodes_from(world.models)
    for subject, relation, target in world.edges:
        if relation in VERSIONS:
            versions.add_edge(subject, target)
            continue
        if relation == "graded_by":
            continue
        kind = world.runs.get(subject)
        if kind == "evaluation" or (kind == "training" and target in world.models):
            continue
        if subject in world.told and relation != "hadMember":
            own_word = target in world.sets or target in world.models or world.runs.get(target) == "generation"
            if not own_word:
                continue
        flow.add_edge(subject, target)
    for model, relation, target in world.edges:
        if relation == "trained_on":
            trained.add((model, target))
        elif relation == "wasGeneratedBy" and model in world.models and world.runs[target] == "training":
            trained |= {(model, o) for s, r, o in world.edges if s == target and r == "used" and o not in world.models}
    without_training = flow.copy()
    without_training.remove_edges_from([edge for edge in flow.edges if edge[0] in world.models])
    found = {}
    for model, dataset in trained:
        ways = []
        is_direct = False
        for writer in world.models:
            kin = [
                networkx.shortest_path_length(versions, a, b)
                for a, b in ((model, writer), (writer, model))
                if networkx.has_path(versions, a, b)
            ]
            if kin and networkx.has_path(flow, dataset, writer):
                ways.append(networkx.shortest_path_length(flow, dataset, writer) + min(kin))
                is_direct = is_direct or networkx.has_path(without_training, dataset, writer)
        if ways:
            found[model, dataset] = (min(ways), is_direct)
    return found


def check_witness(world: World, witness: tuple[str, ...]) -> None:
    known = {(subject, target) for subject, _, target in world.edges}
    versions = {(s, o) for s, r, o in world.edges if r in VERSIONS}
    for a, b in itertools.pairwise(witness):
        assert (a, b) in known or (b, a) in versions


@pytest.mark.parametrize("first", range(0, GRAPHS, TOGETHER))
def test_loops_are_those_that_networkx_finds(store: Store, first: int) -> None:
    worlds = {number: some_world(number) for number in range(first, min(first + TOGETHER, GRAPHS))}
    add(store, list(worlds.values()))
    wanted = {pair: found for world in worlds.values() for pair, found in expected(world).items()}
    loops = lineage.feedback_loops(store)
    in_sql = store.sql("select model, dataset, witness, direct from feedback_loops").fetchall()
    for found in ([(loop.model, loop.dataset, loop.witness, loop.direct) for loop in loops], in_sql):
        assert len({row[:2] for row in found}) == len(found)
        steps = {(model, dataset): len(path) - 1 - path.index(dataset) for model, dataset, path, _ in found}
        assert {(model, dataset): (steps[model, dataset], direct) for model, dataset, _, direct in found} == wanted
        for model, _, witness, _ in found:
            assert witness[0] == witness[-1] == model
            check_witness(worlds[int(model.split(":")[1].split("-")[0])], tuple(witness))
    assert len(wanted) > 20 or len(worlds) < TOGETHER
