"""The screen: what a query from outside may name, decided on the tree that DuckDB's own parser makes of it.

A text passes if it is one SELECT whose every part is known to be harmless: nodes that only read, tables and views of
the store, functions that depend on their arguments alone. Everything else is refused, also what a later DuckDB may
add: a node of an unknown kind does not pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import duckdb

from provenance.errors import UsageError
from provenance.store.catalogue import sql_text

HINT: Final = '`provenance sql "show tables"` lists what can be asked'
_COLUMNS_HINT: Final = '`provenance sql "describe records"` lists the columns of a table'

_NODES: Final = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
"""Query nodes that only read. DuckDB 2 also knows COPY, INSERT, UPDATE and DELETE inside ``with``."""

_TABLE_FUNCTIONS: Final = frozenset(
    {"unnest", "range", "generate_series", "repeat", "repeat_row", "json_each", "json_tree"}
)
_SHOWN: Final = frozenset({"tables", "__show_tables_expanded"})
_SCHEMA_VIEWS: Final = frozenset({"tables", "columns"})
"""Of ``information_schema``; the others tell definitions, which hold paths."""

_HARMLESS: Final = frozenset(
    {
        *("now", "today", "current_date", "get_current_time", "get_current_timestamp", "transaction_timestamp"),
        *("random", "setseed", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "error", "unnest", "generate_subscripts"),
    }
)
"""Functions that give another answer each time, and tell nothing of the machine."""

_REFUSED: Final = frozenset({"json_serialize_plan", "json_execute_serialized_sql", "getenv", "getvariable"})
"""Functions that DuckDB calls consistent, or does not list, and that tell of files, plans or the process."""

_REFUSED_PREFIXES: Final = ("pg_", "has_", "inet_", "read_", "write_", "parquet_", "duckdb_", "pragma_", "current_")


class Screen:
    """What the catalogue behind a connection knows, and with that, which queries pass.

    Args:
        connection: A connection on which nothing is locked yet.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        known: dict[str, set[str]] = {}
        for kind, name in connection.execute(sql_text("store/screen.sql")).fetchall():
            known.setdefault(kind, set()).add(name)
        self._tables = known.get("table", set())
        self._hidden = known.get("hidden", set())
        self._table_macros = known.get("table macro", set()) - known["builtin"]
        self._functions = (known["plain"] - _REFUSED) | known.get("macro", set()) | _HARMLESS
        self._builtin = known["builtin"]
        self._connection = connection

    def check(self, query: str) -> bool:
        """Tell whether a text asks anything.

        Raises:
            UsageError: If it asks for anything but one SELECT on the store.
            duckdb.Error: If it is no SQL.
        """
        statements = self._connection.extract_statements(query)
        if not statements:
            return False
        if len(statements) > 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise _refusal("Only one SELECT at a time is answered here: the store is read-only")
        # The tree of that very statement: what surrounds it in the text is not looked at a second time.
        rows = self._connection.execute("select json_serialize_sql($1)", [statements[0].query]).fetchall()
        tree = json.loads(rows[0][0])
        if tree.get("error") or len(tree["statements"]) != 1:
            raise _refusal("Only one SELECT at a time is answered here: the store is read-only")
        self.check_tree(tree)
        return True

    def check_tree(self, tree: Mapping[str, Any], own: bool = False) -> None:
        """Look through the tree of a query.

        Args:
            tree: What DuckDB's parser makes of it.
            own: The query is the definition of a view or macro of the catalogue; those name schemas, and parameters.

        Raises:
            UsageError: If it asks for anything that may not be asked.
        """
        parts = list(parts_of(tree["statements"]))
        named = {_lower(part["key"]) for part in parts if set(part) == {"key", "value"}}  # in `with`
        for name in named & self._hidden:
            raise _refusal(f"A part of a query can't be called {name!r} here")
        for part in parts:
            self._check_part(part, named, own)

    def _check_part(self, part: dict[str, Any], named: set[str], own: bool) -> None:
        kind = part.get("type")
        if not isinstance(kind, str):
            return
        if kind.endswith("_NODE") and kind not in _NODES:
            raise _refusal("Only one SELECT at a time is answered here: the store is read-only")
        if kind == "BASE_TABLE":
            self._check_table(part, named, own)
        elif kind == "SHOW_REF":
            self._check_shown(part)
        elif kind == "TABLE_FUNCTION":
            self._check_table_function(part["function"])
        elif part.get("class") in ("FUNCTION", "WINDOW") and "function_name" in part:
            self._check_function(part)

    def _check_table(self, part: dict[str, Any], named: set[str], own: bool) -> None:
        name, schema, catalogue = (_lower(part[key]) for key in ("table_name", "schema_name", "catalog_name"))
        if own and schema == "main":
            schema = catalogue = ""  # a view names its own catalogue, by whatever number that had
        if schema == "information_schema" and not catalogue and name in _SCHEMA_VIEWS:
            return
        if schema == "recurring" and not catalogue and name in named:  # of a recursion `using key`
            return
        if schema or catalogue:
            raise _refusal("Tables and views are named without a schema here")
        if name in self._tables or name in named:
            return
        if name in self._hidden or not name.isidentifier():
            raise _refusal(f"{part['table_name']!r} can't be read here: only the store's own tables and views can")
        # An unknown name is for DuckDB to refuse, which says what it may have meant.

    def _check_shown(self, part: dict[str, Any]) -> None:
        name = _lower(part["table_name"]).strip('"')
        special = part["show_type"] == "SHOW_SPECIAL" and name in _SHOWN
        of_table = part["show_type"] in ("SHOW", "DESCRIBE", "SUMMARY") and (not name or name in self._tables)
        if not (special or of_table) or _lower(part["schema_name"]) or _lower(part["catalog_name"]):
            raise _refusal("Of SHOW, only `show tables` is answered here, and the name of a table or view")

    def _check_table_function(self, function: dict[str, Any]) -> None:
        name = _lower(function["function_name"])
        if _qualified(function) or name not in (_TABLE_FUNCTIONS | self._table_macros):
            raise _refusal(f"The table function {name!r} is not answered here")

    def _check_function(self, part: dict[str, Any]) -> None:
        name = _lower(part["function_name"])
        if part.get("is_operator") or (name in _TABLE_FUNCTIONS and not _qualified(part)):
            return
        refused = name in _REFUSED or (name in self._builtin and name not in self._functions)
        if refused or _qualified(part) or (name.startswith(_REFUSED_PREFIXES) and name not in _HARMLESS):
            raise _refusal(f"The function {name!r} is not answered here")


def hint(error: Exception) -> str:
    """Return what to do about a query that DuckDB refuses; often its own words say it all."""
    text = str(error)
    if "Table with name" in text:
        return HINT
    return _COLUMNS_HINT if re.search(r"Referenced column|not have a column", text) else ""


def parts_of(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree. Not by recursion: a stranger says how deep it is."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _qualified(function: dict[str, Any]) -> bool:
    """Whether a function is named with a schema. Those that the parser puts in itself have the schema ``main``."""
    schema, catalogue = _lower(function.get("schema")), _lower(function.get("catalog"))
    return schema not in ("", "main") or catalogue not in ("", "system")


def _lower(text: Any) -> str:
    return str(text or "").lower()


def _refusal(cause: str) -> UsageError:
    return UsageError(cause, next_step=HINT)
