"""Commands about the store itself: make one, look at it, verify it."""

from __future__ import annotations

from typing import Annotated

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
                s["state"],
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
            ("dataset", "records", "digest"), [(d["name"], d["records"], d["digest"]) for d in found["datasets"]]
        )
    for drift in found["drift"]:
        output.emit(output.safe(drift["sentence"]))
    output.emit(
        f"{found['records']:,} records, {found['models']:,} models, {found['edges']:,} edges, "
        f"{output.size(found['bytes'])} on disk, catalogue {found['catalogue']}"
    )
    return 0


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Sweep files that no catalogue names.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """Recount everything: checksums, counts, edges without ends, files that nothing names."""
    from provenance import pipeline

    report = pipeline.verify(store=store, repair=repair)
    if json:
        output.emit_json(report.as_dict())
    else:
        for problem in report.problems:
            output.emit(f"problem: {output.safe(problem)}")
        for swept in report.swept:
            output.emit(f"swept: {output.safe(swept)}")
        output.emit(
            f"{'sound' if report.sound else 'NOT SOUND'}: {report.parts:,} parts and {report.segments:,} segments, "
            f"{report.records:,} records counted"
        )
    return 0 if report.sound else 1


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
            f"{result.dropped:,} dropped; `provenance verify --repair` frees the old ones"
        )
    return 0
