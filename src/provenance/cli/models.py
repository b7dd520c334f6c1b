"""Commands about style models: make one, test one, calibrate one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import JsonOption, PolicyOption

if TYPE_CHECKING:
    from provenance.classifier.assessment import Assessment, Rates

Labelled = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATHS...",
        help="Parquet or JSONL with `text` and `label` (human, synthetic), and if known dataset, model, domain, lang.",
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option("--style-model", "--model", metavar="FILE", help="A style model; the one that ships if left out."),
]


def train(
    paths: Labelled,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the model is written.")] = Path("style.model"),
    licences: Annotated[
        Literal["default", "open", "all"],
        typer.Option(help="Sets to use: without non-commercial ones, only those with an open licence, or all."),
    ] = "default",
    languages: Annotated[str, typer.Option(metavar="CODES", help="Languages to train on, comma-separated.")] = "en",
    pieces: Annotated[
        str, typer.Option(metavar="SETS", help="Sets whose rows are pieces of one work for each domain.")
    ] = "",
    json: JsonOption = False,
) -> int:
    """Make a style model from labelled texts and calibrate it, holding out one data set after another."""
    from provenance.classifier.training import TrainingOptions
    from provenance.classifier.training import train as make
    from provenance.classifier.training.labelled import read_labelled

    _refuse_folder(out)
    options = TrainingOptions(licences=licences, languages=tuple(_names(languages)), pieces=frozenset(_names(pieces)))
    result = make(read_labelled(paths), options, output.note)
    result.model.save(out)
    bins = [bin_.name for bin_ in result.model.arrays.bins]
    summary = {"version": result.model.version, "file": str(out), "bytes": out.stat().st_size, "bins": bins}
    if json:
        output.emit_json(summary)
        return 0
    output.emit(f"model {result.model.version} in {output.safe(out)} ({output.size(out.stat().st_size)})")
    output.emit(
        f"calibrated for {', '.join(bins)}"
        if bins
        else "calibrated for nothing: a range of lengths needs 600 documents of each label, and of each three sets "
        "with 150 texts of 20 works; `provenance calibrate` makes do with 100 documents of each"
    )
    return 0


def evaluate(
    paths: Labelled,
    model: ModelOption = None,
    policy: PolicyOption = "default",
    min_words: Annotated[int, typer.Option(min=1, help="Leave out shorter texts.")] = 100,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write figures (JSON) and plots (SVG) there.")
    ] = None,
    json: JsonOption = False,
) -> int:
    """Compare the style verdict with the labels: confusion, ROC, reliability, rates by group, and the worst group."""
    from provenance import policy as policies
    from provenance.classifier import StyleModel
    from provenance.classifier.assessment import assess
    from provenance.classifier.training.labelled import read_labelled

    settings = policies.load(policy).settings
    found = assess(
        StyleModel.load(model),
        read_labelled(paths),
        least_words=min_words,
        alpha=settings["style_alpha"],
        beta=settings["style_beta"],
    )
    written = _write_report(found, out) if out is not None else []
    if json:
        output.emit_json(found.as_dict())
        return 0
    _print(found)
    for path in written:
        output.note(f"written: {output.safe(path)}")
    return 0


def calibrate(
    paths: Labelled,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the new model is written.")] = Path("style.model"),
    model: ModelOption = None,
    name: Annotated[str, typer.Option(help="What the texts are called in the model's card.")] = "own texts",
    json: JsonOption = False,
) -> int:
    """Make a model whose thresholds hold for text like yours, from labelled texts it was not trained on."""
    from provenance import policy as policies
    from provenance.classifier import StyleModel
    from provenance.classifier.recalibration import recalibrate
    from provenance.classifier.training.labelled import read_labelled

    _refuse_folder(out)
    before = StyleModel.load(model)
    result = recalibrate(before, read_labelled(paths), name)
    result.model.save(out)
    if json:
        bins = [dict(zip(("bin", "human", "synthetic", "least_p_human"), row, strict=True)) for row in result.bins]
        output.emit_json(
            {
                "version": result.model.version,
                "from": before.version,
                "file": str(out),
                "bins": bins,
                "kept": list(result.kept),
            }
        )
        return 0
    output.table(
        ("bin", "human documents", "synthetic documents", "least p_human"),
        result.bins,
        title=f"{before.version} calibrated anew",
    )
    alpha = policies.load("default").settings["style_alpha"]
    silent = [bin_ for bin_, _, _, least in result.bins if least > alpha]
    if silent:
        output.note(
            f"{', '.join(silent)}: p_human stays above the {alpha} that policy default asks for, so style will tag "
            "nothing synthetic there; more human documents lower it"
        )
    if result.kept:
        output.emit(f"as before, for want of texts: {', '.join(result.kept)}")
    output.emit(f"model {result.model.version} in {output.safe(out)}; scan with --style-model {output.safe(out)}")
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _refuse_folder(out: Path) -> None:
    """Refuse a place where no file can stand before hours go into what is to be written there."""
    from provenance.errors import UsageError

    if out.is_dir():
        raise UsageError("The model can't be written over a folder", place=str(out), next_step="Name a file")
    if not out.parent.is_dir():
        raise UsageError("The model's folder is not there", place=str(out.parent), next_step="Make it, or name another")


def _write_report(found: Assessment, folder: Path) -> list[Path]:
    from provenance.classifier.plots import reliability_plot, roc_plot

    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "evaluation.json": output.as_json(found.as_dict(), indent=1) + "\n",
        "roc.svg": roc_plot(found.roc, f"ROC of {found.model}"),
        "reliability.svg": reliability_plot(found.reliability, f"Reliability of {found.model}"),
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents]


def _print(found: Assessment) -> None:
    output.table(
        ("text of", "tagged human", "tagged synthetic", "unknown"),
        [(label, *counts.values()) for label, counts in found.confusion.items()],
        title=f"{found.model} on {found.texts:,} texts of at least {found.least_words:,} words",
    )
    output.emit(
        f"left open: {100 * found.unknown:.1f} %; area under the ROC curve {found.roc.area:.4f}; "
        f"expected calibration error {found.reliability.error:.4f}"
    )
    heads = ("group", "text of", "texts", "human %", "synthetic %", "unknown %", "wrong %, 95 % bounds")
    for grouping in dict.fromkeys(rate.grouping for rate in found.rates):
        rows = [_row(rate) for rate in found.rates if rate.grouping == grouping]
        output.table((grouping, *heads[1:]), rows)
    for label, rate in found.worst.items():
        output.emit(
            f"worst for {label} text: {rate.grouping} {output.safe(rate.name)}, "
            f"{100 * rate.wrong:.1f} % wrong (at least {100 * rate.wrong_low:.1f} %) of {rate.texts:,}"
        )


def _row(rate: Rates) -> tuple[object, ...]:
    return (
        rate.name,
        rate.label,
        rate.texts,
        *(round(100 * share, 1) for share in (rate.human, rate.synthetic, rate.unknown)),
        f"{100 * rate.wrong:.1f} ({100 * rate.wrong_low:.1f} to {100 * rate.wrong_high:.1f})",
    )
