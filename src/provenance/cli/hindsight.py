"""Commands for what changes later: what a cause has touched, and how tags differ."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, TIMES, JsonOption, StoreOption


def impact(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="SET|POLICY|MODEL|TIME", help="The cause, or from when on (UTC); everything if left out."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """List the datasets, runs and models that a set, policy or model has touched, since when, and by how much."""
    from provenance import pipeline

    found = pipeline.impact(what, store=store)
    if json:
        output.emit_json([{**vars(item), "net_changes": item.net_changes} for item in found])
    elif not found:
        output.emit("nothing is touched")
    else:
        output.table(
            ("kind", "name", "how", "since (UTC)", "records changed", "holds records", "words of it"),
            [
                (
                    item.kind,
                    item.name,
                    item.how if item.through is None else f"through {item.through}",
                    item.since.isoformat(sep=" ", timespec="seconds"),
                    "; ".join(
                        f"{c['records']:,} {c['tag_before']} -> {c['tag_after']}"
                        for c in (item.net_changes if item.effects is None else item.effects)
                    ),
                    item.held_records,
                    item.held_words,
                )
                for item in found
            ],
        )
    return 0


def diff(
    what: Annotated[str, typer.Argument(metavar="SCAN|DATASET")],
    other: Annotated[
        str | None, typer.Argument(metavar="SCAN", help="Another scan of the same sources, e.g. by another detector.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME|FILE", help="Given twice: two policies; once: the current one and it."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", metavar="TIME", formats=TIMES, help="The earlier moment (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", metavar="TIME", formats=TIMES, help="The later one; now if left out.")
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Count by reason, too.")] = False,
    by_dataset: Annotated[bool, typer.Option("--by-dataset", help="Count for each dataset.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Count records by their tag before and after: between policies, moments, or two scans of the same sources."""
    from provenance import pipeline

    found = pipeline.diff(
        what, other, policy=policy or (), since=since, until=until, reasons=reasons, by_dataset=by_dataset, store=store
    )
    if json:
        output.emit_json([vars(item) for item in found])
        return 0
    heads = [*(["dataset"] if by_dataset else []), "before", "after", "records", "words"]
    rows = []
    for item in found:
        before, after = item.tag_before, item.tag_after
        if reasons:
            before, after = f"{before} {item.reason_before or ''}".strip(), f"{after} {item.reason_after or ''}".strip()
        rows.append((*([item.dataset or ""] if by_dataset else []), before, after, item.records, item.words))
    output.table(heads, rows)
    return 0
