"""The network in memory, against networkx."""

from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.lineage.network import Network

EDGES = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40)


def both(edges: list[tuple[int, int]]) -> tuple[Network, networkx.DiGraph]:
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(15))
    graph.add_edges_from(edges)
    ends = np.array(edges, np.int32).reshape(-1, 2)
    return Network.of(15, ends[:, 0], ends[:, 1]), graph


@settings(max_examples=300, deadline=None)
@given(EDGES, st.data())
def test_connections_and_shortest_paths(edges: list[tuple[int, int]], data: st.DataObject) -> None:
    network, graph = both(edges)
    groups = {group: data.draw(st.sets(st.integers(0, 14), min_size=1, max_size=3)) for group in range(3)}
    asked = [(start, group) for start in range(15) for group in groups]
    ends = [(end, group) for group, members in groups.items() for end in members]
    answers = network.connected(
        *(np.array(column, np.int32) for pairs in (asked, ends) for column in zip(*pairs, strict=True))
    )
    same_length = [[*groups[group], *[min(groups[group])] * 3][:3] for _, group in asked]
    offsets, nodes = network.paths(np.array([start for start, _ in asked], np.int32), np.array(same_length, np.int32))
    paths = [nodes[first:end].tolist() for first, end in itertools.pairwise(offsets)]
    for (start, group), answer, path in zip(asked, answers, paths, strict=True):
        steps = [
            networkx.shortest_path_length(graph, start, end)
            for end in groups[group]
            if networkx.has_path(graph, start, end)
        ]
        assert answer == bool(steps)
        assert len(path) == (min(steps) + 1 if steps else 0)
        if path:
            assert path[0] == start
            assert path[-1] in groups[group]
            assert all(graph.has_edge(a, b) for a, b in itertools.pairwise(path))


@given(EDGES)
@settings(max_examples=100, deadline=None)
def test_no_edge_leads_up_the_order_and_cycles_share_a_place(edges: list[tuple[int, int]]) -> None:
    network, graph = both(edges)
    assert all(network.order[a] >= network.order[b] for a, b in edges)
    parts = {frozenset(np.flatnonzero(network.order == place).tolist()) for place in set(network.order.tolist())}
    assert parts == {frozenset(part) for part in networkx.strongly_connected_components(graph)}


@pytest.mark.parametrize("groups", [63, 64, 65, 1025])
def test_many_groups(groups: int) -> None:
    line = np.arange(groups, dtype=np.int32)
    network = Network.of(groups + 1, line, line + 1)
    answers = network.connected(np.full(groups, 5, np.int32), line, line, line)
    assert answers.tolist() == [group >= 5 for group in range(groups)]


def test_an_empty_network() -> None:
    nothing = np.zeros(0, np.int32)
    network = Network.of(0, nothing, nothing)
    assert network.connected(nothing, nothing, nothing, nothing).tolist() == []
    assert [part.tolist() for part in network.paths(nothing, nothing.reshape(0, 2))] == [[0], []]


def test_paths_that_fill_more_than_one_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provenance.lineage.network._ROOM", 1)
    line = np.arange(20, dtype=np.int32)
    network = Network.of(21, line, line + 1)
    offsets, nodes = network.paths(line, np.full((20, 1), 20, np.int32))
    assert [nodes[first:end].tolist() for first, end in itertools.pairwise(offsets)] == [
        list(range(start, 21)) for start in range(20)
    ]
