"""Commands that ask the graph of scans, datasets, runs and models; those that add to it are beside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import typer

from provenance.cli import hindsight, lineage_add, output
from provenance.cli.options import DEFAULT_STORE, AsOfOption, JsonOption, StoreOption

app = typer.Typer(help="Add to the lineage graph, and trace it.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(lineage_add.app, name="add")
app.command()(hindsight.impact)
app.command()(hindsight.diff)


@app.command()
def trace(
    node: Annotated[str, typer.Argument(metavar="NODE", help="A model, dataset, run, scan, set, source or record.")],
    direction: Annotated[
        Literal["up", "down", "both"], typer.Option(help="Towards origins, towards uses, or both.")
    ] = "both",
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """List what a node comes from and what came from it."""
    from provenance import pipeline

    found = pipeline.trace(node, direction=direction, as_of=as_of, store=store)
    if json:
        output.emit_json(found)
        return 0
    for heading in ("ancestors", "descendants"):
        if heading in found:
            output.table(
                ("kind", "name", "steps", "via", "id"),
                [(row["kind"], row["name"], row["distance"], row["relation"], row["id"]) for row in found[heading]],
                title=f"{heading} of {output.safe(node)}",
            )
    return 0


@app.command()
def loops(as_of: AsOfOption = None, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """List feedback loops: models trained on text that they or relatives generated. Exits with 1 if there are any."""
    from provenance import pipeline

    found, names = pipeline.loops(as_of=as_of, store=store), pipeline.node_names(store=store)
    if json:
        output.emit_json([vars(loop) for loop in found])
    elif not found:
        output.emit("no feedback loop is known")
    else:
        output.table(
            ("model", "dataset", "records", "share of words", "directly", "witness"),
            [
                (
                    names(loop.model),
                    names(loop.dataset),
                    loop.records,
                    loop.share,
                    loop.direct,
                    path(loop.witness, names),
                )
                for loop in found
            ],
        )
    return 1 if found else 0


@app.command()
def grading(as_of: AsOfOption = None, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """List text admitted on the word of the model that wrote it, or of a relative. Exits with 1 if there is any."""
    from provenance import pipeline

    found, names = pipeline.self_grading(as_of=as_of, store=store), pipeline.node_names(store=store)
    if json:
        output.emit_json([vars(item) for item in found])
    elif not found:
        output.emit("no self-grading is known")
    else:
        output.table(
            ("graded", "by", "relation", "records", "words", "witness"),
            [
                (
                    names(item.graded),
                    names(item.grader),
                    ", ".join(item.relations),
                    item.records,
                    item.words,
                    path(item.witness, names),
                )
                for item in found
            ],
        )
    return 1 if found else 0


@app.command()
def depth(
    node: Annotated[
        str | None, typer.Argument(metavar="NODE", help="A dataset, model, set or record; all but records if left out.")
    ] = None,
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Tell how many models text has passed through: 0 for human text, one more than what its model was trained on."""
    from provenance import pipeline

    found, names = pipeline.depth(node, as_of=as_of, store=store), pipeline.node_names(store=store)
    if json:
        output.emit_json([vars(item) for item in found])
        return 0
    output.table(
        ("node", "maximum", "mean", "at least", "known share", "mean of that"),
        [
            (
                item.id if item.kind == "record" else names(item.id),
                _known(item.max_depth),
                _known(item.mean_depth),
                item.at_least,
                _known(item.known_share),
                _known(item.known_mean),
            )
            for item in found
        ],
    )
    return 0


@app.command()
def exposure(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    as_of: AsOfOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Tell what a model was trained on: shares of its training words by who wrote them, and by generation."""
    from provenance import pipeline

    found, names = pipeline.exposure(model, as_of=as_of, store=store), pipeline.node_names(store=store)
    if json:
        output.emit_json([vars(item) for item in found])
    else:
        output.table(
            ("origin", "generation", "words", "share", "verified words", "written by"),
            [
                (
                    item.origin,
                    _known(item.generation),
                    _known(item.words),
                    _known(item.share),
                    item.verified_words,
                    ", ".join(output.safe(names(writer)) for writer in item.models),
                )
                for item in found
            ],
        )
    return 0


def _known(value: float | None) -> object:
    return "unknown" if value is None else value


def path(witness: Sequence[str], names: Callable[[str], str]) -> str:
    """Write a path of nodes for people."""
    return " -> ".join(output.safe(names(step)) for step in witness)
