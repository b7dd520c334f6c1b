"""Options that several commands share, said once."""

from __future__ import annotations

from datetime import datetime
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
ScanPolicyOption = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME|FILE",
        envvar="PROVENANCE_POLICY",
        help="default, strict, lenient, or a TOML file. A scan that is in the store keeps its own if this is left out.",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, envvar="PROVENANCE_JOBS", help="Worker processes; all processors if left out."),
]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f"]
AsOfOption = Annotated[
    datetime | None,
    typer.Option(
        "--as-of", metavar="TIME", formats=TIMES, help="Answer as the store would have answered at this moment (UTC)."
    ),
]
StyleModelOption = Annotated[
    Path | None,
    typer.Option(
        "--style-model",
        metavar="FILE",
        envvar="PROVENANCE_STYLE_MODEL",
        help="A style model; the one that ships if left out.",
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        envvar="PROVENANCE_TEXT_COLUMN", help="Column or field that holds the text (dots reach into nested ones)."
    ),
]
IdColumn = Annotated[
    str | None, typer.Option(envvar="PROVENANCE_ID_COLUMN", help="Column that holds the record's own id.")
]
UrlColumn = Annotated[str | None, typer.Option(envvar="PROVENANCE_URL_COLUMN", help="Column that holds the URL.")]
DateColumn = Annotated[
    str | None, typer.Option(envvar="PROVENANCE_DATE_COLUMN", help="Column that holds the capture time.")
]
