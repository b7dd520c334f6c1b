"""Commands about style models: make one, test one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from provenance.cli import output
from provenance.cli.options import JsonOption, PolicyOption

if TYPE_CHECKING:
    from provenance.classifier.evaluate import Group

Labelled = Annotated[list[Path], typer.Argument(metavar="PATHS...", help="Labelled Parquet or JSONL files or folders.")]


def train(
    paths: Labelled,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the model is written.")] = Path("style.model"),
    licences: Annotated[
        Literal["default", "open", "all"],
        typer.Option(help="Sets to use: without non-commercial ones, only those with an open licence, or all."),
    ] = "default",
    json: JsonOption = False,
) -> int:
    """Make a style model from labelled texts and calibrate it."""
    from provenance.classifier.training import TrainingOptions
    from provenance.classifier.training import train as make
    from provenance.classifier.training.labelled import read_labelled

    result = make(read_labelled(paths), TrainingOptions(licences=licences), output.note)
    result.model.save(out)
    summary = {"version": result.model.version, "file": str(out), "bytes": out.stat().st_size}
    if json:
        output.emit_json(summary)
    else:
        output.emit(f"model {summary['version']} in {output.safe(out)} ({output.size(out.stat().st_size)})")
    return 0


def evaluate(
    paths: Labelled,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A model file; the shipped one if left out.")
    ] = None,
    policy: PolicyOption = "default",
    min_words: Annotated[int, typer.Option(min=1, help="Leave out shorter texts.")] = 100,
    json: JsonOption = False,
) -> int:
    """Compare the style verdict with the labels: shares of human, synthetic and unknown, by set and by generator."""
    from provenance import policy as policies
    from provenance.classifier import StyleModel
    from provenance.classifier.evaluate import evaluate as compare
    from provenance.classifier.training.labelled import read_labelled

    settings = policies.load(policy).settings
    found = compare(
        StyleModel.load(model),
        read_labelled(paths),
        least_words=min_words,
        alpha=settings["style_alpha"],
        beta=settings["style_beta"],
    )
    groups = {"all": found.overall, "set": found.by_set, "generator": found.by_model, "words": found.by_length}
    if json:
        output.emit_json({name: [_row(group) for group in rows] for name, rows in groups.items()})
        return 0
    for name, rows in groups.items():
        shown = [_row(group) for group in rows]
        if shown:
            output.table((name, *list(shown[0])[1:]), [tuple(row.values()) for row in shown])
    return 0


def _row(group: Group) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value for key, value in vars(group).items()
    }
