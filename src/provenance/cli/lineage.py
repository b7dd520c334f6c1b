"""Commands about the graph of scans, datasets, runs and models, and the gate that asks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, PolicyOption, StoreOption

app = typer.Typer(help="Add to the lineage graph, and trace it.", no_args_is_help=True, rich_markup_mode=None)
add = typer.Typer(help="Add a model, a dataset or a run.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(add, name="add")

Relation = Literal["successor", "fine-tune", "distilled"]


@add.command("model")
def add_model(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    parent: Annotated[str | None, typer.Option(metavar="MODEL", help="The model it comes from.")] = None,
    relation: Annotated[Relation, typer.Option(help="How it comes from its parent.")] = "successor",
    family: Annotated[str | None, typer.Option(help="Family, e.g. Llama.")] = None,
    released: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of its release.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add a model, and how it comes from another."""
    from provenance import pipeline

    node = pipeline.add_model(
        name,
        parent=parent,
        relation=relation,
        family=family,
        released=released.date() if released else None,
        store=store,
    )
    output.outcome("model", node, json=json)
    return 0


@add.command("dataset")
def add_dataset(
    name: Annotated[str, typer.Argument(metavar="DATASET")],
    scan: Annotated[list[str], typer.Option(metavar="SCAN", help="A scan whose records it holds; may be repeated.")],
    keep: Annotated[
        str | None, typer.Option(metavar="TAGS", help="Only records with these tags; all if left out.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Record a dataset made of the records of scans. Once added it is sealed: its members don't change."""
    from provenance import pipeline

    tags = {tag.strip() for tag in keep.split(",")} if keep else None
    node = pipeline.add_dataset(name, scans=scan, keep=tags, store=store)
    output.outcome("dataset", node, json=json)
    return 0


@add.command("run")
def add_run(
    trains: Annotated[str, typer.Option(metavar="MODEL", help="The model that the run trains.")],
    on: Annotated[list[str], typer.Option(metavar="DATASET", help="What it trains on; may be repeated.")],
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add a training run: it uses datasets and trains a model."""
    from provenance import pipeline

    node = pipeline.add_run(trains=trains, on=on, name=name, store=store)
    output.outcome("run", node, json=json)
    return 0


@app.command()
def trace(
    node: Annotated[str, typer.Argument(metavar="NODE", help="A model, dataset, run, scan, set, source or record.")],
    direction: Annotated[
        Literal["up", "down", "both"], typer.Option(help="Towards origins, towards uses, or both.")
    ] = "both",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """List what a node comes from and what came from it."""
    from provenance import pipeline

    found = pipeline.trace(node, direction=direction, store=store)
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
def loops(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """List feedback loops: models trained on text that they or their relatives generated."""
    from provenance import pipeline

    found, names = pipeline.loops(store=store), pipeline.node_names(store=store)
    if json:
        output.emit_json([vars(loop) for loop in found])
    elif not found:
        output.emit("no feedback loop is known")
    else:
        output.table(
            ("model", "dataset", "records", "share of words", "witness"),
            [
                (names(loop.model), names(loop.dataset), loop.records, loop.share, _path(loop.witness, names))
                for loop in found
            ],
        )
    return 1 if found else 0


def _path(witness: Sequence[str], names: Callable[[str], str]) -> str:
    return " -> ".join(output.safe(names(step)) for step in witness)


def check(
    dataset: Annotated[str, typer.Argument(metavar="DATASET")],
    for_model: Annotated[
        str | None, typer.Option("--for-model", metavar="MODEL", help="The model to be trained.")
    ] = None,
    policy: PolicyOption = "default",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """The gate: may this dataset train this model? Exits with 1 if not."""
    from provenance import pipeline

    result = pipeline.check(dataset, for_model=for_model, policy=policy, store=store)
    if json:
        output.emit_json(result.as_dict())
    else:
        verdict = "passes" if result.allowed else "REFUSED"
        purpose = f" for training {output.safe(for_model)}" if for_model else ""
        output.emit(f"{verdict}: dataset {output.safe(dataset)}{purpose} under policy {output.safe(result.policy)}")
        for violation in result.violations:
            output.emit(f"  violation: {output.safe(violation)}")
        for remark in result.remarks:
            output.note(f"note: {output.safe(remark)}")
        for loop in result.loops:
            output.emit(f"  loop: {_path(loop.witness, pipeline.node_names(store=store))}")
        output.table(("figure", "value"), list(result.figures.items()))
    return 0 if result.allowed else 1
