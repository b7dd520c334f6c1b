"""The catalogue file: how one is made, checked, and given the views that belong to its parts."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import re
import tempfile
import uuid
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from provenance import policy, verdict
from provenance.errors import StoreError
from provenance.schema import SCHEMA_VERSION
from provenance.store import definitions, known_models, layout
from provenance.store.layout import failure
from provenance.store.parts import KINDS, stored_schema

_BLOCK_SIZE: Final = 16_384
"""Bytes. DuckDB's own 256 KiB make a copy of an empty catalogue cost 20 times as much."""

_DEFINITIONS: Final = ("views", "policies", "findings", "summary", "records", "as_of", "unique", "drift")

_SQL_TYPES: Final = {
    pa.string(): "varchar",
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double",
    pa.binary(): "blob",
    pa.timestamp("us"): "timestamp",
}

_ROOT_VARIABLE: Final = "provenance_root"
"""Set on a connection to a store that was moved: the views then read its parts from there."""


def sql_text(name: str) -> str:
    """Return the text of an SQL file of this package, such as ``store/views.sql``."""
    return resources.files("provenance").joinpath(*name.split("/")).read_text(encoding="utf-8")


def build(path: Path, root: Path) -> None:
    """Write an empty catalogue."""
    path.write_bytes(_empty())
    with quiet(path) as connection:
        connection.execute("begin")
        set_meta(connection, "store_id", uuid.uuid4().hex)
        define(connection, root)
        connection.execute("commit")


@functools.cache
def _empty() -> bytes:
    """Return the file of an empty catalogue. Its definitions take a second to make: once is enough for a process."""
    with tempfile.TemporaryDirectory(prefix="provenance-") as folder, quiet() as connection:
        path = Path(folder) / "catalogue.duckdb"
        literal = str(path).replace("'", "''")
        connection.execute(f"attach '{literal}' as catalogue (block_size {_BLOCK_SIZE})")
        connection.execute("use catalogue")
        connection.execute("begin")
        connection.execute(sql_text("store/schema.sql"))
        set_meta(connection, "schema_version", str(SCHEMA_VERSION))
        define(connection, path.parent)
        connection.execute("commit")
        connection.execute("use memory")
        connection.execute("detach catalogue")
        return path.read_bytes()


def quiet(
    path: str | Path = ":memory:", *, read_only: bool = False, settings: Mapping[str, str] | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a database that never draws a progress bar.

    DuckDB draws on stdout, where it takes the process for an interactive one: a spawned worker, ``python -c``. The
    setting belongs to a connection, so that it can't be given with the others.
    """
    connection = duckdb.connect(str(path), read_only=read_only, config=dict(settings or {}))
    connection.execute("set enable_progress_bar = false")
    return connection


def attached(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a database that may be a stranger's as ``theirs``, beside an empty one.

    So none of its macros stands in for a function of DuckDB's, and no view of it reaches a file or the network.
    """
    connection = quiet()
    try:
        name = str(path).replace("'", "''")
        connection.execute(f"set allowed_paths = ['{name}', '{name}.wal']")
        connection.execute("set enable_external_access = false")
        connection.execute(f"attach '{name}' as theirs (read_only)")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise _unreadable(path, error) from error
    return connection


def apart(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalogue, as `attached`; it has to be of a version that this program knows."""
    return _known(attached(path), path, "theirs.main.store_meta")


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a catalogue file, also of an older version.

    Raises:
        FileNotFoundError: If it is gone, as a retired catalogue may be.
        StoreError: If it can't be read, or is of a newer version of this package.
    """
    try:
        connection = quiet(path, read_only=read_only)
    except duckdb.Error as error:
        raise _unreadable(path, error) from error
    return _known(connection, path, "store_meta")


def _known(connection: duckdb.DuckDBPyConnection, path: Path, table: str) -> duckdb.DuckDBPyConnection:
    """Return a connection to a catalogue of a version that this program knows; any other is closed and refused."""
    try:
        rows = connection.execute(f"select value from {table} where key = 'schema_version'").fetchall()  # noqa: S608
        there = int(rows[0][0]) if rows else 0
    except (duckdb.Error, TypeError, ValueError) as error:
        connection.close()
        raise _unreadable(path, error) from error
    if there > SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"The store has version {there}; this program knows versions up to {SCHEMA_VERSION}",
            place=str(path),
            next_step="Use a newer provenance: `pip install --upgrade provenance`",
        )
    return connection


@functools.cache
def tables() -> frozenset[str]:
    """Return the names of the tables of a catalogue; asking DuckDB takes longer than to insert a row."""
    return frozenset(re.findall(r"(?m)^create table (\w+)", sql_text("store/schema.sql")))


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the version of the layout and tables that a catalogue has."""
    return int(meta(connection, "schema_version") or "0")


def _unreadable(path: Path, error: Exception) -> Exception:
    if not path.exists():
        return FileNotFoundError(str(path))
    if isinstance(error, duckdb.IOException) and "ermission denied" in str(error):
        return failure(PermissionError(13, "Permission denied"), path)
    return StoreError(
        f"The store's catalogue can't be read: {str(error).splitlines()[0]}",
        place=str(path),
        next_step="Run `provenance verify --repair`",
    )


def meta(connection: duckdb.DuckDBPyConnection, key: str) -> str | None:
    """Return a value of ``store_meta``."""
    rows = connection.execute("select value from store_meta where key = ?", [key]).fetchall()
    return str(rows[0][0]) if rows else None


def set_meta(connection: duckdb.DuckDBPyConnection, key: str, value: str) -> None:
    """Set a value of ``store_meta``."""
    connection.execute("delete from store_meta where key = ?", [key])
    connection.execute("insert into store_meta values (?, ?)", [key, value])


def locate(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Let a connection find the parts of a store that was moved since its last commit."""
    if meta(connection, "root") != str(root):
        connection.execute(f"set variable {_ROOT_VARIABLE} = ?", [str(root)])


def define(connection: duckdb.DuckDBPyConnection, root: Path) -> None:
    """Make the views over the parts that are live now, and all others if this program has other ones."""
    set_meta(connection, "root", str(root))
    for kind in KINDS:
        define_part_view(connection, kind, root)
    texts = [
        verdict.macros(),
        policy.settings_sql("settings"),
        *(sql_text(f"store/{name}.sql") for name in _DEFINITIONS),
    ]
    texts += [*definitions.texts(), *known_models.texts()]
    version = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    if meta(connection, "definitions") != version:  # parsing them takes longer than all the rest of a commit
        define_views(connection)
        set_meta(connection, "definitions", version)
    definitions.number(connection)


def define_part_view(connection: duckdb.DuckDBPyConnection, kind: str, root: Path) -> None:
    """Make the views over the live parts of a kind; ``stored_<kind>`` also says which part a row stands in."""
    columns = ", ".join(f'"{name}"' for name in stored_schema(kind).names)
    connection.execute(f"create or replace view stored_{kind} as {part_query(connection, kind, str(root))}")
    connection.execute(f"create or replace view {kind} as select {columns} from stored_{kind}")  # noqa: S608


def part_query(connection: duckdb.DuckDBPyConnection, kind: str, root: str) -> str:
    """Return the SELECT over the live parts of a kind.

    Parts are listed one by one, because a glob would show those that no commit has published. A view's definition
    can't bind parameters: paths are made of `layout.safe_name` names, and the root is quoted.
    """
    columns = ", ".join(f'"{name}"' for name in stored_schema(kind).names)
    live = connection.execute(
        "select path from parts where kind = ? and withdrawn_at is null and rows > 0 order by path", [kind]
    ).fetchall()
    if live:
        quoted = "'" + root.replace("'", "''") + "'"
        base = f"coalesce(getvariable('{_ROOT_VARIABLE}'), {quoted})"
        paths = ", ".join(f"'{layout.part_path(path)}'" for (path,) in live)
        return (
            f"select {columns}, substr(filename, length({base}) + 2) as part "  # noqa: S608
            f"from read_parquet([{base} || '/' || path for path in [{paths}]])"
        )
    typed = ", ".join(f'cast(null as {_sql_type(field.type)}) as "{field.name}"' for field in stored_schema(kind))
    return f"select {typed}, cast(null as varchar) as part where false"


def _sql_type(kind: pa.DataType) -> str:
    """Return the DuckDB type that a column of a part is read as."""
    if pa.types.is_struct(kind):
        fields = ", ".join(f'"{field.name}" {_sql_type(field.type)}' for field in kind)
        return f"struct({fields})"
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_fixed_size_binary(kind):
        return "blob"
    return _SQL_TYPES[kind]


def define_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views and macros that don't depend on which parts there are."""
    read = _read_by_lineage()
    connection.execute(verdict.macros())
    connection.execute(sql_text("store/views.sql"))
    connection.execute(
        "create or replace view policies as select * replace "  # noqa: S608
        f"({policy.settings_sql('settings')} as settings) from policy_log"
    )
    known_models.define(connection)
    for name, query in read.items():
        connection.execute(f"create or replace view {name} as {query}")
    connection.execute(sql_text("store/unique.sql"))
    connection.execute(sql_text("store/drift.sql"))
    then = definitions.at_the_moment(sql_text("store/as_of.sql"), read, "select * from records")
    connection.execute(f"create or replace macro records_as_of(moment) as table {then}")
    definitions.define(connection, sql_text("store/as_of.sql"), read)


def _read_by_lineage() -> dict[str, str]:
    """Return the definitions of the views over matches and verdicts, each after those that it reads."""
    files = {"current_policies": "policies", "findings": "findings", "match_summary": "summary", "records": "records"}
    return {
        "model_facts": definitions.body("model_facts"),
        **{name: sql_text(f"store/{file}.sql") for name, file in files.items()},
    }


def shadowed(query: str, shadows: str) -> str:
    """Return a query over the store's views as one that reads other tables in place of some of the store's.

    Args:
        query: A SELECT on the views of the lineage, or on ``records``.
        shadows: Common table expressions, each with the name of a table or of a view over parts.
    """
    return definitions.at_the_moment(shadows, _read_by_lineage(), query)


def at_the_moment(query: str, moment: dt.datetime) -> str:
    """Return a query over the store's views as one that answers as the store would have answered at a moment.

    Args:
        query: A SELECT on the views of the lineage, or on ``records``.
        moment: UTC; one with a zone is brought there.
    """
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    text = shadowed(query, sql_text("store/as_of.sql"))
    return re.sub(r"\bmoment\b", f"timestamp '{moment.isoformat(sep=' ')}'", text)
