"""The command that writes a report: what a person looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def report(
    scan_name: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page to write, such as report.html; `-` for stdout.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Most hosts to show: the surest ones.")] = 20,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Write one page of HTML about a scan: tags, reasons, estimated share, hosts, drift, rejects, lineage."""
    from provenance.errors import UsageError

    if out is None and not json:
        raise UsageError(
            "A report is a page of HTML", next_step="Say where to write it, with --out FILE.html, or --json"
        )
    from provenance.pipeline import write_text
    from provenance.report import figures, page

    found = figures(scan_name, top=top, store=store)
    if out is not None and str(out) != "-":
        write_text(out, page(found), store=store)
    if json:
        output.emit_json(found.as_dict())
    elif str(out) == "-":
        output.emit(page(found).rstrip("\n"))
    else:
        output.emit(f"report {output.safe(out)}")
    return 0
