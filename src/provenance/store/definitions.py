"""The views and macros over the lineage: each has one SELECT in a file, and a form that answers as of a moment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

import duckdb

_VIEWS: Final = (
    *(
        "lineage_nodes",
        "lineage_edges",
        "numbered_edges",
        "set_authors",
        "record_text",
        "held_text",
        "text_flow",
        "trainings",
        "relatives",
    ),
    *("dataset_members", "text_reach", "possible_loops", "sealed_amounts", "feedback_loops", "self_grading"),
    *("record_composition", "dataset_composition", "trained_through", "node_depth", "generation_depth"),
)
"""In the order in which they are made: each reads those before it."""

_MACROS: Final = {
    "lineage_walk": ("walk", "which, upwards"),
    "exposure": ("exposure", "which"),
    "can_have_written": ("can_have_written", "captured"),
}
"""Table macros, the file of each, and its parameters, as which no column may be called: a macro replaces the name."""

_BEFORE: Final = ("relation_names", "places")
_AFTER: Final = "directions"
"""Files of statements that are run before the views are made, and after the macros are."""

_AS_OF: Final = ("lineage_nodes", "lineage_edges", "feedback_loops", "generation_depth", "lineage_walk")
"""What has a macro ``NAME_as_of(…, moment)`` in SQL. `query_as_of` answers for everything."""


def body(name: str) -> str:
    """Return the SELECT that defines a view or macro of the lineage."""
    return resources.files("provenance").joinpath("lineage", "sql", f"{name}.sql").read_text(encoding="utf-8").strip()


def texts() -> list[str]:
    """Return everything that `define` makes definitions of, so that a change of it is noticed."""
    files = ("known_names", "model_facts", *_BEFORE, *_VIEWS, *(file for file, _ in _MACROS.values()), _AFTER)
    return [body(name) for name in files]


def define(connection: duckdb.DuckDBPyConnection, shadows: str, read: Mapping[str, str]) -> None:
    """Make the views and macros of the lineage.

    Args:
        connection: A writable catalogue that has its tables and the views of ``read``.
        shadows: Common table expressions that stand for the tables as they were at a ``moment``.
        read: Definitions of the views that the lineage reads, by name, in the order in which they are made.
    """
    for name in _BEFORE:
        connection.execute(body(name))
    for name in _VIEWS:
        connection.execute(f"create or replace view {name} as {_bare(body(name))}")
    for name, (file, parameters) in _MACROS.items():
        connection.execute(f"create or replace macro {name}({parameters}) as table {_bare(body(file))}")
    for name in _AS_OF:
        macro = _MACROS.get(name)
        query = f"select * from {name}" if macro is None else body(macro[0])  # noqa: S608 - a name from this module
        then = at_the_moment(shadows, read, query)
        all_parameters = "moment" if macro is None else f"{macro[1]}, moment"
        connection.execute(f"create or replace macro {name}_as_of({all_parameters}) as table {then}")
    connection.execute(body(_AFTER))


def number(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring the numbered edges, which walks read, up to date with the edges."""
    counts = "select (select count(*) from lineage_edges), (select count(*) from lineage_steps)"
    for attempt in range(2):
        ((edges, numbered),) = connection.execute(counts).fetchall()
        if edges == numbered:
            return
        if attempt or edges < numbered:  # some are gone, or came with an earlier time
            connection.execute("truncate lineage_steps; truncate lineage_places")
        connection.execute(body("number"))


def at_the_moment(shadows: str, read: Mapping[str, str], query: str) -> str:
    """Return a query with the views that it needs as common table expressions over the shadowed tables."""
    bodies = {**read, **{name: body(name) for name in _VIEWS}}
    bodies["lineage_steps"] = bodies["numbered_edges"]
    wanted: list[str] = []
    needed = _names(query)
    for name in reversed(bodies):
        if name in needed:
            wanted.insert(0, name)
            needed |= _names(bodies[name])
    chain = "".join(f", {name} as ({_bare(bodies[name])})" for name in wanted)
    return f"with recursive {_bare(shadows)}{chain} select * from ({_bare(query)})"  # noqa: S608


def _bare(query: str) -> str:
    """Leave out comments and layout, which take as long to parse as the rest. No text in these files holds them."""
    return " ".join(re.sub(r"--[^\n]*", "", query).split())


def _names(query: str) -> set[str]:
    return set(re.findall(r"\b(?:from|join)\s+(\w+)", re.sub(r"--[^\n]*", "", query)))
