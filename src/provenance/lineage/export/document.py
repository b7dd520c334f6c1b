"""A lineage graph as plain values, between the store and any exchange format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Scalar = str | int | float | bool

ACTIVITIES: Final = ("run", "generation_run", "evaluation")
"""Kinds of nodes that are something done; all others are things."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its id, its kind (one of `schema.NODE_KINDS`), its name, and what else is known of it."""

    id: str
    kind: str
    name: str
    attributes: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """An edge, read subject, relation, object; ``detail`` is JSON text or empty."""

    subject: str
    relation: str
    object: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes by id and edges, and what a document held that this graph has no words for (by its own name, counted)."""

    nodes: Mapping[str, Node]
    edges: frozenset[Edge]
    left_out: Counter[str] = field(default_factory=Counter, compare=False)
