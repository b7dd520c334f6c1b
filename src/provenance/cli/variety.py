"""The commands that watch for collapse: ``diversity`` and ``budget``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from provenance.diversity import Interval

ByOption = Annotated[
    Literal["language", "host"] | None, typer.Option(help="Also look at each of these apart, the largest first.")
]
TopOption = Annotated[int, typer.Option(min=1, max=1000, help="Most of them to show.")]


def diversity(
    what: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan or dataset.")],
    against: Annotated[
        str | None, typer.Option(metavar="BASELINE", help="A scan or dataset to hold it against, at equal size.")
    ] = None,
    by: ByOption = None,
    top: TopOption = 10,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Measure how varied texts are: signs of model collapse. Texts are read from their sources again."""
    from provenance import pipeline

    found = pipeline.diversity(what, against=against, by=by, top=top, store=store)
    if json:
        output.emit_json(found.as_dict())
        return 0
    if not found.slices:
        output.emit("too little text to measure")
    for name, one in found.slices.items():
        title = f"{output.safe(name or found.of)}: {one.texts[0]:,} texts"
        if not one.tokens:
            output.emit(f"{title}: too little text to measure")
            continue
        rows = [
            (measure, _shown(figure), _shown(one.baseline[measure]) if measure in one.baseline else "")
            for measure, figure in one.figures.items()
        ]
        rows += [(measure, _shown(figure), "") for measure, figure in one.against.items()]
        output.table(("measure", found.of, found.against or ""), rows, title=f"{title}, parts of {one.tokens:,} words")
    if found.unread:
        output.note(f"{found.unread:,} records were left out: their sources are gone or have changed")
    return 0


def budget(
    what: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan or dataset.")],
    by: ByOption = None,
    top: TopOption = 20,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Count the unique human words that are left when copies and machine text are dropped."""
    from provenance import pipeline

    found = pipeline.budget(what, by=by, top=top, store=store)
    if json:
        output.emit_json([asdict(row) for row in found])
        return 0
    heads = (
        "",
        "records",
        "words",
        "human",
        "of these unique",
        "rights not reserved",
        "unknown, unique",
        "synthetic, unique",
    )
    output.table(heads, [(row.slice or "all", *list(asdict(row).values())[1:]) for row in found])
    return 0


def _shown(figure: Interval) -> str:
    return f"{figure.mean:.4g} ({figure.low:.4g} to {figure.high:.4g})"
