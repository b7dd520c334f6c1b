"""Versions of models and datasets are ordered in time: what would make one come from itself is refused."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from provenance.errors import LineageError

if TYPE_CHECKING:
    from provenance.store import Commit

VERSION_RELATIONS: Final = ("successor_of", "fine_tuned_from", "distilled_from")
"""From a model to the model that it comes from."""

DERIVATIONS: Final = ("wasDerivedFrom", "hadMember")
"""From a dataset or set to what it is made of."""

ORDERED: Final = (VERSION_RELATIONS, DERIVATIONS)


def refuse_cycle(commit: Commit, subject: str, relation: str, target: str) -> None:
    """Raise if ``target`` already comes from ``subject``.

    Raises:
        LineageError: With the cycle that the edge would close.
    """
    group = next((relations for relations in ORDERED if relation in relations), None)
    if group is None:
        return
    parents = _parents(commit, group)
    path = {target: [target]}
    waiting = [target]
    for node in waiting:
        if node == subject:
            raise _refused([subject, *path[node]])
        for parent in parents.get(node, ()):
            if parent not in path:
                path[parent] = [*path[node], parent]
                waiting.append(parent)


def refuse_cycles(commit: Commit) -> None:
    """Raise if any model or dataset of the catalogue comes from itself: for a commit that imports many edges.

    Raises:
        LineageError: With one of the cycles.
    """
    for group in ORDERED:
        try:
            TopologicalSorter(_parents(commit, group)).prepare()
        except CycleError as error:
            raise _refused([*reversed(error.args[1])]) from None


def _parents(commit: Commit, relations: tuple[str, ...]) -> dict[str, list[str]]:
    parents: dict[str, list[str]] = {}
    for child, parent in commit.execute(
        "select distinct subject, object from edges where list_contains($1, relation) order by all", [list(relations)]
    ).fetchall():
        parents.setdefault(child, []).append(parent)
    return parents


def _refused(cycle: list[str]) -> LineageError:
    return LineageError(
        f"This would make a cycle: {' -> '.join(cycle)}", next_step="Versions are ordered in time; check the names"
    )
