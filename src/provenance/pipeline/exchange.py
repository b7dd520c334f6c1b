"""Export and import: the lineage in the forms that other systems read, and theirs into the store."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provenance import bounded, lineage
from provenance.errors import LineageError, UsageError
from provenance.lineage.export.card import to_card
from provenance.lineage.export.croissant import to_croissant
from provenance.lineage.export.described import DataFile, DescribedDataset
from provenance.lineage.export.document import Graph
from provenance.lineage.export.openlineage import from_openlineage, to_openlineage
from provenance.lineage.export.prov import from_prov, to_prov
from provenance.lineage.export.stored import Imported, read_graph, write_graph
from provenance.pipeline import catalogue
from provenance.store import Store

if TYPE_CHECKING:
    import duckdb

GRAPHS: Final = ("prov", "openlineage")
DATASETS: Final = ("croissant", "card")
FORMATS: Final = (*GRAPHS, *DATASETS)
_MOST_BYTES: Final = 1 << 30
_BLOCK: Final = 1 << 20
_COUNTED: Final = 50


def export_lineage(
    form: str,
    node: str | None = None,
    *,
    url: str | None = None,
    licence: str | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Return the lineage, or what is known of a dataset, in another system's form.

    Args:
        form: Of the graph, ``prov`` (PROV-JSON) or ``openlineage`` (events as JSON lines); of a dataset, ``croissant``
            (JSON-LD) or ``card`` (a Hugging Face dataset card).
        node: Name or id of a node: only it and what it comes from and led to. For a dataset's forms, the dataset.
        url: Page of the dataset, for ``croissant``; where its file lies if left out.
        licence: Licence that the dataset's publisher gives it.
        store: Folder of the store.

    Raises:
        UsageError: If there is no such form, or no dataset was named.
        LineageError: If there is no such node.
    """
    if form not in FORMATS:
        raise UsageError(f"There is no form {form!r}", next_step=f"The forms are {', '.join(FORMATS)}")
    opened = Store.open(store)
    if form in DATASETS:
        if node is None:
            raise UsageError(f"The form {form!r} is one dataset's", next_step="Name the dataset")
        dataset = describe_dataset(opened, node)
        if form == "card":
            return to_card(dataset, licence=licence)
        page = url or (dataset.files[0].name if dataset.files else f"urn:provenance:{dataset.name}")
        return _json(to_croissant(dataset, url=page, licence=licence))
    nodes = None
    if node is not None:
        found = lineage.trace(opened, node)
        nodes = [lineage.resolve(opened, node), *(row["id"] for rows in found.values() for row in rows)]
    graph = read_graph(opened, nodes)
    if form == "prov":
        return _json(to_prov(graph))
    ((last,),) = opened.sql("select max(recorded_at) from commits").fetchall()
    events = to_openlineage(
        graph, event_time=last.replace(tzinfo=dt.UTC).isoformat(), producer=f"urn:provenance:{version('provenance')}"
    )
    return "".join(json.dumps(event, ensure_ascii=False, sort_keys=True) + "\n" for event in events)


def write_text(path: str | Path, text: str, *, store: str | Path) -> None:
    """Write a text into a file, whole or not at all.

    Raises:
        UsageError: If it can't be written, or is a source of a scan in the store.
    """
    target = Path(path)
    catalogue.refuse_to_overwrite(Store.open(store), target)
    waiting = target.with_name(f".{target.name}.partial")
    try:
        waiting.write_text(text, encoding="utf-8")
        waiting.replace(target)
    except OSError as error:
        waiting.unlink(missing_ok=True)
        raise UsageError(
            f"The file can't be written: {error.strerror or error}",
            place=str(target),
            next_step="Name a file in a folder that is there and may be written",
        ) from error


def import_lineage(path: str | Path, *, store: str | Path = "provenance-store") -> Imported:
    """Add a PROV-JSON document or OpenLineage events (JSON lines, or an array) to the store's graph.

    Which of the two it is shows in the file. What is known already stays as it is.

    Raises:
        UsageError: If the file can't be read.
        LineageError: If it is neither, or would make models or datasets come from themselves.
    """
    source = Path(path)
    return write_graph(Store.open_or_create(store), _read(source), f"import {source.name}")


def describe_dataset(store: Store, name: str) -> DescribedDataset:
    """Return what the store knows of a dataset and its records.

    Raises:
        LineageError: If there is no such dataset.
    """
    node = lineage.resolve(store, name, ("dataset",))
    known = catalogue.rows(
        store,
        "select * from datasets where dataset_id = ? order by recorded_at desc, rowid desc limit 1",
        [node],
    )
    row: dict[str, Any] = (
        known[0] if known else {"name": node, "version": None, "digest": None, "sealed_at": None, "location": None}
    )
    query = resources.files(__package__).joinpath("describe.sql").read_text(encoding="utf-8")
    origins = [
        (str(found["relation"]), str(found["kind"]), str(found["name"]))
        for found in lineage.trace(store, node, "up")["ancestors"]
        if found["distance"] == 1
    ]
    with store.read() as connection:
        connection.execute(query, [node])
        ((records, words, opt_out),) = connection.execute(
            "select count(*), coalesce(sum(words), 0)::bigint, count(*) filter (where len(rights.opt_out) > 0) "
            "from described"
        ).fetchall()
        tags = connection.execute(
            "select tag, count(*), coalesce(sum(words), 0)::bigint from described group by tag order by tag"
        ).fetchall()
        policies = connection.execute("select distinct policy_id from described order by 1").fetchall()
        return DescribedDataset(
            name=str(row["name"]).removeprefix("dataset:"),
            version=row["version"],
            digest=row["digest"],
            records=records,
            words=words,
            sealed_at=_iso(row["sealed_at"]),
            policy=", ".join(policy for (policy,) in policies if policy) or "none",
            tags={tag: (count, of) for tag, count, of in tags},
            reasons=_counts(connection, "reason", "count(*)"),
            languages=_counts(connection, "language", "count(*)"),
            licences=_counts(connection, "rights.licence", "count(*)"),
            opt_out=opt_out,
            models=_counts(connection, "model", "sum(synthetic_words)"),
            origins=origins,
            files=_files(row["location"]),
        )


def _counts(connection: duckdb.DuckDBPyConnection, what: str, measure: str) -> dict[str, int]:
    found = connection.execute(
        f"select {what} as what, {measure}::bigint as amount from described where what is not null "  # noqa: S608
        f"group by what having amount > 0 order by amount desc, what limit {_COUNTED}"
    ).fetchall()
    return {str(name): int(amount) for name, amount in found}


def _files(location: str | None) -> list[DataFile]:
    path = None if location is None else Path(location)
    if path is None or not path.is_file():
        return []
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    is_parquet = path.suffix == ".parquet"
    media_type = "application/x-parquet" if is_parquet else "application/jsonlines"
    columns = _parquet_columns(path) if is_parquet else []
    return [DataFile(path.name, path.stat().st_size, digest.hexdigest(), media_type, columns)]


def _parquet_columns(path: Path) -> list[tuple[str, str]]:
    import pyarrow.parquet as pq

    return [(field.name, str(field.type)) for field in pq.read_schema(path)]


def _read(path: Path) -> Graph:
    try:
        text = bounded.read(path, _MOST_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"The file can't be read: {error}", place=str(path)) from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = _lines(text, path)
    if found == []:
        raise LineageError("The file holds nothing", place=str(path))
    read: Callable[[Any], Graph] = from_prov if _is_prov(found) else from_openlineage
    try:
        return read(found if _is_prov(found) or isinstance(found, list) else [found])
    except LineageError as error:
        raise LineageError(error.cause, place=f"{path}: {error.place}".rstrip(": ")) from error


def _is_prov(found: object) -> bool:
    return isinstance(found, Mapping) and not {"run", "dataset", "eventTime"} & set(found)


def _lines(text: str, path: Path) -> list[Any]:
    events = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            events += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise LineageError(f"This is no JSON: {error}", place=f"{path}, line {number}") from error
    if not events:
        raise LineageError("The file holds nothing", place=str(path))
    return events


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=False) + "\n"


def _iso(moment: dt.datetime | None) -> str:
    return "" if moment is None else moment.replace(tzinfo=dt.UTC).isoformat()
