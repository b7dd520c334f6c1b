"""The process behind the SQL door: it answers one query over one store, and can reach nothing else.

Run as a program by `provenance.store.door`: the request comes as one line of JSON on stdin, rows go to stdout as an
Arrow stream, and what went wrong goes to stderr as one line of JSON. Before the query is looked at, the process gives
up what it does not need: other files, DuckDB's settings, memory, processor time and file sizes beyond the limits.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import duckdb
import pyarrow as pa

from provenance.errors import ProvenanceError, StoreError, UsageError
from provenance.store import layout
from provenance.store.screen import HINT, Screen, hint
from provenance.store.store import Store

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ROWS_AT_ONCE: Final = 8192
MESSAGE_BYTES: Final = 64 << 20
"""Rows are sent on in pieces of at most so many bytes; one row that is larger is refused."""

_ERROR_CHARACTERS: Final = 4000
_BESIDE: Final = 256 << 20
"""Bytes for what DuckDB does not count, such as stacks, beside a quarter of the memory that it may use."""

_TABLES_ASKED: Final = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)

# What tells where the store is. The views over parts are not made of these columns; `main` is the catalogue's own.
_SHADOWS: Final = (
    "create temp view store_meta as select * from {main}.store_meta where key <> 'root'",
    "create temp view sources as select * replace (null::varchar as location) from {main}.sources",
    "create temp view datasets as select * replace (null::varchar as location) from {main}.datasets",
)


def main() -> int:
    """Answer the request on stdin; returns the exit code."""
    request = json.loads(sys.stdin.readline())
    out = _take_stdout()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        _limit(request)
        _answer(request, out)
    except ProvenanceError as error:
        place = f" ({error.place})" if error.place else ""
        return _say(request, error.cause + place, error.next_step)
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError, RecursionError) as error:
        # While rows are fetched, Arrow tells DuckDB's errors as its own, or as the system's.
        text = str(error)
        memory = isinstance(error, MemoryError | duckdb.OutOfMemoryException) or "Out of Memory Error" in text
        return _say(request, text, hint(error), memory=memory, disk="max_temp_directory_size" in text)
    return 0


def _take_stdout() -> IO[bytes]:
    """Return stdout as a file that only rows go to: a library that prints, such as a progress bar, prints nowhere."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return out


def _say(request: Mapping[str, Any], cause: str, next_step: str, *, memory: bool = False, disk: bool = False) -> int:
    said = {"cause": without_paths(cause, request), "next_step": next_step, "memory": memory, "disk": disk}
    sys.stderr.write(json.dumps(said) + "\n")
    sys.stderr.flush()
    return 1


def without_paths(text: str, request: Mapping[str, Any]) -> str:
    """Return an error's text without what tells where on this machine things are."""
    for path, name in ((request["temporary"], "<temporary>"), (request["root"], "<store>")):
        text = text.replace(path, name)
    return text.expandtabs(4)[:_ERROR_CHARACTERS].rstrip()


def _end_with(parent: int) -> None:
    """End this process when the one that asked is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _limit(request: dict[str, Any]) -> None:
    """Let the kernel stop what DuckDB does not count: strings, lists and stacks, and a query whose asker is gone."""
    if resource is None:
        return
    cores = os.cpu_count() or 1
    wanted = {
        "RLIMIT_DATA": _allocated() + request["memory"] + request["memory"] // 4 + _BESIDE,
        "RLIMIT_CPU": int(request["timeout"] * cores) + 10,
        "RLIMIT_FSIZE": request["temp"],
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        with contextlib.suppress(ValueError, OSError):  # a lower limit may be set already
            resource.setrlimit(getattr(resource, name), (value, value))


def _allocated() -> int:
    """Return the bytes that this process has for data already."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 1 << 30


def _answer(request: dict[str, Any], out: IO[bytes]) -> None:
    root = Path(request["root"])
    with Store.open(root).read() as connection:
        relation = rows(connection, lock(connection, root, request), request["query"])
        if relation is not None:
            _send(relation.to_arrow_reader(ROWS_AT_ONCE), out)


def rows(connection: duckdb.DuckDBPyConnection, screen: Screen, query: str) -> duckdb.DuckDBPyRelation | None:
    """Return the answer to a query on a locked connection, each column under a name of its own; None to no question."""
    if not screen.check(query):
        return None
    if _TABLES_ASKED.fullmatch(query):  # what shadows a table has its name
        query = "select distinct name from (show tables) order by name"
    relation = connection.sql(query)
    if relation is None:
        raise UsageError("Only one SELECT at a time is answered here: the store is read-only", next_step=HINT)
    if len(set(relation.columns)) == len(relation.columns):
        return relation
    # A row as JSON would lose all but the last value of a name.
    names = (f"#{place + 1} as {_quoted(name)}" for place, name in _told_apart(relation.columns))
    return relation.project(", ".join(names))


def lock(connection: duckdb.DuckDBPyConnection, root: Path, request: Mapping[str, Any]) -> Screen:
    """Leave a connection the live parts of the store to read, and nothing to change; returns what queries may name."""
    catalogue = _quoted(str(connection.execute("select current_database()").fetchall()[0][0]))
    for shadow in _SHADOWS:
        connection.execute(shadow.format(main=f"{catalogue}.main"))
    screen = Screen(connection)
    for name, value in (
        ("memory_limit", f"{request['memory']}B"),
        ("temp_directory", request["temporary"]),
        ("max_temp_directory_size", f"{request['temp']}B"),
        ("allowed_paths", live_files(connection, root)),
    ):
        connection.execute(f"set {name} = $1", [value])
    for name in ("python_enable_replacements", "autoinstall_known_extensions", "autoload_known_extensions"):
        connection.execute(f"set {name} = false")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return screen


def live_files(connection: duckdb.DuckDBPyConnection, root: Path) -> list[str]:
    """Return the files that hold the store's rows now.

    Raises:
        StoreError: If one of them is not a file inside the store's own folder: a link, or a path that leads out.
    """
    paths = connection.execute(
        "select path from parts where withdrawn_at is null and rows > 0 order by path"
    ).fetchall()
    sound: set[Path] = {root}
    for (name,) in paths:
        layout.part_path(name)
        path = root / name
        for step in (path, *path.parents):
            if step in sound:
                break
            if step.is_symlink():
                raise StoreError(
                    "A part of the store is a link, which may lead anywhere",
                    place=str(step.relative_to(root)),
                    next_step="Put the file itself there; a whole store may stand behind a link",
                )
            sound.add(step)
    return [str(root / name) for (name,) in paths]


def _send(reader: pa.RecordBatchReader, out: IO[bytes]) -> None:
    with pa.ipc.new_stream(pa.PythonFile(out, "w"), reader.schema) as stream:
        for batch in reader:
            for piece in _pieces(batch):
                stream.write_batch(piece)
                out.flush()
    out.flush()


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut a batch so that nobody has to hold much of the answer at once."""
    waiting = [batch]
    while waiting:
        piece = waiting.pop()
        if piece.nbytes <= MESSAGE_BYTES:
            yield piece
        elif piece.num_rows > 1:
            half = piece.num_rows // 2
            waiting += [piece.slice(half), piece.slice(0, half)]
        else:
            raise UsageError(
                f"One row of the answer has {piece.nbytes:,} bytes; at most {MESSAGE_BYTES:,} are sent",
                next_step="Ask for a part of it, with `substr` or `list_slice`",
            )


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


if __name__ == "__main__":
    code = main()
    os._exit(code)  # DuckDB's threads may still be at work on what nobody waits for
