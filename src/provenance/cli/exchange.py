"""``lineage export`` and ``lineage import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def export_lineage(
    form: Annotated[
        Literal["prov", "openlineage", "croissant", "card"],
        typer.Argument(metavar="FORM", help="prov or openlineage for the graph; croissant or card for a dataset."),
    ],
    node: Annotated[
        str | None,
        typer.Argument(metavar="NODE", help="Only this node and what it comes from and led to; or the dataset."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it there instead of to stdout.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Page of the dataset.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence that its publisher gives the dataset.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Write the graph as PROV-JSON or OpenLineage events, or a dataset's Croissant description or card."""
    from provenance import pipeline

    text = pipeline.export_lineage(form, node, url=url, licence=licence, store=store)
    if out is not None:
        pipeline.write_text(out, text, store=store)
        output.outcome("written", str(out), json=json)
    elif json and form == "card":
        output.emit_json({"card": text})
    else:
        output.emit(text.rstrip("\n"))
    return 0


def import_lineage(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PROV-JSON, or OpenLineage events.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add a PROV-JSON document or OpenLineage events to the graph; what is known already stays as it is."""
    from provenance import pipeline

    found = pipeline.import_lineage(file, store=store)
    if json:
        output.emit_json({"nodes": found.nodes, "edges": found.edges, "left_out": dict(found.left_out)})
        return 0
    output.emit(f"{found.nodes:,} nodes and {found.edges:,} edges added")
    for name, count in sorted(found.left_out.items()):
        output.note(f"left out: {count:,} × {output.safe(name)}")
    return 0
