"""Names and ids of nodes.

``model:NAME``, ``dataset:NAME`` or ``dataset:NAME@VERSION``, ``run:NAME``, ``set:NAME`` for a generation set that is
known by name only, ``source:ID``; scans and registered reference sets have their own ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from provenance.errors import LineageError

if TYPE_CHECKING:
    from provenance.store import Store


def model_id(name: str) -> str:
    """Return the node id of a model."""
    return name if name.startswith("model:") else f"model:{name}"


def dataset_id(name: str, version: str | None = None) -> str:
    """Return the node id of a dataset."""
    base = name if name.startswith("dataset:") else f"dataset:{name}"
    return base if version is None else f"{base}@{version}"


def run_id(name: str) -> str:
    """Return the node id of a run: of training, of generation, or of an evaluation."""
    return name if name.startswith("run:") else f"run:{name}"


def set_id(name: str) -> str:
    """Return the node id of a generation set that is known by name only."""
    return name if name.startswith("set:") else f"set:{name}"


def checked(name: str, what: str) -> str:
    """Return a name if it can be one.

    Raises:
        LineageError: If it is empty, long, or holds what can't be printed.
    """
    if not name or len(name) > 300 or not name.isprintable():
        raise LineageError(f"{name!r} cannot be the name of a {what}", next_step="Use up to 300 printable characters")
    return name


def resolve(store: Store, name: str, kinds: Sequence[str] = ()) -> str:
    """Return the node id that a name (a dataset's may lack its version), an id, or a unique prefix of an id stands for.

    Args:
        store: The store.
        name: What the user typed.
        kinds: Node kinds to look among; all if empty.

    Raises:
        LineageError: If there is none, or more than one.
    """
    return resolve_kind(store, name, kinds)[0]


def resolve_kind(store: Store, name: str, kinds: Sequence[str] = ()) -> tuple[str, str]:
    """Return the node id as `resolve` does, and the node's kind."""
    if not name:
        raise LineageError("An empty name stands for nothing", next_step="Give the name or id of a node")
    found = store.sql(
        "select distinct id, kind, id = $1 as by_id, name = $1 as by_name from lineage_nodes "
        "where ($2 is null or list_contains($2, kind)) "
        "and (id = $1 or name = $1 or starts_with(id, $1) or starts_with(name, $1 || '@')) order by id",
        [name, list(kinds) or None],
    ).fetchall()
    # The prompts of a set bear its name.
    own = [row for row in found if row[3] and not str(row[0]).endswith("-prompts")]
    for matching in ([row for row in found if row[2]], own, found):
        if len(matching) == 1:
            return str(matching[0][0]), str(matching[0][1])
        if matching:
            break
    what = " or ".join(kinds) or "node"
    if not found:
        raise LineageError(
            f"There is no {what.replace('_', ' ')} {name!r}",
            next_step='`provenance sql "from lineage_nodes"` lists them',
        )
    listed = ", ".join(f"{row[0]} ({row[1]})" for row in found[:5])
    raise LineageError(f"{name!r} can mean several things: {listed}", next_step="Give the id")
