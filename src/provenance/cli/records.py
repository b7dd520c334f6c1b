"""Commands that ask about records: explain one, or query all by SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from provenance import escapes
from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    import pyarrow as pa

    from provenance.store import Store
    from provenance.store.door import Limits

Format = Literal["table", "csv", "json", "jsonl", "parquet"]

_SHOWN: Final = 1000


def explain(
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="A record id, a unique prefix of one, or SCAN/RECORD.")
    ],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Show one record: each piece of evidence, its weight, what decided and what would change it."""
    from provenance import pipeline

    found = pipeline.explain(record, store=store)
    if json:
        output.emit_json(found.as_dict())
        return 0
    output.emit(
        f"{output.safe(found.record['record_id'])}  {found.record['tag']}  ({output.safe(found.record['reason'])})"
    )
    for key in ("url", "captured_at", "language", "words", "scan", "uri", "position", "score"):
        if found.record.get(key) is not None:
            output.emit(f"  {key:<12} {output.safe(found.record[key])}")
    output.table(
        ("kind", "evidence", "weight", "measured"),
        [(e["kind"], e["detail"], round(e["weight"], 2), bool(e["measured"])) for e in found.evidence],
    )
    if found.matches:
        output.table(
            ("model", "set", "tier", "share", "words", "verified", "passages (words from-to)"),
            [
                (
                    m["model"],
                    m["name"],
                    m["tier"],
                    m["share"],
                    m["matched_words"],
                    m["verified"],
                    ", ".join(f"{s['start']}-{s['end']}" for s in m["spans"][:5]),
                )
                for m in found.matches
            ],
            title="shares text with",
        )
        for m in found.matches:
            if m["remark"]:
                output.emit(f"  {output.safe(m['name'])}: {output.safe(m['remark'])}")
    output.emit(f"decided by: {found.decided}")
    if found.record["tag"] != "human" and (found.record["attribution_score"] or 1.0) < 1.0:
        family, score = found.record["model_family"], found.record["attribution_score"]
        output.emit(f"  by style, most like {output.safe(family)} ({score:.2f}), not an edge of the lineage")
    for line in found.would_change:
        output.emit(f"  would change it: {line}")
    if found.excerpt:
        output.emit(f"  text: {output.safe(found.excerpt)}")
    else:
        output.note(f"no text is shown: {output.safe(found.no_excerpt)}")
    return 0


def sql(
    query: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="SQL; without it, a prompt.")] = None,
    store: StoreOption = DEFAULT_STORE,
    form: Annotated[Format, typer.Option("--format", "-f", help="How rows are printed.")] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", envvar="PROVENANCE_TIMEOUT", help="Stop a query after so long; 300."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", envvar="PROVENANCE_MEMORY", help="Memory of a query; 4GB, or half of what is there if less."
        ),
    ] = None,
    temp_space: Annotated[
        str | None,
        typer.Option(metavar="SIZE", envvar="PROVENANCE_TEMP_SPACE", help="Disk space for what does not fit; 20GB."),
    ] = None,
) -> int:
    """Ask the store in SQL, read-only. Without a query: a prompt."""
    from provenance.store import Store
    from provenance.store.door import Limits

    opened = Store.open(store)
    limits = Limits.of(timeout, memory, temp_space)
    form = "json" if json else form
    if query is not None:
        _answer(opened, query, form, limits)
        return 0
    return _prompt(opened, form, limits)


def _prompt(store: Store, form: Format, limits: Limits) -> int:
    from provenance.errors import ProvenanceError

    interactive = sys.stdin.isatty()
    if interactive:
        output.note("SQL over the store, read-only. End a query with ; — leave with Ctrl-D.")
    waiting = ""
    while True:
        if interactive:
            sys.stderr.write("provenance> " if not waiting else "       ...> ")
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            if waiting.strip():
                _answer(store, waiting, form, limits)
            return 0
        waiting += line
        if not waiting.rstrip().endswith(";"):
            continue
        try:
            # Each query reads the snapshot that is current when it is asked, so a scan is seen as it grows.
            _answer(store, waiting.strip().rstrip(";"), form, limits)
        except ProvenanceError as error:
            output.note(str(error))
        waiting = ""


def _answer(store: Store, query: str, form: Format, limits: Limits) -> None:
    from provenance.store.door import ask

    with ask(store.root, query, limits) as reader:
        if reader is not None:
            _print(reader, form)


def _print(reader: pa.RecordBatchReader, form: Format) -> None:
    if form == "table":
        _print_table(reader)
    elif form == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(sys.stdout.buffer, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    elif form == "csv":
        import csv

        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(escapes.csv_cell(name) for name in reader.schema.names)
        for batch in reader:
            rows.writerows([_field(value) for value in row] for row in _tuples(batch))
    else:
        _print_json(reader, lines=form == "jsonl")


def _print_table(reader: pa.RecordBatchReader) -> None:
    rows: list[tuple[object, ...]] = []
    for batch in reader:
        rows += _tuples(batch)
        if len(rows) > _SHOWN:
            break
    output.answer(reader.schema.names, rows[:_SHOWN])
    if len(rows) > _SHOWN:
        output.note(f"The first {_SHOWN:,} rows; another --format prints all.")


def _tuples(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Return rows as tuples: two columns may have one name."""
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _field(value: Any) -> Any:
    """Return a value as CSV says it: nested ones as JSON, booleans as JSON and SQL spell them."""
    return output.as_json(value) if isinstance(value, bool | list | dict) else escapes.csv_cell(value)


def _print_json(reader: pa.RecordBatchReader, *, lines: bool) -> None:
    separator = "" if lines else "["
    for batch in reader:
        for row in batch.to_pylist():
            text = output.as_json(row)
            sys.stdout.write(text + "\n" if lines else f"{separator}\n {text}")
            separator = ","
    if not lines:
        sys.stdout.write("[]\n" if separator == "[" else "\n]\n")
