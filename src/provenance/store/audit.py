"""Audit: whether the definitions in a catalogue do no more than those that this package writes.

A catalogue is a database file, and views and macros in it are programs: one from a stranger could read any file of who
asks it, or send it away. Each is parsed, not run, and may name tables, views and functions that stay inside the store.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Final

import duckdb

from provenance.errors import StoreError, UsageError
from provenance.store import layout
from provenance.store.catalogue import apart, meta, part_query, quiet, sql_text
from provenance.store.parts import KINDS
from provenance.store.screen import Screen

_BODY: Final = re.compile(
    r"^\s*create\s+(or\s+replace\s+)?(temp(orary)?\s+)?view\s+.*?\sas\s+", re.IGNORECASE | re.DOTALL
)
_ASKED: Final = ("store_meta", "parts", "segments")
"""Tables that are asked before the definitions are known to be harmless: a view of their name would be run."""


def audit(catalogue: Path) -> None:
    """Refuse a catalogue whose definitions or paths lead out of the store. It is opened for that, as nothing else is.

    Raises:
        FileNotFoundError: If it is gone.
        StoreError: With what leads out, or that it can't be read.
    """
    status = catalogue.stat()
    problem = _problem_of(str(catalogue), (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    if problem:
        raise StoreError(
            f"The store's catalogue was not written by provenance alone: {problem}",
            place=str(catalogue),
            next_step="Don't use this store; scan its sources into one of your own",
        )


@functools.lru_cache(maxsize=8)
def _problem_of(catalogue: str, _: tuple[int, ...]) -> str | None:
    """Return what is wrong with a catalogue file, which is never written again."""
    with apart(Path(catalogue)) as connection:
        found = connection.execute(sql_text("store/audit.sql"), [list(_ASKED)]).fetchall()
        for kind, name, _said in found:
            if kind == "problem":
                return str(name)
        problem = _path_problem(connection)
        if problem:
            return problem
    # Nothing in it hides a function of DuckDB's, so that it can be asked for itself.
    with quiet(catalogue, read_only=True) as connection:
        screen = Screen(connection)
        for kind, name, definition in found:
            try:
                _check(connection, screen, kind, name, definition or "")
            except (UsageError, duckdb.Error, KeyError, TypeError, ValueError, RecursionError) as error:
                return (
                    f"its {kind.replace('_', ' ')} {name!r} does what none of its does ({str(error).splitlines()[0]})"
                )
    return None


def _check(connection: duckdb.DuckDBPyConnection, screen: Screen, kind: str, name: str, definition: str) -> None:
    query = _BODY.sub("", definition) if kind == "view" else definition
    query = query.strip().rstrip(";") if kind != "macro" else f"select ({query})"
    tree = json.loads(connection.execute("select json_serialize_sql($1)", [query]).fetchall()[0][0])
    if tree.get("error") or len(tree["statements"]) != 1:
        raise ValueError("it is no SELECT")
    if not (kind == "view" and _reads_parts(connection, name, query)):
        screen.check_tree(tree, own=True)


def _reads_parts(connection: duckdb.DuckDBPyConnection, view: str, query: str) -> bool:
    """Tell whether a view is the one over the live parts of a kind, at the place that the catalogue had last."""
    kind = view.removeprefix("stored_")
    if kind not in KINDS or view == kind:
        return False
    expected = part_query(connection, kind, meta(connection, "root") or "")
    plain = "select json_deserialize_sql(json_serialize_sql($1)), json_deserialize_sql(json_serialize_sql($2))"
    ((theirs, ours),) = connection.execute(plain, [query, expected]).fetchall()
    return bool(theirs == ours)


def _path_problem(connection: duckdb.DuckDBPyConnection) -> str | None:
    for (path,) in connection.execute("select distinct path from theirs.main.parts").fetchall():
        try:
            layout.part_path(path)
        except StoreError:
            return f"it names the part {path[:200]!r}"
    for (path,) in connection.execute("select distinct path from theirs.main.segments").fetchall():
        if not re.fullmatch(rf"{layout.SEGMENTS}/[0-9a-f]{{32}}", path):
            return f"it names the segment {path[:200]!r}"
    return None
