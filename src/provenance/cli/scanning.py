"""Commands that read texts: scan, register, filter and what follows from them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import output
from provenance.cli.changes import changes_as_json, print_changes
from provenance.cli.first import say_if_compiling
from provenance.cli.options import (
    DEFAULT_STORE,
    DateColumn,
    IdColumn,
    JobsOption,
    JsonOption,
    PolicyOption,
    ScanPolicyOption,
    StoreOption,
    StyleModelOption,
    TextColumn,
    UrlColumn,
)

if TYPE_CHECKING:
    from provenance.pipeline.results import DedupResult, RematchResult, ScanResult

Paths = Annotated[list[str], typer.Argument(metavar="PATHS...", help="Files, folders, globs or URLs.")]
VerifyOption = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Read the sources again to verify what was found.")
]


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
    style_model: StyleModelOption = None,
    source_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What standard input (`-` as a path) is called, such as a.jsonl.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything was rejected.")] = False,
    json: JsonOption = False,
) -> int:
    """Observe and tag every record: human, synthetic or unknown, with the reason."""
    from provenance import pipeline

    say_if_compiling()
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
            style_model=style_model,
            progress=progress,
            source_name=source_name,
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
    output.left_out(
        "nothing readable",
        [
            (source.uri, "everything in it was rejected; table `rejects` says why")
            for source in result.sources
            if source.rejects and not source.records and source.error is None
        ],
        "select uri, rejects from sources where records = 0 and rejects > 0",
    )
    output.left_out(
        "not read",
        [(source.uri, str(source.error)) for source in result.failed_sources],
        "select uri, error from sources where error is not null",
    )


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
    verify: VerifyOption = True,
    jobs: JobsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Fingerprint known texts and find them in everything scanned before."""
    from provenance import pipeline
    from provenance.errors import UsageError

    if synthetic == human:
        raise UsageError("Say who wrote the texts", next_step="Give either --synthetic --model NAME, or --human")
    say_if_compiling()
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
            verify=verify,
            jobs=jobs,
            progress=progress,
        )
    if json:
        rematched = {**vars(result.rematch), "changes": changes_as_json(result.rematch.changes)}
        output.emit_json({**vars(result), "rematch": rematched, "changes": changes_as_json(result.changes)})
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
    if result.already_done:
        verified, unverified = pipeline.standing_matches(result.set_id, store=store)
        output.emit(f"in all, {verified:,} of its matches stand verified, {unverified:,} not verified")
    print_changes(result.changes)
    return 0


def _print_rematch(result: RematchResult) -> None:
    if result.scans:
        output.emit(
            f"matched against {len(result.scans)} earlier scans: {result.candidates:,} candidates, "
            f"{result.verified:,} newly verified, {result.unverified:,} new and not verified"
        )
    for place in result.unreadable:
        output.note(f"could not be read again, matches stay unverified: {output.safe(place)}")
    if result.unread:
        output.note(
            f"{result.unread:,} candidates were not read again, those with the shortest passages; "
            "`provenance rematch` reads them all"
        )


def unregister(
    reference_set: Annotated[str, typer.Argument(metavar="SET", help="Name or id of the set.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Withdraw a reference set: its matches no longer count. What it decided before stays in the history."""
    from provenance import pipeline

    result = pipeline.unregister(reference_set, store=store)
    if json:
        output.emit_json({"withdrawn": result.set_id, "name": result.name, "changes": changes_as_json(result.changes)})
        return 0
    output.emit(f"withdrawn {output.safe(result.name)} ({result.set_id})")
    print_changes(result.changes)
    return 0


def rematch(
    scan_name: Annotated[str | None, typer.Option("--scan", help="One scan; all of them if left out.")] = None,
    verify: VerifyOption = True,
    jobs: JobsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Match every scan against every reference set again, from stored fingerprints."""
    from provenance import pipeline

    with output.progress("rematch") as progress:
        result = pipeline.rematch(store=store, scan=scan_name, verify=verify, jobs=jobs, progress=progress)
    if json:
        output.emit_json({**vars(result), "changes": changes_as_json(result.changes)})
    else:
        _print_rematch(result)
        print_changes(result.changes)
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
    dedup: Annotated[bool, typer.Option("--dedup", help="Of near-duplicates keep one.")] = False,
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
            dedup=dedup,
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
    output.left_out(
        "left out, because the scan could not read it to its end",
        list(zip(result.unread_sources, result.unread_reasons, strict=True)),
        "select uri, error from sources where error is not null",
    )
    if result.dataset_id:
        output.emit(f"dataset {output.safe(result.dataset_id)}")
    return 0


def dedup(
    scan_name: Annotated[str, typer.Argument(metavar="SCAN", help="Name or id of a scan.")],
    threshold: Annotated[
        float, typer.Option(help="Jaccard similarity of 5-word runs from which two records are copies, 0.7 to 1.")
    ] = 0.7,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Read texts again where fingerprints leave a pair open.")
    ] = True,
    jobs: JobsOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Find the near-duplicates inside a scan: clusters, of which one record each is kept, and unique words by tag."""
    from provenance import pipeline

    with output.progress("dedup") as progress:
        result = pipeline.dedup(
            scan_name, threshold=threshold, verify=verify, jobs=jobs, store=store, progress=progress
        )
    if json:
        tags = {tag: vars(count) for tag, count in result.tags.items()}
        output.emit_json({**vars(result), "dropped": result.dropped, "tags": tags})
    else:
        _print_dedup(result)
    return 0


def _print_dedup(result: DedupResult) -> None:
    if result.already_done:
        output.note("The same clusters are in the store already; nothing was compared.")
    output.table(
        ("tag", "records", "unique records", "words", "unique words"),
        [(tag, n.records, n.unique_records, n.words, n.unique_words) for tag, n in result.tags.items()],
        title=f"scan {output.safe(result.name)} without copies",
    )
    output.emit(
        f"{result.clusters:,} clusters hold {result.clustered:,} of {result.records:,} records; "
        f"{result.dropped:,} are copies of the one that is kept ({result.equal:,} have the same text)"
    )
    if result.open_pairs:
        output.note(f"{result.open_pairs:,} pairs near the threshold were decided by fingerprints alone")
    if result.crowded or result.unasked:
        output.note(
            f"{result.crowded:,} times a record shared a key with too many others, and {result.unasked:,} pairs near "
            "the threshold were passed over: some clusters of much repeated text may be in parts"
        )
    for place in result.unreadable:
        output.note(f"could not be read again: {output.safe(place)}")


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
