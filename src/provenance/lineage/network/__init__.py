"""A directed graph in memory: which pairs of nodes are connected, and by which shortest path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LANES: Final = 16
_BLOCK: Final = 64 * _LANES


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

    def paths(self, pairs: Sequence[tuple[int, tuple[int, ...]]]) -> list[list[int]]:
        """Return one shortest path for each (start, possible ends); an empty one where there is none."""
        from provenance.lineage.network import kernel

        back = self.reversed
        side, parent = np.zeros(self.nodes, np.int8), np.zeros(self.nodes, np.int32)
        queues, path = np.zeros((2, self.nodes), np.int32), np.zeros(self.nodes, np.int32)
        found = []
        for start, ends in pairs:
            length = kernel.shortest_path(
                *(self.indptr, self.indices, back.indptr, back.indices, self.order),
                *(start, np.array(ends, np.int32), side, parent, queues, path),
            )
            found.append(path[:length].tolist())
        return found
