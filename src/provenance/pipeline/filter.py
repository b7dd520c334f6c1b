"""Filter: write the records whose tag is kept, and beside them a list of the dropped ones with the reason.

Rows are copied from their sources: a Parquet or JSONL dataset keeps its own columns, order and types; from
a crawl come ``id, url, date, text, language``. Output files appear whole or not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import xxhash

from provenance.errors import SourceError, UsageError
from provenance.lineage import seal_dataset
from provenance.pipeline import catalogue, sinks
from provenance.pipeline.rematch import is_unchanged
from provenance.pipeline.results import FilterResult
from provenance.pipeline.scan import scan
from provenance.pipeline.tags import scan_policy, tagged
from provenance.readers import ReadOptions, Source, crawl_rows, jsonl_lines, parquet_tables
from provenance.schema import TAGS
from provenance.store import Store

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[int, int, int], None]

_TAG_COLUMNS: Final = ("record_id", "tag", "reason", "score")
_LINES: Final = 8192


def filter_records(
    what: str | Path | Sequence[str | Path],
    *,
    keep: Collection[str] = ("human",),
    out: str | Path,
    dataset: str | None = None,
    with_tags: bool = False,
    policy: str | None = None,
    jobs: int | None = None,
    store: str | Path = "provenance-store",
    progress: Progress | None = None,
) -> FilterResult:
    """Write the records whose tag is kept.

    Args:
        what: Name or id of a scan, or paths, which are scanned first (a finished scan is not repeated).
        keep: Tags to keep.
        out: A Parquet (``.parquet``) or JSONL (``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``) file.
        dataset: Name under which the result is recorded as a dataset; made of the file's name and a digest of its
            members if left out.
        with_tags: Add the columns ``record_id``, ``tag``, ``reason`` and ``score``.
        policy: Policy to filter under; the scan's current one if left out.
        jobs: Worker processes, where paths are to be scanned.
        store: Folder of the store.
        progress: Called with (bytes done, bytes in all, records so far).

    Raises:
        UsageError: On an unknown scan or tag, an output that doesn't fit the sources, or a source that has changed
            since it was scanned.
    """
    unknown = sorted(set(keep) - set(TAGS))
    if unknown or not keep:
        raise UsageError(f"{unknown[0] if unknown else ''!r} is no tag", next_step=f"The tags are {', '.join(TAGS)}")
    target = Path(out)
    form = sinks.form_of(target)
    scan_id = _scan_id(what, store, jobs, progress)
    opened = Store.open(store)
    scan_row = catalogue.scan_row(opened, scan_id) or {}
    sources = catalogue.sources(opened, scan_id)
    for source in sources:
        if not is_unchanged(source):
            raise UsageError(
                "A source is gone or has changed since it was scanned",
                place=source["location"],
                next_step="Put it back, or scan it again",
            )
    options = ReadOptions(**catalogue.read_options(scan_row))
    judged_by = scan_policy(opened, scan_id, policy)
    with opened.session(), tagged(opened, scan_id, judged_by) as connection:
        connection.execute("alter table tagged add column keep boolean")
        connection.execute("update tagged set keep = list_contains($1, tag)", [sorted(keep)])
        rows = _kept_rows(connection, sources, options, form, with_tags, progress)
        kept = sinks.write(target, form, rows)
        dropped_list = _write_dropped(connection, target, form, sources)
        members = connection.sql("select record_id from tagged where keep order by record_id").to_arrow_table()
        dropped = _dropped_by_reason(connection)
    members = members.column("record_id")
    node = seal_dataset(
        opened,
        dataset or _plain_name(target),
        members,
        derived_from=[scan_id],
        location=str(target.resolve()),
        version=None if dataset else _digest(members),
    )
    return FilterResult(str(target), dropped_list, kept, sum(dropped.values()), dropped, node)


def _scan_id(
    what: str | Path | Sequence[str | Path], store: str | Path, jobs: int | None, progress: Progress | None
) -> str:
    if isinstance(what, str) and catalogue.exists(Path(store)) and not Path(what).exists():
        return str(catalogue.find_scan(Store.open(store), what)["scan_id"])
    return scan(what, store=store, jobs=jobs, progress=progress).scan_id


def _plain_name(target: Path) -> str:
    return target.name.split(".")[0] or "filtered"


def _digest(members: pa.ChunkedArray) -> str:
    digest = xxhash.xxh3_64()
    for record_id in members.to_pylist():
        digest.update(record_id.encode())
    return digest.hexdigest()


def _kept_rows(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[dict[str, Any]],
    options: ReadOptions,
    form: sinks.Form,
    with_tags: bool,
    progress: Progress | None,
) -> Iterator[sinks.Rows]:
    """Yield the kept rows of every source, in the order of the sources' URIs and of the rows in them."""
    containers = {str(source["format"]).split(".")[0] for source in sources}
    if containers == {"jsonl"} and form.container == "parquet":
        raise UsageError(
            "A JSONL source keeps its own fields, which need not fit one table",
            next_step="Give --out a name that ends in .jsonl, .jsonl.gz or .jsonl.zst",
        )
    own = containers in ({"jsonl"}, {"parquet"})
    total, done, count = sum(source["bytes"] for source in sources), 0, 0
    for source in sources:
        tags = connection.sql(
            "select position, record_id, tag, reason, score, language from tagged "
            "where keep and source_id = ? order by position",
            params=[source["source_id"]],
        ).to_arrow_table()
        copied = 0
        for rows in _copy(source, options, tags, own=own):
            here = tags.slice(copied, len(rows))
            copied += len(rows)
            count += len(rows)
            yield sinks.with_tags(rows, here.select(_TAG_COLUMNS)) if with_tags else rows
            if progress is not None:
                progress(done, total, count)
        if copied != tags.num_rows:
            raise SourceError(
                f"The source gave {copied} of the {tags.num_rows} records that were to be copied",
                place=source["location"],
                next_step="Scan it again",
            )
        done += source["bytes"]


def _copy(source: dict[str, Any], options: ReadOptions, tags: pa.Table, *, own: bool) -> Iterator[sinks.Rows]:
    """Yield the rows of one source at the positions of ``tags``, in order."""
    positions = tags.column("position").to_numpy()
    opened = Source(source["location"], source["uri"], source["bytes"])
    if own and str(source["format"]).startswith("parquet"):
        schema, tables = parquet_tables(opened, options, positions)
        yield schema.empty_table()
        yield from (table for _, table in tables)
    elif own:
        yield from _chunks((line for _, line in jsonl_lines(opened, options, positions)), _LINES)
    else:
        languages = dict(zip(positions.tolist(), tags.column("language").to_pylist(), strict=True))
        for batch in crawl_rows(opened, options, positions):
            yield pa.table(
                {
                    "id": batch.column("own_id"),
                    "url": batch.column("url"),
                    "date": batch.column("captured_at"),
                    "text": batch.column("raw"),
                    "language": pa.array([languages[at] for at in batch.column("position").to_pylist()], pa.string()),
                }
            )


def _chunks(lines: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    iterator = iter(lines)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _write_dropped(
    connection: duckdb.DuckDBPyConnection, target: Path, form: sinks.Form, sources: Sequence[dict[str, Any]]
) -> str:
    uris = pa.table({"source_id": [s["source_id"] for s in sources], "uri": [s["uri"] for s in sources]})
    connection.register("source_uris", uris)
    reader: pa.RecordBatchReader = connection.sql(
        "select record_id, uri, position, url, tag, reason from tagged join source_uris using (source_id) "
        "where not keep order by uri, position"
    ).to_arrow_reader(_LINES)
    path = target.with_name(target.name.removesuffix(form.suffix) + f".dropped{form.suffix}")
    sinks.write(path, form, (pa.Table.from_batches([batch]) for batch in reader), reader.schema)
    return str(path)


def _dropped_by_reason(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    found = connection.execute(
        "select tag, reason, count(*) from tagged where not keep group by all order by count(*) desc, tag, reason"
    ).fetchall()
    return {(tag, reason): count for tag, reason, count in found}
