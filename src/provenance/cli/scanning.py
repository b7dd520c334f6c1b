"""Commands that read texts: scan, register, filter and what follows from them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import output
from provenance.cli.options import (
    DEFAULT_STORE,
    DateColumn,
    IdColumn,
    JobsOption,
    JsonOption,
    PolicyOption,
    ScanPolicyOption,
    StoreOption,
    TextColumn,
    UrlColumn,
)

if TYPE_CHECKING:
    from provenance.pipeline.results import RematchResult, ScanResult

Paths = Annotated[list[str], typer.Argument(metavar="PATHS...", help="Files, folders or globs.")]


def scan(
    paths: Paths,
    store: StoreOption = DEFAULT_STORE,
    name: Annotated[
        str | None, typer.Option(help="Name to ask for the scan by; the first source's if left out.")
    ] = None,
    jobs: JobsOption = None,
    policy: ScanPolicyOption = None,
    root: Annotated[str | None, typer.Option(metavar="DIR", help="Keep URIs relative to this folder.")] = None,
    text_column: TextColumn = None,
    id_column: IdColumn = None,
    url_column: UrlColumn = None,
    date_column: DateColumn = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write records-*.parquet and rejects-*.parquet there.")
    ] = None,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Leave no trace in the store; its reference sets are matched.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was rejected.")] = False,
    json: JsonOption = False,
) -> int:
    """Observe and tag every record: human, synthetic or unknown, with the reason."""
    from provenance import pipeline

    with output.progress("scan") as progress:
        result = pipeline.scan(
            paths,
            store=store,
            name=name,
            jobs=jobs,
            policy=policy,
            root=root,
            text_column=text_column,
            id_column=id_column,
            url_column=url_column,
            date_column=date_column,
            out=out,
            no_store=no_store,
            progress=progress,
        )
    if json:
        output.emit_json(_scan_as_json(result))
    else:
        _print_scan(result)
    if result.failed_sources:
        return 2
    return 1 if strict and result.rejects else 0


def _scan_as_json(result: ScanResult) -> dict[str, object]:
    return {
        "scan_id": result.scan_id,
        "name": result.name,
        "already_done": result.already_done,
        "records": result.records,
        "rejects": result.rejects,
        "skipped": result.skipped,
        "tags": dict(result.tags),
        "reasons": [
            {"tag": tag, "reason": reason, "records": count} for (tag, reason), count in result.reasons.items()
        ],
        "sources": [vars(source) for source in result.sources],
        "bytes": result.bytes,
        "seconds": result.seconds,
        "late_matches": result.late_matches,
    }


def _print_scan(result: ScanResult) -> None:
    if result.already_done:
        output.note(f"The same scan is in the store already as {result.name} ({result.scan_id}); nothing was read.")
    rows = [(tag, reason, count) for (tag, reason), count in result.reasons.items()]
    output.table(("tag", "reason", "records"), rows, title=f"scan {output.safe(result.name)}")
    output.emit(
        f"{result.records:,} records, {result.rejects:,} rejected, {result.skipped:,} without text of their own, "
        f"from {len(result.sources):,} sources ({output.size(result.bytes)}) in {result.seconds:.1f} s"
    )
    for source in result.sources:
        if source.rejects and not source.records:
            output.note(
                f"nothing readable: {output.safe(source.uri)}: {source.rejects:,} rejected; table `rejects` says why"
            )
    for source in result.failed_sources:
        output.note(f"not read: {output.safe(source.uri)}: {output.safe(source.error)}")


def register(
    paths: Paths,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="A model wrote these texts.")] = False,
    human: Annotated[bool, typer.Option("--human", help="People wrote these texts.")] = False,
    model: Annotated[str | None, typer.Option(help="The model that wrote them.")] = None,
    set_name: Annotated[str | None, typer.Option("--set", metavar="NAME", help="Name of the set.")] = None,
    prompt_column: Annotated[
        str | None, typer.Option(help="Column with the prompts; what they hold is not the model's text.")
    ] = None,
    text_column: TextColumn = None,
    released: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day the model was released: earlier records can't copy it."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Fingerprint known texts and find them in everything scanned before."""
    from provenance import pipeline
    from provenance.errors import UsageError

    if synthetic == human:
        raise UsageError("Say who wrote the texts", next_step="Give either --synthetic --model NAME, or --human")
    with output.progress("register") as progress:
        result = pipeline.register(
            paths,
            label="synthetic" if synthetic else "human",
            model=model,
            name=set_name,
            store=store,
            text_column=text_column,
            prompt_column=prompt_column,
            released=released.date() if released else None,
            progress=progress,
        )
    if json:
        output.emit_json({**vars(result), "rematch": vars(result.rematch)})
        return 0
    if result.already_done:
        output.note(f"The same set is registered already as {result.name} ({result.set_id}).")
    output.emit(
        f"{output.safe(result.name)}: {result.references:,} {result.label} references"
        + (f" of {output.safe(result.model)}" if result.model else "")
        + (f", {result.prompts:,} prompts excluded" if result.prompts else "")
        + (f", {result.skipped:,} texts too short to recognise" if result.skipped else "")
        + (f", {result.rejects:,} units that could not be read" if result.rejects else "")
    )
    _print_rematch(result.rematch)
    return 0


def _print_rematch(result: RematchResult) -> None:
    if result.scans:
        output.emit(
            f"matched against {len(result.scans)} earlier scans: {result.candidates:,} candidates, "
            f"{result.verified:,} verified, {result.unverified:,} not verified"
        )
    for place in result.unreadable:
        output.note(f"could not be read again, matches stay unverified: {output.safe(place)}")


def unregister(
    reference_set: Annotated[str, typer.Argument(metavar="SET", help="Name or id of the set.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Withdraw a reference set: its matches no longer count. What it decided before stays in the history."""
    from provenance import pipeline

    output.outcome("withdrawn", pipeline.unregister(reference_set, store=store), json=json)
    return 0


def rematch(
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Read the sources again to verify what was found.")
    ] = True,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Match every scan against every reference set again, from stored fingerprints."""
    from provenance import pipeline

    result = pipeline.rematch(store=store, verify=verify)
    if json:
        output.emit_json(vars(result))
    else:
        _print_rematch(result)
    return 0


def filter_records(
    what: Annotated[list[str], typer.Argument(metavar="SCAN_OR_PATHS...", help="A scan's name or id, or files.")],
    keep: Annotated[
        str, typer.Option(metavar="TAGS", help="Tags to keep, comma-separated: human[,unknown].")
    ] = "human",
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Parquet (.parquet) or JSONL (.jsonl, .jsonl.gz, .jsonl.zst).")
    ] = ...,  # type: ignore[assignment]
    dataset: Annotated[str | None, typer.Option(metavar="NAME", help="Record the result as a dataset.")] = None,
    with_tags: Annotated[bool, typer.Option("--with-tags", help="Add tag, reason and score columns.")] = False,
    policy: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Policy; the scan's own if left out.")] = None,
    jobs: JobsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Write the records whose tag is kept, and beside them a list of the dropped ones with the reason."""
    from provenance import pipeline

    with output.progress("filter") as progress:
        result = pipeline.filter(
            what[0] if len(what) == 1 else what,
            keep={tag.strip() for tag in keep.split(",") if tag.strip()},
            out=out,
            dataset=dataset,
            with_tags=with_tags,
            policy=policy,
            jobs=jobs,
            store=store,
            progress=progress,
        )
    reasons = [
        {"tag": tag, "reason": reason, "records": count} for (tag, reason), count in result.dropped_by_reason.items()
    ]
    if json:
        output.emit_json({**vars(result), "dropped_by_reason": reasons})
        return 0
    output.table(("tag", "reason", "records"), [tuple(row.values()) for row in reasons], title="dropped")
    output.emit(
        f"{result.kept:,} records kept in {output.safe(result.out)}, "
        f"{result.dropped:,} dropped (listed in {output.safe(result.dropped_list)})"
    )
    for place in result.unread_sources:
        output.note(f"left out, because the scan could not read it to its end: {output.safe(place)}")
    if result.dataset_id:
        output.emit(f"dataset {output.safe(result.dataset_id)}")
    return 0


def retag(
    scan_name: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan.")],
    policy: PolicyOption = "default",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Make another policy the current one for a scan. No source is read."""
    from provenance import pipeline

    tags = pipeline.retag(scan_name, policy=policy, store=store)
    if json:
        output.emit_json({"scan": scan_name, "policy": policy, "tags": dict(tags)})
    else:
        output.table(("tag", "records"), list(tags.items()), title=f"{scan_name} under {policy}")
    return 0
