"""A directed graph in memory: which pairs of nodes are connected, and by which shortest path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LANES: Final = 16
_BLOCK: Final = 64 * _LANES
_ROOM: Final = 1 << 20


@dataclass(frozen=True)
class Network:
    """Edges of a directed graph, grouped by where they begin.

    Attributes:
        indptr: int64[nodes + 1]. Node ``v`` has the edges ``indices[indptr[v]:indptr[v + 1]]``.
        indices: int32[edges], the nodes that they lead to, in order.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]

    @classmethod
    def of(cls, nodes: int, tails: NDArray[np.int32], heads: NDArray[np.int32]) -> Network:
        """Make one of the edges from ``tails`` to ``heads``, in whatever order they come."""
        from provenance.lineage.network import kernel

        return cls(*kernel.grouped(nodes, tails.astype(np.int32, copy=False), heads.astype(np.int32, copy=False)))

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.indptr) - 1

    @cached_property
    def tails(self) -> NDArray[np.int32]:
        """Where each edge begins."""
        return np.repeat(np.arange(self.nodes, dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def reversed(self) -> Network:
        """The same edges turned round."""
        return Network.of(self.nodes, self.indices, self.tails)

    @cached_property
    def _components(self) -> tuple[NDArray[np.int32], Network]:
        """The strong component of each node, and the edges between components, to smaller numbers."""
        from provenance.lineage.network import kernel

        component, count = kernel.strong_components(self.indptr, self.indices)
        tails, heads = component[self.tails], component[self.indices]
        apart = tails != heads
        return component, Network.of(int(count), tails[apart], heads[apart])

    @property
    def order(self) -> NDArray[np.int32]:
        """A number for each node; no edge leads to a greater one."""
        return self._components[0]

    @cached_property
    def _in_order(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], Network]:
        """The nodes in the order of their components, those components, where each begins, and the edges by place."""
        component, between = self._components
        nodes = np.argsort(component, kind="stable").astype(np.int32)
        place = np.empty(self.nodes, np.int32)
        place[nodes] = np.arange(self.nodes, dtype=np.int32)
        begin = np.zeros(between.nodes + 1, np.int32)
        np.cumsum(np.bincount(component, minlength=between.nodes), out=begin[1:])
        return nodes, component[nodes], begin, Network.of(self.nodes, place[self.tails], place[self.indices])

    def connected(
        self,
        starts: NDArray[np.int32],
        groups: NDArray[np.int32],
        ends: NDArray[np.int32],
        end_groups: NDArray[np.int32],
    ) -> NDArray[np.bool_]:
        """Say for each start whether it leads to an end of its group; a node leads to itself.

        Takes time proportional to the edges for every 1,024 groups.

        Args:
            starts: Nodes.
            groups: The group that each asks for.
            ends: Nodes; one may be in several groups.
            end_groups: The group of each.
        """
        from provenance.lineage.network import kernel

        component, between = self._components
        answers = np.zeros(len(starts), np.bool_)
        if not len(starts) or not len(ends):
            return answers
        # Groups whose ends come first are asked for together, so that less of the network has to be looked at.
        count = int(max(groups.max(), end_groups.max())) + 1
        lowest = np.full(count, between.nodes, np.int32)
        np.minimum.at(lowest, end_groups, component[ends])
        open_questions = np.flatnonzero(component[starts] >= lowest[groups])
        known = np.unique(groups[open_questions])
        place = np.full(count, -1, np.int32)
        place[known[np.argsort(lowest[known], kind="stable")]] = np.arange(len(known), dtype=np.int32)
        asked, marked = place[groups[open_questions]], place[end_groups]
        seen = np.empty((between.nodes, min(_LANES, -(-len(known) // 64))), np.uint64)
        for first in range(0, len(known), _BLOCK):
            inside = (asked >= first) & (asked < first + _BLOCK)
            carries = (marked >= first) & (marked < first + _BLOCK)
            answers[open_questions[inside]] = kernel.reached(
                between.indptr,
                between.indices,
                component[ends[carries]],
                marked[carries] - first,
                component[starts[open_questions[inside]]],
                asked[inside] - first,
                seen,
            )
        return answers

    def paths(self, starts: NDArray[np.int32], ends: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return one shortest path for each start to one of its possible ends.

        Args:
            starts: int32[p], nodes.
            ends: int32[p, k], where each may end.

        Returns:
            Offsets int64[p + 1] and nodes: path ``i`` is ``nodes[offsets[i]:offsets[i + 1]]``, empty if there is none.
        """
        from provenance.lineage.network import kernel

        nodes, component, begin, network = self._in_order
        place = np.empty(self.nodes, np.int32)
        place[nodes] = np.arange(self.nodes, dtype=np.int32)
        graph = (network.indptr, network.indices, network.reversed.indptr, network.reversed.indices, component, begin)
        scratch = (
            *(np.zeros(self.nodes, np.int8), np.zeros(self.nodes, np.int32)),
            *(np.zeros((2, self.nodes), np.int32), np.zeros(self.nodes, np.int32)),
        )
        lengths = np.zeros(len(starts), np.int32)
        room = np.empty(max(self.nodes, _ROOM), np.int32)
        found = [room[:0]]
        done = 0
        while done < len(starts):
            asked = place[starts[done:]], np.ascontiguousarray(place[ends[done:]])
            count = kernel.shortest_paths(*graph, *asked, *scratch, lengths[done:], room)
            found.append(nodes[room[: lengths[done : done + count].sum()]])
            done += count
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), np.concatenate(found)
