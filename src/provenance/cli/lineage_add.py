"""Commands that add to the lineage graph by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption

app = typer.Typer(
    help="Add models, datasets, runs, generation sets, evaluations and edges.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Relation = Literal["successor", "fine-tune", "distilled"]
StartedOption = Annotated[
    datetime | None,
    typer.Option("--started", metavar="TIME", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When it began (UTC)."),
]


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


@app.command("model")
def add_model(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    parent: Annotated[str | None, typer.Option(metavar="MODEL", help="The model it comes from.")] = None,
    relation: Annotated[Relation, typer.Option(help="How it comes from its parent.")] = "successor",
    family: Annotated[str | None, typer.Option(help="Family, e.g. Llama.")] = None,
    developer: Annotated[str | None, typer.Option(help="Who made it.")] = None,
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
        developer=developer,
        released=released.date() if released else None,
        store=store,
    )
    output.outcome("model", node, json=json)
    return 0


@app.command("dataset")
def add_dataset(
    name: Annotated[str, typer.Argument(metavar="DATASET")],
    scan: Annotated[
        list[str] | None, typer.Option(metavar="SCAN", help="A scan whose records it holds; may be repeated.")
    ] = None,
    made_of: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="DATASET|SET", help="What else it was made of; may be repeated."),
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="TAGS", help="Only records with these tags; all if left out.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Its version, if it has several.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Record a dataset made of records of scans, or of other datasets. Once added it is sealed: it doesn't change."""
    from provenance import pipeline

    tags = {tag.strip() for tag in keep.split(",")} if keep else None
    node = pipeline.add_dataset(
        name, scans=scan or [], keep=tags, derived_from=made_of or [], version=version, store=store
    )
    output.outcome("dataset", node, json=json)
    return 0


@app.command("run")
def add_run(
    trains: Annotated[str, typer.Option(metavar="MODEL", help="The model that the run trains.")],
    on: Annotated[list[str], typer.Option(metavar="DATASET", help="What it trains on; may be repeated.")],
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    started: StartedOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add a training run: it uses datasets and trains a model."""
    from provenance import pipeline

    node = pipeline.add_run(trains=trains, on=on, name=name, started_at=_utc(started), store=store)
    output.outcome("run", node, json=json)
    return 0


@app.command("generation-run")
def add_generation_run(
    name: Annotated[str, typer.Argument(metavar="RUN")],
    model: Annotated[str, typer.Option(metavar="MODEL", help="The model that wrote.")],
    made_of: Annotated[
        list[str] | None,
        typer.Option(
            "--from", metavar="DATASET|SET", help="Texts it was given to rewrite or continue; may be repeated."
        ),
    ] = None,
    started: StartedOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add a generation run: a model wrote, perhaps from other texts."""
    from provenance import pipeline

    node = pipeline.add_generation_run(name, model=model, inputs=made_of or [], started_at=_utc(started), store=store)
    output.outcome("generation_run", node, json=json)
    return 0


@app.command("generation-set")
def add_generation_set(
    name: Annotated[str, typer.Argument(metavar="SET")],
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="The model that wrote it.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="The generation run that it came from.")] = None,
    made_of: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="DATASET|SET", help="What it paraphrases or continues; may be repeated."),
    ] = None,
    texts: Annotated[int | None, typer.Option(min=0, help="How many texts it has.")] = None,
    words: Annotated[int | None, typer.Option(min=0, help="How many words it has.")] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Say how a registered generation set came about, or add one whose texts are not at hand (else: register)."""
    from provenance import pipeline

    node = pipeline.add_generations(
        name, model=model, run=run, derived_from=made_of or [], texts=texts, words=words, store=store
    )
    output.outcome("generation_set", node, json=json)
    return 0


@app.command("evaluation")
def add_evaluation(
    name: Annotated[str, typer.Argument(metavar="EVALUATION")],
    of: Annotated[str, typer.Option(metavar="SET|DATASET|MODEL", help="What was judged.")],
    grader: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that judged; left out for people and programs.")
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET", help="What it was done on, such as a benchmark; may be repeated."),
    ] = None,
    verifies: Annotated[
        bool,
        typer.Option("--verifies", help="What it passed was admitted (verified_by); else it gave marks (graded_by)."),
    ] = False,
    started: StartedOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add an evaluation: what was judged, and by which model."""
    from provenance import pipeline

    node = pipeline.add_evaluation(
        name,
        of=of,
        grader=grader,
        on=on or [],
        relation="verified_by" if verifies else "graded_by",
        started_at=_utc(started),
        store=store,
    )
    output.outcome("evaluation", node, json=json)
    return 0


@app.command("edge")
def add_edge(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="What came about.")],
    relation: Annotated[str, typer.Argument(metavar="RELATION", help="Such as used, wasDerivedFrom, graded_by.")],
    target: Annotated[str, typer.Argument(metavar="OBJECT", help="What it came from.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Add one edge between nodes that are known. It reads from what came about to what it came from."""
    from provenance import pipeline

    edge = pipeline.add_edge(subject, relation, target, store=store)
    if json:
        output.emit_json(dict(zip(("subject", "relation", "object"), edge, strict=True)))
    else:
        output.emit(f"edge {' '.join(output.safe(part) for part in edge)}")
    return 0
