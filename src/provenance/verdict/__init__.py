"""The verdict as SQL macros: tag, reason and score from an observation, its matches and a policy.

`verdict.sql` is the only place in the package where a tag is decided. Install the macros with
`install`; call ``decision(...)`` for ``STRUCT(tag, reason)`` and ``verdict_score(...)`` for the score.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from provenance import evidence

if TYPE_CHECKING:
    import duckdb


def macros() -> str:
    """Return the SQL text that creates the macros, with those of the evidence that they call."""
    return evidence.macros() + "\n" + resources.files(__package__).joinpath("verdict.sql").read_text(encoding="utf-8")


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Create or replace the macros in the current schema of a writable connection."""
    connection.execute(macros())
