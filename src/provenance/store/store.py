"""The store as its users hold it: snapshots to read from, and commits that publish the next one."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from provenance.errors import StoreError
from provenance.policy import Policy
from provenance.schema import SCHEMA_VERSION
from provenance.store import catalogue, layout, locks, publish
from provenance.store.audit import audit
from provenance.store.parts import PartFile
from provenance.store.upgrade import upgrade
from provenance.store.verify import VerifyReport, damaged, recover, retire, verify

LOCK_TIMEOUT: Final = 300.0
"""Seconds that a commit waits for another one. A commit takes well under a second."""


class Kept:
    """A connection that nobody asks: while it is open, DuckDB opens the same file again at next to no cost."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None

    def keep(self, path: Path) -> None:
        """Keep this catalogue open, which is open already, and let go of the one before."""
        if path != self._path:
            before, self._connection = self._connection, duckdb.connect(str(path), read_only=True)
            self._path = path
            if before is not None:
                before.close()

    def close(self) -> None:
        """Let go of it."""
        if self._connection is not None:
            self._connection.close()
        self._path = self._connection = None


_LOGGED: Final = {"scans": "scan_log", "policies": "policy_log"}


class Commit:
    """Changes to the catalogue that become visible together, or not at all. Made by `Store.commit`.

    Attributes:
        connection: The next catalogue, writable until the ``with`` block ends.
        recorded_at: The time, UTC without a zone, that the rows of this commit carry.
    """

    def __init__(self, root: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.recorded_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)
        self._root = root
        self._parts: dict[str, PartFile] = {}
        self._columns: dict[str, dict[str, str]] = {}

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Append rows to a table of the catalogue.

        Args:
            table: Name of the table; ``scans`` and ``policies`` take the next state, the latest of which they show.
            rows: A dict for each row, or an Arrow table. Columns left out are null, ``recorded_at`` is
                filled in. A dict or list for a JSON column is serialised; zoned times become UTC.

        Raises:
            StoreError: If there is no such table or column, or a value doesn't fit.
        """
        if isinstance(rows, pa.Table):
            rows = rows.to_pylist()
        name = _LOGGED.get(table, table)
        types = self._types(name)
        for row in rows:
            unknown = sorted(set(row) - set(types))
            if unknown:
                raise StoreError(
                    f"The table {table!r} has no column {unknown[0]!r}", next_step=f"It has {', '.join(types)}"
                )
        if not rows:
            return
        self._append(name, rows, types)

    def _append(
        self, table: str, rows: Sequence[Mapping[str, Any]], types: Mapping[str, str], key: Sequence[str] = ()
    ) -> None:
        """Append rows, but for those whose ``key`` is there already and not withdrawn."""
        used = [column for column in types if column == "recorded_at" or any(column in row for row in rows)]
        values = {column: [self._value(row, column, types[column]) for row in rows] for column in used}
        names = ", ".join(f'"{column}"' for column in used)
        same = " and ".join(f"known.{column} = incoming.{column}" for column in key)
        if key and "withdrawn_at" in types:
            same += " and known.withdrawn_at is null"
        unless = f" where not exists (select 1 from {table} as known where {same})" if key else ""  # noqa: S608
        try:
            self.connection.register("incoming", pa.table(values))
            self.connection.execute(f"insert into {table} ({names}) select {names} from incoming{unless}")  # noqa: S608
        except (duckdb.Error, pa.ArrowException, TypeError) as error:
            cause = str(error).splitlines()[0]
            raise StoreError(f"These rows don't fit the table {table!r}: {cause}") from error
        finally:
            with contextlib.suppress(duckdb.Error):  # the transaction is over when a row was refused
                self.connection.unregister("incoming")

    def _types(self, table: str) -> dict[str, str]:
        if table not in self._columns:
            if table not in catalogue.tables():
                raise StoreError(f"The catalogue has no table {table!r}")
            columns = self.connection.execute("select name, type from pragma_table_info(?)", [table])
            self._columns[table] = dict(columns.fetchall())
        return self._columns[table]

    def _value(self, row: Mapping[str, Any], column: str, kind: str) -> Any:
        value = row.get(column)
        if value is None and column == "recorded_at":
            return self.recorded_at
        if kind == "JSON" and value is not None and not isinstance(value, str):
            return json.dumps(value, sort_keys=True, default=str)
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            return value.astimezone(dt.UTC).replace(tzinfo=None)
        return value

    def add_part(self, part: PartFile) -> None:
        """Publish a part.

        Raises:
            StoreError: If its file is not there in its full size, as when it was swept meanwhile.
        """
        path = self._root / part.path
        if not path.is_file() or path.stat().st_size != part.bytes:
            raise StoreError("A part that is to be published is missing or cut off", place=str(path))
        self._parts[part.path] = part

    def flush(self) -> None:
        """Bring added parts into their table, as ``execute`` and the end of the block do by themselves."""
        if self._parts:
            rows = [asdict(part) for part in self._parts.values()]
            self._parts = {}
            self._append("parts", rows, self._types("parts"), key=("path",))

    def show_parts(self, kind: str) -> None:
        """Let queries on the next catalogue see the parts of a kind that were added or withdrawn in this commit."""
        self.flush()
        catalogue.define_part_view(self.connection, kind, self._root)

    def withdraw_part(self, path: str) -> None:
        """Take a part out of the views. Its file goes when no catalogue on disk names it any more."""
        self.execute(
            "update parts set withdrawn_at = ? where path = ? and withdrawn_at is null", [self.recorded_at, path]
        )

    def withdraw_unfinished_parts(self, scan_id: str) -> None:
        """Take out what an earlier attempt at a scan published of sources that it gave up."""
        self.execute(
            "update parts set withdrawn_at = ? where group_id = ? and withdrawn_at is null and source_id is not null "
            "and source_id not in (select source_id from sources where scan_id = ? and error is null "
            "union all select source_id from shards where scan_id = ?)",
            [self.recorded_at, scan_id, scan_id, scan_id],
        )

    def withdraw_source_parts(self, scan_id: str, source_id: str) -> None:
        """Take out what a scan published of one source."""
        self.execute(
            "update parts set withdrawn_at = ? where group_id = ? and source_id = ? and withdrawn_at is null",
            [self.recorded_at, scan_id, source_id],
        )

    def add_policy(self, policy: Policy) -> str:
        """Record a policy unless it is known, and return its id."""
        if not self.execute("select 1 from policy_log where policy_id = ?", [policy.policy_id]).fetchall():
            row = {"policy_id": policy.policy_id, "name": policy.name, "version": policy.version}
            self.insert("policies", [{**row, "document": policy.document, "settings": dict(policy.settings)}])
        return policy.policy_id

    def add_edges(self, edges: Sequence[tuple[str, str, str] | tuple[str, str, str, Mapping[str, Any] | None]]) -> None:
        """Record edges (subject, relation, object[, detail]), each once."""
        rows: dict[tuple[str, str, str], Mapping[str, Any]] = {}
        for subject, relation, target, *detail in edges:
            row = {"subject": subject, "relation": relation, "object": target, "detail": detail[0] if detail else None}
            rows.setdefault((subject, relation, target), row)
        if rows:
            self._append("edges", list(rows.values()), self._types("edges"), key=("subject", "relation", "object"))

    def execute(self, sql: str, parameters: Sequence[Any] | None = None) -> duckdb.DuckDBPyConnection:
        """Run SQL on the next catalogue."""
        self.flush()
        return self.connection.execute(sql, parameters)


class Store:
    """A store's folder. Opening one is cheap; every read sees the snapshot that is current then.

    One that an older program made is brought to this program's version first; its catalogue is kept in ``backup/``.

    Args:
        path: Folder of an existing store.

    Raises:
        StoreError: If there is none, it is damaged, or a newer program wrote it.
    """

    def __init__(self, path: str | Path = "provenance-store") -> None:
        self.root = layout.at_home(path).resolve()
        self._mended: list[str] = []
        self._kept: Kept | None = None
        with self.read() as connection:
            older = catalogue.version(connection) < SCHEMA_VERSION
        if older:
            upgrade(self.root, LOCK_TIMEOUT)

    @classmethod
    def open(cls, path: str | Path = "provenance-store") -> Store:
        """Open an existing store."""
        return cls(path)

    @classmethod
    def create(cls, path: str | Path = "provenance-store") -> Store:
        """Make an empty store, or open the one that is there.

        Raises:
            StoreError: If the folder holds something else, or can't be written.
        """
        root = layout.at_home(path).resolve()
        with layout.refusals(root):
            if (root / layout.CURRENT).exists():
                return cls(root)
            if root.exists() and not root.is_dir():
                raise StoreError(
                    "A file stands where the store should be", place=str(root), next_step="Name another folder"
                )
            begun = (root / layout.WRITERS_LOCK).exists()  # by another process, or one that was killed
            if root.is_dir() and not begun and any(root.iterdir()):
                raise StoreError(
                    "This folder is not empty and not a store", place=str(root), next_step="Name a new or empty folder"
                )
            layout.make_folder(root)
            with locks.writers_lock(root, LOCK_TIMEOUT):
                if not (root / layout.CURRENT).exists():
                    if any(int(path.stem) > 1 for path in layout.catalogues(root)):
                        layout.read_pointer(root)  # says that it is lost: an empty store in its place would hide all
                    layout.make_folders(root)
                    publish.first_catalogue(root)
        return cls(root)

    @classmethod
    def open_or_create(cls, path: str | Path = "provenance-store") -> Store:
        """Open the store at a path, made first if there is none."""
        return cls.create(path)

    @classmethod
    def recover(cls, path: str | Path) -> Store:
        """Open a store, after pointing it at the newest sound catalogue if ``CURRENT`` was lost or names none."""
        root = layout.at_home(path).resolve()
        mended: list[str] = []
        with layout.refusals(root):
            if (root / layout.CATALOGUES).is_dir():
                with locks.writers_lock(root, LOCK_TIMEOUT):
                    mended = recover(root)
        store = cls(root)
        store._mended = mended
        return store

    @property
    def current(self) -> Path:
        """The catalogue file that is current now; any DuckDB can open it read-only."""
        return layout.read_pointer(self.root)

    @contextlib.contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the current snapshot, read-only, for the ``with`` block.

        Raises:
            StoreError: If a query in the block meets a damaged part; it names the file.
        """
        connection = self._connect()
        try:
            yield connection
        except duckdb.Error as error:
            raise (damaged(self.root, connection, error) or error) from error
        finally:
            connection.close()

    def sql(self, query: str, parameters: Sequence[Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Ask the current snapshot. The relation keeps the snapshot open until it is dropped.

        Args:
            query: One SELECT.
            parameters: Values for ``?`` or ``$1``.
        """
        return self._connect().sql(query, params=list(parameters) if parameters is not None else None)

    def _connect(self) -> duckdb.DuckDBPyConnection:
        for _ in range(100):
            path = layout.read_pointer(self.root)
            try:
                if not layout.is_ours(self.root, path):  # it may be a stranger's: nothing is asked of it before
                    audit(path)
                connection = catalogue.connect(path, read_only=True)
            except FileNotFoundError:  # retired between reading the pointer and opening: read it again
                if layout.read_pointer(self.root) == path and not path.exists():
                    break
                continue
            try:
                catalogue.locate(connection, self.root)
            except duckdb.Error as error:
                connection.close()
                raise publish.refused(error, self.root) from error
            except StoreError:
                connection.close()
                raise
            if self._kept is not None:
                self._kept.keep(path)
            return connection
        raise StoreError(
            "The catalogue that CURRENT names is missing",
            place=str(path),
            next_step="Run `provenance verify --repair`",
        )

    @contextlib.contextmanager
    def commit(self, note: str, timeout: float = LOCK_TIMEOUT) -> Iterator[Commit]:
        """Publish a change: what is done in the ``with`` block becomes the next snapshot.

        Waits for other commits. If the block raises, or the process dies anywhere, the store is as it was.

        Args:
            note: What the commit is for, kept in the table ``commits``.
            timeout: Seconds to wait for another commit.

        Raises:
            StoreError: If the lock is not to be had in time, or the store can't be written.
        """
        with layout.refusals(self.root), locks.writers_lock(self.root, timeout):
            with publish.next_catalogue(self.root) as (connection, number):
                there = catalogue.version(connection)
                if there != SCHEMA_VERSION:
                    raise StoreError(
                        f"The store was set back to version {there} meanwhile", next_step="Run the command again"
                    )
                commit = Commit(self.root, connection)
                yield commit
                commit.flush()
                commit.insert("commits", [{"number": number, "note": note}])
                catalogue.define(connection, self.root)
            retire(self.root)

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Hold while many questions are asked: a catalogue is then opened once for as long as it is current."""
        if self._kept is not None:
            yield
            return
        self._kept = Kept()
        try:
            yield
        finally:
            kept, self._kept = self._kept, None
            kept.close()

    def session(self) -> contextlib.AbstractContextManager[None]:
        """Hold while parts or segments are written that a later commit will publish, so that no repair sweeps them."""
        return locks.session(self.root)

    def claim(self, name: str) -> contextlib.AbstractContextManager[bool]:
        """Hold while doing what only one process may do at a time, such as a scan of one id; says whether it is had."""
        return locks.claim(self.root, name)

    def verify(self, repair: bool = False) -> VerifyReport:
        """Recount and re-read everything; with ``repair``, sweep files that no catalogue names."""
        with self.read() as connection:
            report = verify(self.root, connection, repair=repair)
        report.mended, self._mended = self._mended, []
        return report

    def status(self) -> dict[str, Any]:
        """Return the number of the current catalogue, the store's size in bytes, and rows and parts by kind."""
        with self.read() as connection:
            kinds = connection.execute(
                "select kind, sum(rows)::bigint, count(*), sum(bytes)::bigint from parts where withdrawn_at is null "
                "group by kind order by kind"
            ).fetchall()
        size = sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
        return {
            "catalogue": self.current.stem,
            "bytes": size,
            "rows": {kind: rows for kind, rows, _, _ in kinds},
            "parts": {kind: parts for kind, _, parts, _ in kinds},
        }
