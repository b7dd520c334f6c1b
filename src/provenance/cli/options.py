"""Options that several commands share, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", envvar="PROVENANCE_STORE", help="The store.", show_default=True),
]
DEFAULT_STORE = Path("provenance-store")

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
PolicyOption = Annotated[
    str,
    typer.Option(
        "--policy", metavar="NAME|FILE", envvar="PROVENANCE_POLICY", help="default, strict, lenient, or a TOML file."
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, envvar="PROVENANCE_JOBS", help="Worker processes; all processors if left out."),
]
TextColumn = Annotated[
    str | None, typer.Option(help="Column or field that holds the text (dots reach into nested ones).")
]
IdColumn = Annotated[str | None, typer.Option(help="Column that holds the record's own id.")]
UrlColumn = Annotated[str | None, typer.Option(help="Column that holds the URL.")]
DateColumn = Annotated[str | None, typer.Option(help="Column that holds the capture time.")]
