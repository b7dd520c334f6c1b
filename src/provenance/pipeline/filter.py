"""Filter: write the records whose tag is kept, and beside them a list of the dropped ones with the reason.

Rows are copied from their sources: a Parquet or JSONL dataset keeps its own columns, order and types; from
a crawl come ``id, url, date, text, language``. Output files appear whole or not at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from provenance.errors import LineageError, SourceError, UsageError
from provenance.lineage import seal_dataset
from provenance.pipeline import catalogue, sinks
from provenance.pipeline.dedup import ensure_clusters
from provenance.pipeline.reread import refuse_if_changed
from provenance.pipeline.results import FilterResult
from provenance.pipeline.scan import scan
from provenance.pipeline.tags import scan_policy, tagged
from provenance.readers import TABLES, ReadOptions, Source, crawl_rows, jsonl_lines, own_tables
from provenance.schema import TAGS
from provenance.store import Store
from provenance.text.repair import repair

if TYPE_CHECKING:
    import duckdb

Progress = Callable[[int, int, int], None]
_Positions = npt.NDArray[np.int64]

_TAG_COLUMNS: Final = ("record_id", "tag", "reason", "score")
_LINES: Final = 8192


def filter_records(
    what: str | Path | Sequence[str | Path],
    *,
    keep: Collection[str] = ("human",),
    out: str | Path,
    dataset: str | None = None,
    with_tags: bool = False,
    dedup: bool = False,
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
        dedup: Of near-duplicates keep one: of each cluster the first, in the order in which `dedup` puts them, whose
            tag is kept. Clusters are made first if they are not there, or not those of the scan as it is now.
        policy: Policy to filter under; the scan's current one if left out.
        jobs: Worker processes, where paths are to be scanned or texts compared.
        store: Folder of the store.
        progress: Called with (bytes done, bytes in all, records so far).

    Raises:
        UsageError: On an unknown scan or tag, a scan that has not ended, an output that doesn't fit the sources or
            would overwrite one, or a source that has changed since it was scanned.
        LineageError: If the dataset is recorded already with other members; nothing is written then.
    """
    unknown = sorted(set(keep) - set(TAGS))
    if unknown or not keep:
        raise UsageError(f"{unknown[0] if unknown else ''!r} is no tag", next_step=f"The tags are {', '.join(TAGS)}")
    target = Path(out)
    form = sinks.form_of(target)
    scan_id = _scan_id(what, store, jobs, progress)
    opened = Store.open(store)
    with opened.keeping():
        scan_row = catalogue.scan_row(opened, scan_id) or {}
        if scan_row.get("state") == "running":
            raise UsageError(
                f"The scan {scan_row['name']!r} has not ended, so a filtered file would not hold all of its records",
                place=str(opened.root),
                next_step="Wait for it; if it was interrupted, run the same `provenance scan` again to go on",
            )
        sources = catalogue.sources(opened, scan_id)
        catalogue.refuse_to_overwrite(opened, target, _dropped_path(target, form))
        for source in sources:
            refuse_if_changed(source)
        options = ReadOptions(**catalogue.read_options(scan_row))
        judged_by = scan_policy(opened, scan_id, policy)
        if dedup:
            ensure_clusters(opened, scan_id, jobs, progress)
        with opened.session(), tagged(opened, scan_id, judged_by) as connection:
            # Of a source that broke off, some records may have been observed; it can't be copied from.
            read = [source["source_id"] for source in sources]
            connection.execute("delete from tagged where not list_contains($1, source_id)", [read])
            connection.execute("alter table tagged add column keep boolean")
            connection.execute("update tagged set keep = list_contains($1, tag)", [sorted(keep)])
            connection.execute("alter table tagged add column copy_of varchar")
            if dedup:
                connection.execute(_sql("copies"), [scan_id])
            members = connection.sql("select distinct record_id from tagged where keep order by 1").to_arrow_table()
            if dataset is not None:
                _refuse_if_sealed(connection, dataset)
            rows = kept_rows(connection, sources, options, form, with_tags, progress)
            kept = sinks.write(target, form, rows)
            dropped_list = _write_dropped(connection, _dropped_path(target, form), form, sources)
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
        unread = [source for source in catalogue.tried_sources(opened, scan_id) if source["error"]]
        uris, errors = (tuple(str(source[name]) for source in unread) for name in ("uri", "error"))
        return FilterResult(str(target), dropped_list, kept, sum(dropped.values()), dropped, node, uris, errors)


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _scan_id(
    what: str | Path | Sequence[str | Path], store: str | Path, jobs: int | None, progress: Progress | None
) -> str:
    if isinstance(what, str) and catalogue.exists(Path(store)):
        opened = Store.open(store)
        # A scan goes before a file of its name: what is written must not hang on where the command is run.
        if not Path(what).exists() or catalogue.rows(opened, "select 1 from scans where $1 in (scan_id, name)", [what]):
            return str(catalogue.find_scan(opened, what)["scan_id"])
    return scan(what, store=store, jobs=jobs, progress=progress).scan_id


def _refuse_if_sealed(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Raise before anything is written: else the file would no longer be the dataset that bears its name."""
    node = dataset if dataset.startswith("dataset:") else f"dataset:{dataset}"
    differing = connection.execute(
        "select count(*) from (select record_id from tagged where keep) as kept "
        "full join (select record_id from dataset_records where dataset_id = $1) as known using (record_id) "
        "where kept.record_id is null or known.record_id is null "
        "having exists (select 1 from datasets where dataset_id = $1)",
        [node],
    ).fetchall()
    if differing and differing[0][0]:
        raise LineageError(
            "The dataset is sealed with other members", place=node, next_step="Give it another name with --dataset"
        )


def _dropped_path(target: Path, form: sinks.Form) -> Path:
    return target.with_name(target.name.removesuffix(form.suffix) + f".dropped{form.suffix}")


def _plain_name(target: Path) -> str:
    return target.name.split(".")[0] or "filtered"


def _digest(members: pa.ChunkedArray) -> str:
    digest = xxhash.xxh3_64()
    for record_id in members.to_pylist():
        digest.update(record_id.encode())
    return digest.hexdigest()


def kept_rows(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[dict[str, Any]],
    options: ReadOptions,
    form: sinks.Form,
    with_tags: bool,
    progress: Progress | None,
) -> Iterator[sinks.Rows]:
    """Yield the kept rows of every source, in the order of the sources' URIs and of the rows in them."""
    containers = {str(source["format"]).split(".")[0] for source in sources}
    lines, tables = containers <= {"jsonl", "json"}, containers <= TABLES
    if sources and lines and form.container == "parquet":
        raise UsageError(
            "A JSONL source keeps its own fields, which need not fit one table",
            next_step="Give --out a name that ends in .jsonl, .jsonl.gz or .jsonl.zst",
        )
    copy = _copy_lines if lines else _copy_tables if tables else _copy_records
    total, done, count = sum(source["bytes"] for source in sources), 0, 0
    for source in sources:
        tags = connection.sql(
            "select position, record_id, tag, reason, score, language from tagged "
            "where keep and source_id = ? order by position",
            params=[source["source_id"]],
        ).to_arrow_table()
        wanted = tags.column("position").to_numpy()
        copied = 0
        for positions, rows in copy(Source(source["location"], source["uri"], source["bytes"]), options, wanted):
            # Rows of a damaged crawl file need not come in the order of their positions.
            here = tags.take(pa.array(np.searchsorted(wanted, positions)))
            copied += len(rows)
            count += len(rows)
            if copy is _copy_records and isinstance(rows, pa.Table):
                rows = rows.append_column("language", here.column("language"))
            yield sinks.with_tags(rows, here.select(_TAG_COLUMNS)) if with_tags else rows
            if progress is not None:
                progress(done, total, count)
        if copied != len(wanted):
            raise SourceError(
                f"The source gave {copied} of the {len(wanted)} records that were to be copied",
                place=source["location"],
                next_step="Scan it again",
            )
        done += source["bytes"]


def _copy_tables(source: Source, options: ReadOptions, wanted: _Positions) -> Iterator[tuple[_Positions, pa.Table]]:
    schema, tables = own_tables(source, options, wanted)
    yield wanted[:0], schema.empty_table()
    yield from tables


def _copy_lines(source: Source, options: ReadOptions, wanted: _Positions) -> Iterator[tuple[_Positions, list[bytes]]]:
    lines = jsonl_lines(source, options, wanted)
    while chunk := list(itertools.islice(lines, _LINES)):
        yield np.array([position for position, _ in chunk], np.int64), [line for _, line in chunk]


def _copy_records(source: Source, options: ReadOptions, wanted: _Positions) -> Iterator[tuple[_Positions, pa.Table]]:
    for batch in crawl_rows(source, options, wanted):
        columns = {
            "id": batch.column("own_id"),
            "url": batch.column("url"),
            "date": batch.column("captured_at"),
            "text": repair(batch.column("raw")),
        }
        yield batch.column("position").to_numpy(), pa.table(columns)


def _write_dropped(
    connection: duckdb.DuckDBPyConnection, path: Path, form: sinks.Form, sources: Sequence[dict[str, Any]]
) -> str:
    uris = pa.table({"source_id": [s["source_id"] for s in sources], "uri": [s["uri"] for s in sources]})
    connection.register("source_uris", uris)
    reader: pa.RecordBatchReader = connection.sql(
        "select record_id, uri, position, url, tag, coalesce('duplicate of ' || copy_of, reason) as reason "
        "from tagged join source_uris using (source_id) where not keep order by uri, position"
    ).to_arrow_reader(_LINES)
    sinks.write(path, form, (pa.Table.from_batches([batch]) for batch in reader), reader.schema)
    return str(path)


def _dropped_by_reason(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], int]:
    found = connection.execute(
        "select tag, if(copy_of is null, reason, 'duplicate') as why, count(*) from tagged where not keep "
        "group by all order by count(*) desc, tag, why"
    ).fetchall()
    return {(tag, reason): count for tag, reason, count in found}
