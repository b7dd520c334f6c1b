"""The commands by name: one table of what exists and which module says how."""

from __future__ import annotations

from typing import Annotated

import typer

from provenance.cli import (
    estimating,
    exchange,
    forget,
    gate,
    lineage,
    models,
    records,
    reporting,
    scanning,
    upkeep,
    variety,
)

app = typer.Typer(
    name="provenance",
    help="Tell which records of a web crawl a person wrote and which a language model wrote, and keep the lineage.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(scanning.scan)
app.command()(scanning.register)
app.command()(scanning.unregister)
app.command()(scanning.rematch)
app.command("filter")(scanning.filter_records)
app.command()(scanning.dedup)
app.command()(scanning.retag)
app.command()(estimating.estimate)
app.command()(reporting.report)
app.command()(variety.diversity)
app.command()(variety.budget)
app.command()(models.train)
app.command()(models.evaluate)
app.command()(models.calibrate)
app.command()(records.explain)
app.command()(records.sql)
app.add_typer(lineage.app, name="lineage")
lineage.app.command("export")(exchange.export_lineage)
lineage.app.command("import")(exchange.import_lineage)
app.command()(gate.check)
app.command()(upkeep.init)
app.command()(upkeep.status)
app.command()(upkeep.verify)
app.command()(upkeep.compact)
app.command()(forget.forget)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"provenance {version('provenance')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
) -> None:
    """Tell which records of a web crawl a person wrote and which a language model wrote, and keep the lineage."""
