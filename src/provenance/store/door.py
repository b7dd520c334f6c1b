"""The SQL door: one query from outside, answered over the store and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from provenance.errors import UsageError

HINT: Final = '`provenance sql "show tables"` lists what can be asked'
_ANSWERED: Final = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def _told_apart(names: list[str]) -> Iterator[tuple[int, str]]:
    """Yield each column's place and a name that no other has: a, a_1, a_2."""
    seen: set[str] = set()
    for place, name in enumerate(names):
        free = (
            name
            if name not in seen
            else next(f"{name}_{n}" for n in itertools.count(1) if f"{name}_{n}" not in {*seen, *names})
        )
        seen.add(free)
        yield place, free


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def ask(connection: duckdb.DuckDBPyConnection, root: Path, query: str) -> duckdb.DuckDBPyRelation | None:
    """Run a query from outside on a snapshot, read-only.

    DuckDB's own parser says what the text holds: one SELECT (or EXPLAIN) passes. Files outside the store can't be
    reached, and no setting can be changed any more.

    Args:
        connection: A connection of `Store.read`; it is locked from here on.
        root: The store's folder.
        query: The SQL text.

    Returns:
        The rows, to be read while the connection is open; None if the text holds nothing to answer.

    Raises:
        UsageError: If the query is anything else, or DuckDB refuses it.
    """
    try:
        statements = connection.extract_statements(query)
        if not statements:
            return None
        if len(statements) > 1 or statements[0].type not in _ANSWERED:
            raise UsageError("Only one SELECT at a time is answered here: the store is read-only", next_step=HINT)
        connection.execute("set python_enable_replacements = false")
        connection.execute("set allowed_directories = $1", [[str(root)]])
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        relation = connection.sql(query)
        if relation is None or len(set(relation.columns)) == len(relation.columns):
            return relation
        # A row as JSON would lose all but the last value of a name.
        return relation.project(
            ", ".join(f"#{place + 1} as {_quoted(name)}" for place, name in _told_apart(relation.columns))
        )
    except duckdb.Error as error:
        raise UsageError(str(error), next_step=HINT) from error
