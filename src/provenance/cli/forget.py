"""The command that erases what the law or a robots change demands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from provenance.pipeline import ForgetResult


def forget(
    record: Annotated[
        list[str] | None, typer.Option("--record", metavar="ID", help="A record id; may be given several times.")
    ] = None,
    url_prefix: Annotated[
        str | None, typer.Option("--url-prefix", metavar="URL", help="Records whose URL begins so.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Records of a host, not of its subdomains.")
    ] = None,
    reference_set: Annotated[
        str | None, typer.Option("--set", metavar="NAME", help="A reference set, registered now or before.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept, so it must not say what.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, only say what would go.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for readers of older snapshots.")
    ] = 60.0,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only sweep what an earlier run had to leave behind.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Erase records or a reference set from the store's bytes, and search them. Exits with 1 if any is left."""
    from provenance import pipeline
    from provenance.errors import UsageError

    if finish:
        if record or url_prefix or host or reference_set or reason:
            raise UsageError("--finish names nothing: it sweeps what an earlier run left", next_step="Give it alone")
        result = pipeline.finish_forgetting(wait=wait, store=store)
    else:
        if reason is None and yes:
            raise UsageError("A reason is wanted", next_step="Give it with --reason; it must not say what is forgotten")
        result = pipeline.forget(
            records=record or (),
            url_prefix=url_prefix,
            host=host,
            reference_set=reference_set,
            reason=reason or "not done yet",
            dry_run=not yes,
            wait=wait,
            store=store,
        )
    if json:
        output.emit_json(result.as_dict())
    else:
        _print(result, finish)
    return 0 if result.gone or not result.done else 1


def _print(result: ForgetResult, finish: bool) -> None:
    rows = ", ".join(f"{count:,} of {kind}" for kind, count in result.rows.items())
    if not finish:
        done = "forgot" if result.done else "would forget"
        output.emit(
            f"{done} {result.records:,} {'record' if result.records == 1 else 'records'} (rows: {rows or 'none'})"
        )
    for what, names in (("scan", result.scans), ("dataset", result.datasets)):
        for name in names:
            output.emit(f"  in {what} {output.safe(name)}")
    for remark in result.remarks:
        output.emit(f"  note: {output.safe(remark)}")
    for path in result.pending:
        output.emit(f"  still read: {output.safe(path)}; run `provenance forget --finish` when its readers have ended")
    for path in result.remaining:
        output.emit(f"  still there: {output.safe(path)}")
    if not result.done:
        output.emit("nothing was done: give --yes, and --reason")
    elif result.gone:
        output.emit("swept" if finish else "searched every byte of the store: nothing of it is left")
