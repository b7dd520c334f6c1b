"""The short verbs: what needs one question or one commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from provenance import lineage
from provenance import policy as policies
from provenance.lineage import CheckResult, Loop
from provenance.pipeline import catalogue
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
    with opened.commit(f"retag {scan}") as commit:
        commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": commit.add_policy(judged_by)}])
    found = catalogue.rows(
        opened, "select tag, count(*) as records from records where scan_id = ? group by tag order by tag", [scan_id]
    )
    return {row["tag"]: row["records"] for row in found}


def check(
    dataset: str,
    for_model: str | None = None,
    policy: str | Path = "default",
    *,
    store: str | Path = "provenance-store",
) -> CheckResult:
    """The gate: may this dataset train this model under this policy?

    Raises:
        LineageError: If the dataset is not recorded.
    """
    return lineage.check(Store.open(store), dataset, for_model, policies.load(policy))


def loops(*, store: str | Path = "provenance-store") -> list[Loop]:
    """Return the feedback loops that recorded training runs close."""
    return lineage.feedback_loops(Store.open(store))


def add_model(
    name: str,
    *,
    parent: str | None = None,
    relation: str = "successor",
    family: str | None = None,
    released: dt.date | None = None,
    store: str | Path = "provenance-store",
) -> str:
    """Record a model and how it comes from another. Returns its node id."""
    opened = Store.open_or_create(store)
    return lineage.add_model(opened, name, parent=parent, relation=relation, family=family, released=released)


def add_dataset(
    name: str, *, scans: Sequence[str], keep: Collection[str] | None = None, store: str | Path = "provenance-store"
) -> str:
    """Record a dataset made of the records of scans, or of those with some tags. Returns its node id."""
    opened = Store.open(store)
    scan_ids = [catalogue.find_scan(opened, scan)["scan_id"] for scan in scans]
    return lineage.add_dataset(opened, name, scans=scan_ids, keep=keep)


def add_run(*, trains: str, on: Sequence[str], name: str | None = None, store: str | Path = "provenance-store") -> str:
    """Record a training run. Returns its node id."""
    return lineage.add_run(Store.open(store), trains=trains, on=on, name=name)


def trace(
    node: str, *, direction: Literal["up", "down", "both"] = "both", store: str | Path = "provenance-store"
) -> dict[str, list[dict[str, Any]]]:
    """Return what a node comes from and what came from it."""
    return lineage.trace(Store.open(store), node, direction)


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


def status(*, store: str | Path = "provenance-store") -> dict[str, Any]:
    """Return what the store holds."""
    opened = Store.open(store)
    counted = opened.status()
    scans = catalogue.rows(
        opened,
        "select scans.name, scans.scan_id, scans.state, chosen.policy_id as policy, count(tried.source_id) as sources, "
        "coalesce(sum(tried.records), 0)::bigint as records, coalesce(sum(tried.rejects), 0)::bigint as rejects, "
        "coalesce(sum(tried.skipped), 0)::bigint as skipped, any_value(scans.started_at) as started_at "
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
        "scans": [{**scan, "records": observed.get(scan["scan_id"], 0)} for scan in scans],
        "reference_sets": catalogue.rows(
            opened,
            "select set_id, name, label, model, released, reference_count as references from reference_sets "
            "where withdrawn_at is null order by name, label",
        ),
        "datasets": catalogue.rows(opened, "select name, records, digest from datasets order by recorded_at"),
        "records": sum(observed.values()),
        "models": len(catalogue.rows(opened, "select distinct model from models")),
        "edges": catalogue.rows(opened, "select count(*) as edges from lineage_edges")[0]["edges"],
        "bytes": counted["bytes"],
        "catalogue": counted["catalogue"],
    }
