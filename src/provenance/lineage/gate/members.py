"""The members of a dataset, each with the words that count towards each limit of the gate."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from provenance.classifier.populations import CELL_WIDTH, CELLS, LEAST_SCORE
from provenance.lineage import textflow
from provenance.lineage.moment import ask_columns
from provenance.lineage.names import model_id
from provenance.policy import Policy, settings_type_sql
from provenance.store import catalogue, layout

if TYPE_CHECKING:
    from provenance.store import Store

FEWEST_HOSTS: Final = 20
"""Hosts below which documents, not hosts, are resampled by an estimate."""
_MEMORY: Final = "2GB"
_NO_CHANCES: Final = pa.schema([("bin", pa.string()), ("cell", pa.int32()), ("chance", pa.float64())])
_FACTS: Final = pa.schema(
    [
        ("origin", pa.string()),
        ("own", pa.bool_()),
        ("verified", pa.bool_()),
        ("self_graded", pa.bool_()),
        ("depth", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Estimated:
    """What an estimate says of the scored members.

    Attributes:
        words: Scored words that it speaks of.
        share: Estimated synthetic share of them.
        low: Its lower limit.
        high: Its upper limit.
        chances: Columns ``bin``, ``cell`` and ``chance``: by which share the words in a cell of the scores count, so
            that all together count by the lower limit.
        remark: What the reader should know, such as why there is no estimate.
    """

    words: int = 0
    share: float = 0.0
    low: float = 0.0
    high: float = 0.0
    chances: pa.Table | None = None
    remark: str | None = None


Estimator = Callable[[pa.Table, Sequence[str]], Estimated]
"""Takes scored records by language (``pile``), ``bin``, ``cell``, ``cluster`` and ``tagged``, and the ids of scans."""


@dataclass
class Examination:
    """A snapshot on which the members of a dataset are laid out as the view ``judged``.

    Attributes:
        connection: The snapshot.
        dataset: Node id.
        policy: What is applied.
        as_of: The moment; None for now.
        listed: Members that the dataset lists.
        estimated: The estimate, if there is one.
    """

    connection: duckdb.DuckDBPyConnection
    dataset: str
    policy: Policy
    as_of: dt.datetime | None
    listed: int = 0
    estimated: Estimated | None = None

    def figures(self) -> dict[str, Any]:
        """Return what the members hold in all."""
        return row(self.connection, sql("figures"))

    def concerned(self, violated: Sequence[str]) -> pa.RecordBatchReader:
        """Return the records that count towards violated limits, as a stream."""
        query = sql("concerned")
        text = query if self.as_of is None else catalogue.at_the_moment(query, self.as_of)
        reader: pa.RecordBatchReader = self.connection.sql(text, params={"violated": list(violated)}).to_arrow_reader(
            8192
        )
        return reader


@contextmanager
def examine(
    store: Store,
    dataset: str,
    policy: Policy,
    models: Sequence[str],
    *,
    as_of: dt.datetime | None = None,
    estimator: Estimator | None = None,
) -> Iterator[Examination]:
    """Lay out the members of a dataset on a snapshot.

    Memory is bounded: what does not fit is spilled into the store's ``staging`` folder.

    Args:
        store: The store.
        dataset: Node id of a dataset.
        policy: The tags are those it gives.
        models: Names of the model to be trained, and of a recorded one that it comes from; none if only shares matter.
        as_of: The moment (UTC) to judge at; now if left out.
        estimator: Estimates the synthetic share of scored text; without it, style counts by tags.
    """
    with store.read() as connection:
        connection.execute("set memory_limit = $1", [_MEMORY])
        connection.execute("set temp_directory = $1", [str(store.root / layout.STAGING / "spill")])
        connection.execute(f"create temp table gate_policy (settings {settings_type_sql()})")
        connection.execute(
            f"insert into gate_policy select $1::json::{settings_type_sql()}",
            [json.dumps(dict(policy.settings), default=str)],
        )
        found = Examination(connection, dataset, policy, as_of)
        cells = {"least": LEAST_SCORE, "width": CELL_WIDTH, "cells": CELLS}
        _make(found, "member", sql("members"), {"dataset": dataset, **cells})
        ((found.listed,),) = _ask(found, sql("listed"), {"dataset": dataset})
        _make(found, "held", sql("held"))
        connection.register("origin_facts", _facts(found, models))
        connection.execute(f"create temp table texts as {sql('texts')}")
        connection.register("chances", _NO_CHANCES.empty_table())
        connection.execute("create temp view present as from member")
        connection.execute(sql("judged"))
        estimate(found, estimator)
        yield found


def estimate(examined: Examination, estimator: Estimator | None) -> None:
    """Estimate the synthetic share of the scored records in ``present``, and let style count by it."""
    if estimator is None or not examined.policy.settings["gate_estimate"]:
        return
    connection = examined.connection
    ((hosts,),) = connection.execute("select count(distinct host_bucket) from present").fetchall()
    counted = connection.sql(sql("scored"), params={"hosts": hosts >= FEWEST_HOSTS}).to_arrow_table()
    if not counted.num_rows:
        return
    scans = [scan for (scan,) in connection.execute("select distinct scan_id from present order by 1").fetchall()]
    examined.estimated = estimator(counted, scans)
    if examined.estimated.chances is not None:
        connection.unregister("chances")
        connection.register("chances", examined.estimated.chances)


def restrict(examined: Examination, estimator: Estimator | None) -> None:
    """Look at the members in the table ``kept`` alone."""
    examined.connection.execute(
        "create or replace temp view present as from member semi join kept on kept.record_id = member.record_id"
    )
    estimate(examined, estimator)


def sql(name: str) -> str:
    """Return the text of an SQL file beside this one."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def row(connection: duckdb.DuckDBPyConnection, query: str, parameters: Any = None) -> dict[str, Any]:
    """Return the only row of an answer by its columns' names."""
    answer = connection.execute(query, parameters)
    names = [column[0] for column in answer.description or ()]
    return dict(zip(names, answer.fetchall()[0], strict=True))


def _make(examined: Examination, table: str, query: str, parameters: dict[str, Any] | None = None) -> None:
    text = query if examined.as_of is None else catalogue.at_the_moment(query, examined.as_of)
    examined.connection.execute(f"create temp table {table} as {text}", parameters or None)


def _ask(examined: Examination, query: str, parameters: dict[str, Any] | None = None) -> list[Any]:
    text = query if examined.as_of is None else catalogue.at_the_moment(query, examined.as_of)
    return examined.connection.execute(text, parameters or None).fetchall()


def _facts(examined: Examination, models: Sequence[str]) -> pa.Table:
    """Say of each origin of the members' text whose it is, who admitted it and how deep it is."""
    authors = dict(_ask(examined, sql("origins")))
    if not authors:
        return _FACTS.empty_table()
    own = dict.fromkeys(authors, False)
    targets = [model_id(model) for model in models]
    if targets:
        flow = textflow.load(examined.connection, examined.as_of, more=[*targets, *authors])
        for target in targets:
            reached = flow.reaches([(origin, target) for origin in authors])
            own |= {origin: True for origin, reaches in zip(authors, reached, strict=True) if reaches}
    verified, self_graded = _admitted(examined, authors)
    depths = _depths(examined, {author for author in authors.values() if author is not None})
    rows = [
        {
            "origin": origin,
            "own": own[origin],
            "verified": origin in verified,
            "self_graded": origin in self_graded,
            "depth": 1 + depths.get(author, 0),
        }
        for origin, author in authors.items()
    ]
    return pa.Table.from_pylist(rows, schema=_FACTS)


def _admitted(examined: Examination, authors: dict[str, str | None]) -> tuple[set[str], set[str]]:
    """Return the origins that somebody else verified, and those that their own authors or relatives of them graded."""
    nodes = [examined.dataset, *authors]
    judges = _ask(examined, sql("judges"), {"nodes": nodes})
    if not judges:
        return set(), set()
    query = "select graded, grader, authors from self_grading"
    partial: dict[tuple[str, str], set[str]] = {
        (graded, grader): set(writers) for graded, grader, writers in _ask(examined, query)
    }
    verified, self_graded = set(), set()
    for node, relation, grader in judges:
        concerned = set(authors) if node == examined.dataset else {node}
        writers = partial.get((node, grader))
        if writers is None:
            verified |= concerned if relation == "verified_by" else set()
        else:
            self_graded |= {origin for origin in concerned if node == origin or authors[origin] in writers}
    return verified - self_graded, self_graded


def _depths(examined: Examination, authors: set[str]) -> dict[str | None, int]:
    """Return what is certain of the depth of what each author was trained on."""
    if not authors:
        return {}
    query = "select id, at_least from node_depth where list_contains($1, id)"
    if examined.as_of is None:
        _reach(examined.connection, authors)
        query = catalogue.shadowed(query, sql("parts_of"))
    found = ask_columns(examined.connection, query, [sorted(authors)], examined.as_of)
    return {entry["id"]: entry["at_least"] for entry in found.to_pylist()}


def _reach(connection: duckdb.DuckDBPyConnection, nodes: set[str]) -> None:
    """Make the table ``reachable`` (``id``) of what nodes come from: along edges, and through what datasets hold.

    The depth of all nodes takes the members of every dataset; that of a few, those of the datasets that they come from.
    """
    held = catalogue.shadowed("select distinct origin from held_text", sql("parts_of"))
    connection.execute("create or replace temp table reachable (id varchar)")
    known: set[str] = set()
    fresh = nodes
    while fresh:
        known |= fresh
        known |= {name for (name,) in connection.execute(sql("reachable"), {"nodes": sorted(known)}).fetchall()}
        connection.execute("delete from reachable")
        connection.execute("insert into reachable select unnest($1::varchar[])", [sorted(known)])
        fresh = {name for (name,) in connection.execute(held).fetchall()} - known
