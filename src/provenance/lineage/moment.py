"""Asking about the lineage as it stands, or as it stood at a moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb

from provenance.store import catalogue

if TYPE_CHECKING:
    import pyarrow as pa

    from provenance.store import Store


def ask(store: Store, query: str, parameters: Sequence[Any] = (), as_of: dt.datetime | None = None) -> list[Any]:
    """Return the rows of a query on the views of the lineage."""
    with store.read() as connection:
        return _run(connection, query, parameters, as_of).fetchall()


def ask_columns(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = (), as_of: dt.datetime | None = None
) -> pa.Table:
    """Return the answer to a query on the views of the lineage as an Arrow table."""
    return _run(connection, query, parameters, as_of).to_arrow_table()


def _run(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any], as_of: dt.datetime | None
) -> duckdb.DuckDBPyRelation:
    text = query if as_of is None else catalogue.at_the_moment(query, as_of)
    return connection.sql(text, params=list(parameters))
