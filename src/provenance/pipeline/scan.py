"""Scan: read sources, observe every record, publish what was seen, and say what it amounts to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from provenance import policy as policies
from provenance.engine.local import default_jobs
from provenance.errors import SourceError, StoreError, UsageError
from provenance.pipeline import catalogue, export
from provenance.pipeline.changes import retag, retagged
from provenance.pipeline.identity import STAMP_COLUMNS, Input, Stamp, identify, rows_to_remember
from provenance.pipeline.reading import Progress, crew_for, read_sources
from provenance.pipeline.results import ScanResult, SourceCount
from provenance.pipeline.scanlog import ScanLog
from provenance.pipeline.versions import versions
from provenance.pipeline.worker import Scanning, prepare, scan_shard
from provenance.policy import Policy
from provenance.readers import ReadOptions, find_sources, remote
from provenance.readers.stdin import discard
from provenance.store import Store

_Row = dict[str, Any]


def scan(
    paths: str | Path | Sequence[str | Path],
    *,
    store: str | Path = "provenance-store",
    name: str | None = None,
    jobs: int | None = None,
    policy: str | Path | None = None,
    root: str | Path | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    url_column: str | None = None,
    date_column: str | None = None,
    out: str | Path | None = None,
    no_store: bool = False,
    style_model: str | Path | None = None,
    progress: Progress | None = None,
    shard_bytes: int | None = None,
    source_name: str | None = None,
) -> ScanResult:
    """Observe and tag every record of the sources, and publish it in the store.

    The same input under the same configuration and versions is the same scan: it is not read again, and
    a scan that was interrupted goes on where it had stopped, if its input is still the same.

    Args:
        paths: Files, folders (searched recursively), globs, URLs, or ``-`` for standard input.
        store: Folder of the store; made if it does not exist.
        name: Name to ask for the scan by; the name of the first path if left out. A scan keeps its first one.
        jobs: Worker processes; as many as there are processors if left out. One that hangs, dies or takes too much
            memory is replaced, and the record that it was at is rejected.
        policy: The policy that is current for this scan: a name or a TOML file. Left out: ``default`` for a new
            scan; a scan that is in the store already keeps its own.
        root: Folder that source URIs are kept relative to.
        text_column: Column or field that holds the text; found by its usual names if left out.
        id_column: Likewise for the record's own id.
        url_column: Likewise for the URL.
        date_column: Likewise for the capture time.
        out: Folder to write ``records-*.parquet`` and ``rejects-*.parquet`` to as well.
        no_store: Leave no trace in the store; reference sets registered there are still matched.
        style_model: A style model's file; the model that ships if left out.
        progress: Called with (bytes done, bytes in all, records so far).
        shard_bytes: Size of the parts that a source is cut into where its container can be cut; as suits the input and
            ``jobs`` if left out. What is seen does not depend on it.
        source_name: URI of standard input, where ``-`` is among the paths.

    Raises:
        UsageError: On wrong paths or columns, or sources without a single byte.
        SourceError: If none of the sources can be read. One among others is named in the result.
        PolicyError: On a malformed policy.
        ModelError: If the style model can't be used.
        StoreError: If the store can't be opened or written, or another process is at the same scan.
    """
    began = time.monotonic()
    wanted = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    judged_by = None if policy is None else policies.load(policy)
    seen_by = None if style_model is None else Path(style_model).resolve()
    looking: _Row = {**versions(seen_by)}
    options = ReadOptions(text_column=text_column, id_column=id_column, url_column=url_column, date_column=date_column)
    with contextlib.ExitStack() as cleanup:
        # A store that is of no use is better known before terabytes are digested.
        there = Store.open(store) if catalogue.exists(Path(store)) else None
        if there is not None:
            cleanup.enter_context(there.keeping())
        known = _known_digests(there)
        sources = find_sources(wanted, None if root is None else str(root), source_name)
        cleanup.callback(discard, sources)
        workers = jobs or default_jobs()
        crew = crew_for(scan_shard, partial(prepare, seen_by), sources, workers, shard_bytes)
        cleanup.enter_context(contextlib.closing(crew))
        inputs = identify(sources, known)
        if not any(item.source.bytes for item in inputs):
            raise UsageError(
                "There is nothing to read: " + ("the file is empty" if len(inputs) == 1 else "all files are empty"),
                place=", ".join(map(remote.without_secrets, wanted)),
                next_step="Check whether it was written to its end, or name another",
            )
        opened = _open(Path(store), there, no_store, cleanup)
        cleanup.enter_context(opened.session())
        cleanup.enter_context(opened.keeping())
        scan_id = _scan_id(inputs, options, looking)
        _claim(opened, scan_id, cleanup)
        before = catalogue.scan_row(opened, scan_id)
        already_done = before is not None and before["state"] == "finished"
        parts = late = 0
        if already_done:
            catalogue.refuse_lost_parts(opened, scan_id)
        if already_done and judged_by is not None:
            _judge(opened, scan_id, judged_by)
        elif not already_done:
            label = before["name"] if before else name or _label(source_name or wanted[0])
            references = opened if there is None else there
            snapshot = catalogue.live_segments(references)
            notes = {"digests": rows_to_remember(inputs), "scan_snapshots": [_snapshot_row(scan_id, snapshot)]}
            rematched = _begin(opened, scan_id, label, before, options, looking, judged_by, notes)
            scanning = Scanning(
                scan_id=scan_id,
                attempt=secrets.token_hex(4),
                store_root=opened.root,
                index_root=catalogue.index_folder(references),
                segments=snapshot[0],
                withdrawn=snapshot[1],
                options=options,
                style_model=seen_by,
            )
            finished = catalogue.finished_sources(opened, scan_id)
            waiting = [item for item in inputs if item.source_id not in finished]
            log = cleanup.enter_context(ScanLog(opened, scan_id))
            log.event("begin", scan=label, sources=len(inputs), waiting=len(waiting), jobs=workers)
            report = log.watching(progress)
            parts = read_sources(scan_shard, opened, scanning, waiting, workers, report, shard_bytes, crew=crew)
            _refuse_if_nothing_was_read(opened, scan_id)
            missed = _missed(opened, scan_id, rematched) if references is opened else []
            if missed:
                from provenance.pipeline.rematch import rematch_segments

                found = rematch_segments(opened, [scan_id], missed, verify=True, cause="scan", cause_id=scan_id)
                late = found.verified + found.unverified
            _finish(opened, scan_id)
            log.event("end", seconds=round(time.monotonic() - began, 1), late=late, **catalogue.totals(opened, scan_id))
        if out is not None:
            export.write_scan(opened, scan_id, Path(out))
        return _result(opened, scan_id, inputs, already_done, began, parts, late)


def _label(path: str) -> str:
    """Return the name of a scan that was given none: the last part of its first path, without what a URL may hide."""
    plain = remote.without_secrets(path).rstrip("/")
    return (plain.rpartition("/")[2] if remote.is_remote(path) else Path(plain).absolute().name) or "scan"


def _open(store: Path, there: Store | None, no_store: bool, cleanup: contextlib.ExitStack) -> Store:
    if not no_store:
        return there or Store.open_or_create(store)
    temporary = Store.create(Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="provenance-"))) / "store")
    if there is not None:
        catalogue.copy_references(there, temporary)
    return temporary


def _known_digests(store: Store | None) -> dict[tuple[str, Stamp], str]:
    """Return the digests that were taken for earlier scans, by location and stamp."""
    if store is None:
        return {}
    rows = catalogue.rows(store, "select * from digests order by recorded_at")
    return {(row["location"], Stamp(*(row[name] for name in STAMP_COLUMNS))): row["digest"] for row in rows}


def _scan_id(inputs: Sequence[Input], options: ReadOptions, looking: _Row) -> str:
    identity = {
        "inputs": sorted((item.source.uri, item.source.bytes, item.digest) for item in inputs),
        "options": asdict(options),
        "versions": looking,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _claim(store: Store, scan_id: str, cleanup: contextlib.ExitStack) -> None:
    if not cleanup.enter_context(store.claim(f"scan-{scan_id}")):
        raise StoreError(
            "Another process is at this very scan",
            place=str(store.root),
            next_step="Wait until it ends; what it has finished is not read again",
        )


def _judge(store: Store, scan_id: str, policy: Policy) -> None:
    """Make a policy the current one of a scan, unless it is that already."""
    known = catalogue.rows(store, "select policy_id from current_policies where scan_id = ?", [scan_id])
    if [row["policy_id"] for row in known] != [policy.policy_id]:
        retag(store, scan_id, policy)


def _begin(
    store: Store,
    scan_id: str,
    name: str,
    before: _Row | None,
    options: ReadOptions,
    seen: _Row,
    policy: Policy | None,
    notes: Mapping[str, Sequence[_Row]],
) -> bool:
    """Record that the scan runs. Returns whether late matches of an earlier attempt have to be found again."""
    if policy is None and before is None:
        policy = policies.load("default")
    with store.commit(f"begin scan {name}") as commit:
        row = {
            "scan_id": scan_id,
            "name": name if before else catalogue.free_name(commit, name),
            "state": "running",
            "configuration": asdict(options),
            "versions": seen,
            "started_at": commit.recorded_at,
        }
        commit.insert("scans", [row])
        if policy is not None and before is not None:
            retagged(commit, scan_id, commit.add_policy(policy))
        elif policy is not None:
            commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": commit.add_policy(policy)}])
        locations = [row["location"] for row in notes["digests"]]
        commit.execute("delete from digests where location in (select unnest(?))", [locations])
        for table, rows in notes.items():
            commit.insert(table, rows)
        # A source that an earlier attempt gave up is read again from its start. Matches that a registration found in
        # it stand in parts of no single source: they are found again at the end.
        commit.withdraw_unfinished_parts(scan_id)
        withdrawn = commit.execute(
            "update parts set withdrawn_at = ? where kind = 'matches' and group_id = ? and source_id is null "
            "and withdrawn_at is null returning path",
            [commit.recorded_at, scan_id],
        ).fetchall()
    return bool(withdrawn)


def _snapshot_row(scan_id: str, snapshot: tuple[tuple[str, ...], tuple[str, ...]]) -> _Row:
    return {"scan_id": scan_id, "segments": list(snapshot[0]), "withdrawn": list(snapshot[1])}


def _missed(store: Store, scan_id: str, rematched: bool) -> list[str]:
    """Return the segments whose sets the workers of some attempt did not know."""
    segments, withdrawn = catalogue.live_segments(store)
    missed: set[str] = set()
    for row in catalogue.rows(store, "select segments, withdrawn from scan_snapshots where scan_id = ?", [scan_id]):
        if rematched or set(json.loads(row["withdrawn"])) - set(withdrawn):  # a set that was withdrawn came back
            return list(segments)
        missed |= set(segments) - set(json.loads(row["segments"]))
    return sorted(missed)


def _refuse_if_nothing_was_read(store: Store, scan_id: str) -> None:
    """Raise if every source failed, and forget the scan: nothing was observed, and its name is free again."""
    tried = catalogue.source_counts(store, scan_id)
    if not tried or any(count["error"] is None or count["records"] for count in tried):
        return
    with store.commit(f"forget scan {scan_id}: none of its sources could be read") as commit:
        commit.withdraw_unfinished_parts(scan_id)
        for table in ("scan_log", "scan_policies", "sources"):
            commit.execute(f"delete from {table} where scan_id = ?", [scan_id])  # noqa: S608 - names from this line
        commit.execute("delete from edges where subject = ?", [scan_id])
    first = str(tried[0]["error"])
    raise SourceError(first if len(tried) == 1 else f"None of the {len(tried)} sources could be read. {first}")


def _finish(store: Store, scan_id: str) -> None:
    counts = catalogue.source_counts(store, scan_id)
    before = catalogue.scan_row(store, scan_id) or {}
    with store.commit(f"finish scan {scan_id}") as commit:
        row = {
            **{key: before.get(key) for key in ("scan_id", "name", "configuration", "versions", "started_at")},
            # A scan with a source that failed is run again to retry that source; a finished one is not.
            "state": "failed" if any(count["error"] for count in counts) else "finished",
            "finished_at": commit.recorded_at,
            **{key: sum(count[key] for count in counts) for key in ("records", "rejects", "skipped")},
        }
        commit.insert("scans", [row])


def _result(
    store: Store, scan_id: str, inputs: Sequence[Input], already_done: bool, began: float, parts: int, late: int
) -> ScanResult:
    reasons = catalogue.reasons(store, scan_id)
    tags: dict[str, int] = {}
    for (tag, _), count in reasons.items():
        tags[tag] = tags.get(tag, 0) + count
    return ScanResult(
        scan_id=scan_id,
        name=(catalogue.scan_row(store, scan_id) or {})["name"],
        already_done=already_done,
        tags=tags,
        reasons=reasons,
        sources=tuple(SourceCount(**row) for row in catalogue.source_counts(store, scan_id)),
        bytes=sum(item.source.bytes for item in inputs),
        seconds=time.monotonic() - began,
        parts=parts,
        late_matches=late,
    )
