"""Where filtered rows go: Parquet or JSONL files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import gzip
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias, cast

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.errors import UsageError

Rows: TypeAlias = pa.Table | list[bytes]
"""Some rows: a table, or JSON lines as they stood in their source."""

_SUFFIXES: Final = {
    ".parquet": ("parquet", None),
    ".jsonl": ("jsonl", None),
    ".jsonl.gz": ("jsonl", "gzip"),
    ".jsonl.zst": ("jsonl", "zstd"),
}


@dataclass(frozen=True)
class Form:
    """How a file is written."""

    container: Literal["parquet", "jsonl"]
    compression: Literal["gzip", "zstd"] | None
    suffix: str


def form_of(path: Path, also: Sequence[str] = ()) -> Form:
    """Return the form that a file's name asks for; the caller writes the endings in ``also`` itself.

    Raises:
        UsageError: If the name has none of the known endings.
    """
    for suffix, (container, compression) in _SUFFIXES.items():
        if path.name.endswith(suffix):
            return Form(cast("Any", container), cast("Any", compression), suffix)
    raise UsageError(
        "The output's name does not say what to write",
        place=str(path),
        next_step=f"Let it end in one of {', '.join((*_SUFFIXES, *also))}",
    )


def unfinished(path: Path) -> Path:
    """Return where to write what becomes ``path``; what killed processes of this machine left goes."""
    machine = "".join(letter if letter.isalnum() else "-" for letter in platform.node())
    for left in path.parent.glob(f".{glob.escape(path.name)}.{machine}.*.partial"):
        if os.name == "nt":  # asking for a process there ends it
            break
        with contextlib.suppress(ValueError, OSError):
            if not _runs(int(left.suffixes[-2][1:])):
                left.unlink()
    return path.with_name(f".{path.name}.{machine}.{os.getpid()}.partial")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def write(path: Path, form: Form, chunks: Iterable[Rows], empty: pa.Schema | None = None) -> int:
    """Write rows to a file and return how many.

    Args:
        path: The file. What stood there is replaced when all rows are written.
        form: From `form_of`.
        chunks: The rows, in order.
        empty: Columns of a Parquet file that gets no row.

    Raises:
        UsageError: If the folder can't be written, or rows of different columns meet in one Parquet file.
    """
    waiting = unfinished(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = (_write_parquet if form.container == "parquet" else _write_jsonl)(waiting, form, chunks, empty)
            force(waiting)
            waiting.replace(path)
            force(path.parent)
        finally:
            with contextlib.suppress(OSError):
                waiting.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"The output can't be written: {error.strerror or error}",
            place=str(path),
            next_step="Name another place with --out, or make room",
        ) from error
    return count


def force(path: Path) -> None:
    """Force a file's bytes, or a folder's entries, to the disk, so that what was written survives a power cut."""
    if path.is_dir() and os.name == "nt":  # a folder can't be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_parquet(path: Path, _: Form, chunks: Iterable[Rows], empty: pa.Schema | None) -> int:
    count, schema, writer = 0, None, None
    # While rows are compressed, the next ones are read.
    with ThreadPoolExecutor(1) as beside:
        writing: Future[None] | None = None
        try:
            for rows in chunks:
                if not isinstance(rows, pa.Table):
                    raise TypeError("JSON lines can't be written to Parquet")
                if writer is None or schema is None:
                    schema = rows.schema
                    writer = pq.ParquetWriter(path, schema, compression="zstd")
                if not rows.schema.equals(schema):
                    raise UsageError(
                        "The sources have different columns and can't share one Parquet file",
                        next_step="Filter them one by one, or give --out a name that ends in .jsonl",
                    )
                if writing is not None:
                    writing.result()
                writing = beside.submit(writer.write_table, rows)
                count += rows.num_rows
            if writer is None:
                pq.write_table((empty or pa.schema([])).empty_table(), path)
        finally:
            try:
                if writing is not None:
                    writing.result()
            finally:
                if writer is not None:
                    writer.close()
    return count


def _write_jsonl(path: Path, form: Form, chunks: Iterable[Rows], _: pa.Schema | None) -> int:
    count = 0
    with _open(path, form) as stream:
        for rows in chunks:
            lines = table_lines(rows) if isinstance(rows, pa.Table) else rows
            for line in lines:
                stream.write(line.rstrip(b"\r\n") + b"\n")
            count += len(rows)
    return count


def table_lines(table: pa.Table) -> list[bytes]:
    """Return the rows of a table as JSON lines; what JSON can't say (times, bytes) is said as text."""
    for place, field in enumerate(table.schema):
        # Python's times end at microseconds: finer ones are said as text, in full.
        if pa.types.is_temporal(field.type) and getattr(field.type, "unit", "") == "ns":
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return [_json_line(row) for row in table.to_pylist()]


def _json_line(row: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(row, ensure_ascii=False, default=_as_text, allow_nan=False)
    except ValueError:  # JSON has no NaN and no infinity
        text = json.dumps(_finite(row), ensure_ascii=False, default=_as_text)
    return text.encode()


def _as_text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextlib.contextmanager
def _open(path: Path, form: Form) -> Iterator[IO[bytes]]:
    if form.compression == "zstd":
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            yield cast("IO[bytes]", stream)
    elif form.compression == "gzip":
        # No name and no time in the header: the same rows give the same bytes.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream:
            yield cast("IO[bytes]", stream)
    else:
        with path.open("wb") as plain:
            yield plain


def with_tags(rows: Rows, tags: pa.Table) -> Rows:
    """Add the columns of ``tags`` to as many rows, in order.

    Raises:
        UsageError: If the rows have a column of such a name already: the user's own values must not be lost.
    """
    if isinstance(rows, pa.Table):
        _refuse_own(set(rows.column_names) & set(tags.column_names))
        for name in tags.column_names:
            rows = rows.append_column(name, tags.column(name))
        return rows
    tagged = []
    for line, extra in zip(rows, tags.to_pylist(), strict=True):
        own = json.loads(line)
        _refuse_own(set(own) & set(extra))
        tagged.append(_encoded({**own, **extra}))
    return tagged


def _encoded(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can name and UTF-8 can't
        return json.dumps(row).encode()


def _refuse_own(shared: set[str]) -> None:
    if shared:
        raise UsageError(
            f"The rows have a column {sorted(shared)[0]!r} of their own, which the tags would replace",
            next_step="Leave out --with-tags (`provenance sql` has the tags), or rename the column",
        )
