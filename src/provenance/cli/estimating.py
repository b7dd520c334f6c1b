"""The command that estimates shares: how much of a scan or dataset models wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption, StyleModelOption

if TYPE_CHECKING:
    from provenance.pipeline.estimate import Estimate, Pile, ShareOf


def estimate(
    what: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan, or name of a dataset.")],
    by: Annotated[
        Literal["host", "month", "language"] | None, typer.Option(help="Also give a share for each of these.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Most hosts to show: the surest ones.")] = 20,
    style_model: StyleModelOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Estimate the share of synthetic text, with a 95 % interval. No source is read."""
    from provenance import pipeline

    found = pipeline.estimate(what, by=by, top=top, store=store, style_model=style_model)
    if json:
        output.emit_json(found.as_dict())
    else:
        _print(found)
    return 0


def _print(found: Estimate) -> None:
    title = f"synthetic text in {found.of}, as estimated with {found.model}"
    heads = (found.by or "", "records", "decided", "from style", "not estimated", "synthetic", "of words", "tags right")
    output.table(heads, [_row(pile) for pile in (found.total, *found.piles)], title=title)
    if found.left_out:
        output.emit(f"{found.left_out:,} other hosts: shares not as surely high, or too few texts")
    for reason, count in found.total.not_estimated.items():
        output.emit(f"not estimated: {count:,} records ({output.safe(reason)})")
    for drift in found.drift:
        if drift.alarm:
            output.emit(output.safe(drift.sentence()))
    output.note(
        "Intervals: 95 %, over the scan's "
        + ("hosts" if found.resampled == "host" else "documents")
        + " and over kinds of text that the model does not know. `tags right`: of the records "
        "that style tags synthetic, the expected share that is."
    )


def _row(pile: Pile) -> tuple[object, ...]:
    return (
        pile.name,
        pile.records,
        sum(pile.decided.values()),
        pile.scored,
        sum(pile.not_estimated.values()),
        _share(pile.synthetic),
        _share(pile.synthetic_words),
        _share(pile.right),
    )


def _share(share: ShareOf | None) -> str:
    if share is None:
        return ""
    return f"{100 * share.share:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
