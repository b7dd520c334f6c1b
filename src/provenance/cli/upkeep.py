"""Commands about the store itself: make one, look at it, verify it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, JsonOption, StoreOption


def init(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """Make an empty store. One that is there already stays as it is."""
    from provenance.store import Store

    output.outcome("store", str(Store.create(store).root), json=json)
    return 0


def status(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """Show what the store holds: scans and their state, reference sets, datasets, models."""
    from provenance import pipeline

    found = pipeline.status(store=store)
    if json:
        output.emit_json(found)
        return 0
    output.table(
        ("scan", "state", "policy", "sources", "records", "rejects", "skipped", "started"),
        [
            (
                s["name"],
                _state(s),
                s["policy"],
                s["sources"],
                s["records"],
                s["rejects"],
                s["skipped"],
                s["started_at"],
            )
            for s in found["scans"]
        ],
        title=f"store {store}",
    )
    for scan in found["scans"]:
        if scan["progress"] is not None:
            output.emit(f"scan {output.safe(scan['name'])}: {_progress(scan['progress'])}")
    if found["reference_sets"]:
        output.table(
            ("reference set", "label", "model", "released", "references"),
            [(s["name"], s["label"], s["model"], s["released"], s["references"]) for s in found["reference_sets"]],
        )
    index = found["index"]
    if "problem" in index:
        output.emit(f"index: {output.safe(index['problem'])}")
    elif index["segments"]:
        output.emit(
            f"index: {index['references']:,} references in {index['segments']:,} segments, "
            f"{output.size(index['bytes'])}; {index['common_passages']:,} passages too common to count"
        )
    if found["datasets"]:
        output.table(
            ("dataset", "records", "forgotten", "digest as sealed"),
            [(d["name"], d["records"], d["forgotten"], d["digest"]) for d in found["datasets"]],
        )
    for commit in found["commits"][:3]:
        moment = f"{commit['recorded_at']:%Y-%m-%d %H:%M:%S}"
        output.emit(f"commit {commit['number']} at {moment}: {output.safe(commit['note'])}")
    if found["forgotten"]:
        output.emit(f"{found['forgotten']:,} rows were erased by `forget`: see the table tombstones")
    for drift in found["drift"]:
        output.emit(output.safe(drift["sentence"]))
    output.emit(
        f"{found['records']:,} records, {found['models']:,} models, {found['edges']:,} edges, "
        f"{output.size(found['bytes'])} on disk, catalogue {found['catalogue']}"
    )
    return 0


def _state(scan: Mapping[str, Any]) -> str:
    """A scan that ended without some of its sources is as good as another for the rest of them."""
    count = scan["left_out"]
    return f"done, {count:,} source{'s' * (count != 1)} left out" if scan["state"] == "failed" else scan["state"]


_SILENT: Final = 120
"""Seconds after which a scan that says nothing may have been interrupted."""


def _progress(told: Mapping[str, Any]) -> str:
    """Say how far a running scan is, such as ``40.0% of 1.0 GB, 12,000 records, …, 2 min left``."""
    if "bytes" not in told:
        return "it has not said how far it is"
    share = told["bytes"] / told["bytes_total"] if told["bytes_total"] else 1.0
    pieces = [
        f"{share:.1%} of {output.size(told['bytes_total'])}",
        f"{told['records']:,} records",
        f"{told['records_per_second']:,.0f} records/s",
        f"{output.size(told['bytes_per_second'])}/s",
    ]
    silent = told["silent_seconds"]
    if silent > _SILENT:
        pieces.append(f"silent for {output.duration(silent)}: if it was interrupted, run the same scan again")
    elif told["seconds_left"] is not None:
        pieces.append(f"{output.duration(told['seconds_left'])} left")
    return ", ".join(pieces)


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Sweep files that no catalogue names.")] = False,
    absent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Only search every byte for this, such as an id or URL; exits with 1 if found."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Recount everything: checksums, counts, edges without ends, files that nothing names."""
    from provenance import pipeline

    if absent:
        return _absent(pipeline.absent(absent, store=store), json)
    report = pipeline.verify(store=store, repair=repair)
    if json:
        output.emit_json(report.as_dict())
    else:
        for problem in report.problems:
            output.emit(f"problem: {output.safe(problem)}")
        for mended in report.mended:
            output.emit(f"mended: {output.safe(mended)}")
        for swept in report.swept:
            output.emit(f"swept: {output.safe(swept)}")
        counted = f"{report.records:,} records counted" if report.sound else "records can't be trusted to be all there"
        output.emit(
            f"{'sound' if report.sound else 'NOT SOUND'}: {report.parts:,} parts and {report.segments:,} segments, "
            + counted
        )
        if not report.sound:
            output.emit("Restore the files that are named from a backup, or scan their sources again in a new store")
    return 0 if report.sound else 1


def _absent(found: Sequence[str], json: bool) -> int:
    if json:
        output.emit_json({"absent": not found, "found_in": list(found)})
    for path in () if json else found:
        output.emit(f"found in {output.safe(path)}")
    if not json and not found:
        output.emit("searched every byte of the store: it stands nowhere")
    return 1 if found else 0


def compact(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> int:
    """Merge the segments of the reference index into one, without withdrawn sets; look-ups get faster."""
    from provenance import pipeline

    result = pipeline.compact_index(store=store)
    if json:
        output.emit_json({name: getattr(result, name) for name in ("segments", "references", "dropped", "bytes")})
    elif not result.segments:
        output.emit("nothing to compact")
    else:
        output.emit(
            f"{result.segments} segments are one of {output.size(result.bytes)}: {result.references:,} references, "
            f"{result.dropped:,} dropped; `provenance verify --repair` frees the old ones once no kept catalogue names "
            "them"
        )
    return 0
