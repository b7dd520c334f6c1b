"""Tags of a scan's records under any policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING, Any

from provenance.policy import Policy, load, parse, settings_type_sql

if TYPE_CHECKING:
    import duckdb

    from provenance.store import Store


def scan_policy(store: Store, scan_id: str, wanted: str | None = None) -> Policy:
    """Return the policy that is asked for, or else the one that is current for the scan."""
    if wanted is not None:
        return load(wanted)
    with store.read() as connection:
        row = connection.execute(
            "select policies.document, policies.policy_id from current_policies "
            "join policies using (policy_id) where scan_id = ? limit 1",
            [scan_id],
        ).fetchall()[0]
    return parse(row[0], place=row[1])


@contextmanager
def asked(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, Any]) -> Iterator[None]:
    """Make a policy's settings readable as the table ``asked_policy`` on a connection."""
    connection.execute(f"create or replace temp table asked_policy (settings {settings_type_sql()})")
    connection.execute(
        f"insert into asked_policy select $1::json::{settings_type_sql()}",
        [json.dumps(dict(settings), default=str)],
    )
    yield


def query(around: str = "{tags}") -> str:
    """Return the SQL of `tags.sql`, put in place of ``{tags}`` in another query."""
    return around.replace("{tags}", resources.files(__package__).joinpath("tags.sql").read_text(encoding="utf-8"))


@contextmanager
def tagged(store: Store, scan_id: str, policy: Policy) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a snapshot with the temporary table ``tagged``: each record of the scan with tag, reason and score."""
    with store.read() as connection, asked(connection, policy.settings):
        connection.execute(query("create temp table tagged as {tags}"), [scan_id])
        yield connection
