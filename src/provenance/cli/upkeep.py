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
    if found["datasets"]:
        output.table(
            ("dataset", "records", "digest"), [(d["name"], d["records"], d["digest"]) for d in found["datasets"]]
        )
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
