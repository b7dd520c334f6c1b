"""The short verbs: what needs one question or one commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from provenance import lineage
from provenance import policy as policies
from provenance.errors import SegmentError
from provenance.index import Index
from provenance.lineage import Depth, Exposure, Loop, SelfGrading
from provenance.pipeline import catalogue, changes
from provenance.pipeline.drift import drift
from provenance.pipeline.gate import then
from provenance.pipeline.register import correct_release
from provenance.pipeline.scanlog import last_progress
from provenance.store import Store, VerifyReport


def retag(scan: str, *, policy: str | Path = "default", store: str | Path = "provenance-store") -> Mapping[str, int]:
    """Make another policy the current one for a scan; no source is read. Returns the records by tag.

    Raises:
        UsageError: If there is no such scan.
        PolicyError: If the policy is malformed.
    """
    judged_by = policies.load(policy)
    opened = Store.open(store)
    scan_id = catalogue.find_scan(opened, scan)["scan_id"]
    changes.retag(opened, scan_id, judged_by)
    found = catalogue.rows(
        opened, "select tag, count(*) as records from records where scan_id = ? group by tag order by tag", [scan_id]
    )
    return {row["tag"]: row["records"] for row in found}


def _at(store: str | Path, as_of: dt.datetime | None) -> tuple[Store, dt.datetime | None]:
    """Open a store; a moment that it can't tell of is refused."""
    opened = Store.open(store)
    return opened, None if as_of is None else then.moment(opened, as_of)


def loops(*, as_of: dt.datetime | None = None, store: str | Path = "provenance-store") -> list[Loop]:
    """Return the feedback loops that recorded training runs close, now or as of a moment."""
    opened, moment = _at(store, as_of)
    return lineage.feedback_loops(opened, as_of=moment)


def self_grading(*, as_of: dt.datetime | None = None, store: str | Path = "provenance-store") -> list[SelfGrading]:
    """Return text that was admitted on the word of the model that wrote it, or of a relative."""
    opened, moment = _at(store, as_of)
    return lineage.self_grading(opened, as_of=moment)


def depth(
    node: str | None = None, *, as_of: dt.datetime | None = None, store: str | Path = "provenance-store"
) -> list[Depth]:
    """Return the generation depth of a dataset, model, reference set or record; without a name of all but records."""
    opened, moment = _at(store, as_of)
    return lineage.generation_depth(opened, node, as_of=moment)


def exposure(model: str, *, as_of: dt.datetime | None = None, store: str | Path = "provenance-store") -> list[Exposure]:
    """Return what the training text of a model consisted of, by origin and generation."""
    opened, moment = _at(store, as_of)
    return lineage.exposure(opened, model, as_of=moment)


def add_model(
    name: str,
    *,
    parent: str | None = None,
    relation: str = "successor",
    family: str | None = None,
    developer: str | None = None,
    released: dt.date | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a model and how it comes from another. Returns its node id."""
    opened = Store.open_or_create(store)
    node = lineage.add_model(opened, name, parent=parent, relation=relation, family=family, developer=developer)
    if released is not None:
        correct_release(opened, node.removeprefix("model:"), released)
    return node


def add_dataset(
    name: str,
    *,
    scans: Sequence[str] = (),
    keep: Collection[str] | None = None,
    derived_from: Sequence[str] = (),
    version: str | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a dataset made of the records of scans, or of those with some tags, or of others. Returns its node id."""
    opened = Store.open(store)
    scan_ids = [catalogue.find_scan(opened, scan)["scan_id"] for scan in scans]
    return lineage.add_dataset(opened, name, scans=scan_ids, keep=keep, derived_from=derived_from, version=version)


def add_run(
    *,
    trains: str,
    on: Sequence[str],
    name: str | None = None,
    started_at: dt.datetime | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a training run. Returns its node id."""
    return lineage.add_run(Store.open(store), trains=trains, on=on, name=name, started_at=started_at)


def add_generation_run(
    name: str,
    *,
    model: str,
    inputs: Sequence[str] = (),
    started_at: dt.datetime | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a generation run. Returns its node id."""
    opened = Store.open_or_create(store)
    return lineage.add_generation_run(opened, name, model=model, inputs=inputs, started_at=started_at)


def add_generations(
    name: str,
    *,
    model: str | None = None,
    run: str | None = None,
    derived_from: Sequence[str] = (),
    texts: int | None = None,
    words: int | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a generation set whose texts are not at hand, or how a registered one came about. Returns its node id."""
    return lineage.add_generations(
        Store.open_or_create(store), name, model=model, run=run, derived_from=derived_from, texts=texts, words=words
    )


def add_evaluation(
    name: str,
    *,
    of: str,
    grader: str | None = None,
    on: Sequence[str] = (),
    relation: Literal["graded_by", "verified_by"] = "graded_by",
    started_at: dt.datetime | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record an evaluation: what was judged, and by which model. Returns its node id."""
    return lineage.add_evaluation(
        Store.open(store), name, of=of, grader=grader, on=on, relation=relation, started_at=started_at
    )


def add_edge(
    subject: str, relation: str, target: str, *, store: str | Path = "provenance-store"
) -> tuple[str, str, str]:
    """Record one edge between nodes that are known. Returns it with their ids."""
    return lineage.add_edge(Store.open(store), subject, relation, target)


def trace(
    node: str,
    *,
    direction: Literal["up", "down", "both"] = "both",
    as_of: dt.datetime | None = None,
    store: str | Path = "provenance-store",
) -> dict[str, list[dict[str, Any]]]:
    """Return what a node comes from and what came from it, now or as of a moment."""
    opened, moment = _at(store, as_of)
    return lineage.trace(opened, node, direction, as_of=moment)


def node_names(*, store: str | Path = "provenance-store") -> Callable[[str], str]:
    """Return a function from a node's id to ``kind name``, for people."""
    known = {
        row["id"]: f"{row['kind'].replace('_', ' ')} {row['name']}"
        for row in catalogue.rows(Store.open(store), "select id, kind, name from lineage_nodes")
    }
    return lambda node: known.get(node, node)


def verify(*, store: str | Path = "provenance-store", repair: bool = False) -> VerifyReport:
    """Recount everything in the store; with ``repair``, sweep what nothing names."""
    opened = Store.recover(store) if repair else Store.open(store)
    return opened.verify(repair=repair)


def standing_matches(set_id: str, *, store: str | Path = "provenance-store") -> tuple[int, int]:
    """Return how many matches with a reference set count now: verified ones, and those by fingerprints alone."""
    found = catalogue.rows(
        Store.open(store),
        "select count(*) filter (where verified) as verified, count(*) filter (where not verified) as unverified "
        "from current_matches where set_id = ?",
        [set_id],
    )
    return found[0]["verified"], found[0]["unverified"]


def status(*, store: str | Path = "provenance-store") -> dict[str, Any]:
    """Return what the store holds."""
    opened = Store.open(store)
    counted = opened.status()
    scans = catalogue.rows(
        opened,
        "select scans.name, scans.scan_id, scans.state, chosen.policy_id as policy, count(tried.source_id) as sources, "
        "coalesce(sum(tried.records), 0)::bigint as records, coalesce(sum(tried.rejects), 0)::bigint as rejects, "
        "coalesce(sum(tried.skipped), 0)::bigint as skipped, count(tried.error) as left_out, "
        "any_value(scans.started_at) as started_at "
        "from scans left join current_policies as chosen using (scan_id) left join ("
        "select * from sources "
        "qualify row_number() over (partition by scan_id, source_id order by recorded_at desc) = 1) as tried "
        "using (scan_id) group by all order by started_at",
    )
    # While a scan runs, its published observations say more than its finished sources.
    observed = {
        row["scan_id"]: row["records"]
        for row in catalogue.rows(
            opened,
            "select group_id as scan_id, sum(rows)::bigint as records from parts "
            "where kind = 'observations' and withdrawn_at is null group by group_id",
        )
    }
    return {
        "scans": [
            {
                **scan,
                "records": observed.get(scan["scan_id"], 0),
                "progress": last_progress(opened, scan["scan_id"]) if scan["state"] == "running" else None,
            }
            for scan in scans
        ],
        "commits": catalogue.rows(
            opened, "select number, note, recorded_at from commits order by recorded_at desc, number desc limit 5"
        ),
        "forgotten": catalogue.rows(opened, "select coalesce(sum(rows), 0)::bigint as rows from tombstones")[0]["rows"],
        "reference_sets": catalogue.rows(
            opened,
            "select set_id, name, label, model, released, reference_count as references from reference_sets "
            "where withdrawn_at is null order by name, label",
        ),
        "datasets": catalogue.rows(
            opened,
            "select name, records - coalesce(erased, 0) as records, coalesce(erased, 0) as forgotten, digest "
            "from datasets left join (select dataset_id, sum(rows)::bigint as erased from tombstones "
            "where kind = 'dataset_records' group by dataset_id) using (dataset_id) order by datasets.recorded_at",
        ),
        "records": sum(observed.values()),
        "models": len(catalogue.rows(opened, "select distinct model from models")),
        "edges": catalogue.rows(opened, "select count(*) as edges from lineage_edges")[0]["edges"],
        "index": _index(opened),
        "drift": [{**asdict(row), "sentence": row.sentence()} for row in drift(opened)],
        "bytes": counted["bytes"],
        "catalogue": counted["catalogue"],
    }


def _index(store: Store) -> dict[str, Any]:
    """Count what the reference index holds; passages that too many references have are neither found nor evidence."""
    segments, withdrawn = catalogue.live_segments(store)
    try:
        index = Index.open(catalogue.index_folder(store), segments, withdrawn)
    except SegmentError as error:
        return {"segments": len(segments), "problem": str(error)}
    return {
        "segments": len(segments),
        "references": index.references,
        "bytes": sum(shelf.segment.bytes for shelf in index.shelves),
        "common_passages": index.common_passages,
    }
