"""Scan: read sources, observe every record, publish what was seen, and say what it amounts to."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import xxhash

from provenance import policy as policies
from provenance.engine import Failed, Yielded, run
from provenance.engine.local import default_jobs
from provenance.errors import SourceError, StoreError, UsageError
from provenance.pipeline import catalogue, export
from provenance.pipeline.changes import retagged
from provenance.pipeline.rematch import rematch_segments
from provenance.pipeline.reread import file_digest
from provenance.pipeline.results import ScanResult, SourceCount
from provenance.pipeline.versions import versions
from provenance.pipeline.worker import PartsWritten, SourceRead, SourceTask, scan_source
from provenance.policy import Policy
from provenance.readers import ReadOptions, Source, find_sources
from provenance.store import PartFile, Store

Progress = Callable[[int, int, int], None]
_Row = dict[str, Any]

COMMIT_SECONDS: Final = 30.0
COMMIT_SOURCES: Final = 64
"""A scan publishes what it has after so long, or so many finished sources: often enough to be watched."""


@dataclass(frozen=True)
class _Input:
    source: Source
    source_id: str
    digest: str


@dataclass
class _Progress:
    """What has been done so far, by task."""

    inputs: Sequence[_Input]
    report: Progress | None
    bytes_done: dict[int, int] = field(default_factory=dict)
    records: dict[int, int] = field(default_factory=dict)

    def update(self, task: int, bytes_done: int, records: int) -> None:
        self.bytes_done[task], self.records[task] = bytes_done, records
        if self.report is not None:
            total = sum(item.source.bytes for item in self.inputs)
            self.report(sum(self.bytes_done.values()), total, sum(self.records.values()))


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
) -> ScanResult:
    """Observe and tag every record of the sources, and publish it in the store.

    The same input under the same configuration and versions is the same scan: it is not read again, and
    a scan that was interrupted goes on with the sources it had not finished.

    Args:
        paths: Files, folders (searched recursively) or globs.
        store: Folder of the store; made if it does not exist.
        name: Name to ask for the scan by; the name of the first path if left out. A scan keeps its first one.
        jobs: Worker processes; as many as there are processors if left out.
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
    if catalogue.exists(Path(store)):
        Store.open(store)  # A store that is of no use is better known before terabytes are digested.
    options = ReadOptions(text_column=text_column, id_column=id_column, url_column=url_column, date_column=date_column)
    inputs = [_identify(source) for source in find_sources(wanted, None if root is None else str(root))]
    if not any(item.source.bytes for item in inputs):
        raise UsageError(
            "There is nothing to read: " + ("the file is empty" if len(inputs) == 1 else "all files are empty"),
            place=", ".join(wanted),
            next_step="Check whether it was written to its end, or name another",
        )
    with contextlib.ExitStack() as cleanup:
        opened = _open(Path(store), no_store, cleanup)
        cleanup.enter_context(opened.session())
        scan_id = _scan_id(inputs, options, looking)
        _claim(opened, scan_id, cleanup)
        before = catalogue.scan_row(opened, scan_id)
        already_done = before is not None and before["state"] == "finished"
        parts = late = 0
        if already_done and judged_by is not None:
            _judge(opened, scan_id, judged_by)
        elif not already_done:
            label = before["name"] if before else name or Path(wanted[0]).absolute().name or "scan"
            rematched = _begin(opened, scan_id, label, before, options, looking, judged_by)
            references = Store.open(store) if no_store and catalogue.exists(Path(store)) else opened
            snapshot = catalogue.live_segments(references)
            tasks = _tasks(opened, references, snapshot, scan_id, inputs, options, seen_by)
            parts = _read_all(opened, scan_id, tasks, inputs, jobs or default_jobs(), progress)
            _refuse_if_nothing_was_read(opened, scan_id)
            missed = _missed(opened, snapshot, rematched) if references is opened else []
            if missed:
                found = rematch_segments(opened, [scan_id], missed, verify=True, cause="scan", cause_id=scan_id)
                late = found.verified + found.unverified
            _finish(opened, scan_id)
        if out is not None:
            export.write_scan(opened, scan_id, Path(out))
        return _result(opened, scan_id, inputs, already_done, began, parts, late)


def _open(store: Path, no_store: bool, cleanup: contextlib.ExitStack) -> Store:
    if not no_store:
        return Store.open_or_create(store)
    temporary = Store.create(Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="provenance-"))) / "store")
    if catalogue.exists(store):
        catalogue.copy_references(Store.open(store), temporary)
    return temporary


def _identify(source: Source) -> _Input:
    try:
        digest = file_digest(Path(source.location))
    except OSError as error:
        raise UsageError(
            f"The source can't be read: {error.strerror}", place=source.location, next_step="Check its permissions"
        ) from error
    return _Input(source, xxhash.xxh3_128_hexdigest(source.uri.encode()), digest)


def _scan_id(inputs: Sequence[_Input], options: ReadOptions, looking: _Row) -> str:
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
        with store.commit(f"retag {scan_id}") as commit:
            retagged(commit, scan_id, commit.add_policy(policy))


def _begin(
    store: Store, scan_id: str, name: str, before: _Row | None, options: ReadOptions, seen: _Row, policy: Policy | None
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
        # What an interrupted attempt published of sources it did not finish is read again from their start. Matches
        # that a registration found in it stand in parts of no single source: they are found again at the end.
        commit.withdraw_unfinished_parts(scan_id)
        withdrawn = commit.execute(
            "update parts set withdrawn_at = ? where kind = 'matches' and group_id = ? and source_id is null "
            "and withdrawn_at is null returning path",
            [commit.recorded_at, scan_id],
        ).fetchall()
    return bool(withdrawn)


def _missed(store: Store, before: tuple[tuple[str, ...], tuple[str, ...]], rematched: bool) -> list[str]:
    """Return the segments whose sets the workers did not know."""
    segments, withdrawn = catalogue.live_segments(store)
    if rematched or set(before[1]) - set(withdrawn):  # a set that was withdrawn came back
        return list(segments)
    return sorted(set(segments) - set(before[0]))


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


def _tasks(
    store: Store,
    references: Store,
    snapshot: tuple[tuple[str, ...], tuple[str, ...]],
    scan_id: str,
    inputs: Sequence[_Input],
    options: ReadOptions,
    style_model: Path | None,
) -> list[SourceTask]:
    finished = catalogue.finished_sources(store, scan_id)
    segments, withdrawn = snapshot
    attempt = secrets.token_hex(4)
    return [
        SourceTask(
            source=item.source,
            scan_id=scan_id,
            source_id=item.source_id,
            attempt=attempt,
            store_root=store.root,
            index_root=catalogue.index_folder(references),
            segments=segments,
            withdrawn=withdrawn,
            options=options,
            style_model=style_model,
        )
        for item in inputs
        if item.source_id not in finished
    ]


def _read_all(
    store: Store,
    scan_id: str,
    tasks: Sequence[SourceTask],
    inputs: Sequence[_Input],
    jobs: int,
    report: Progress | None,
) -> int:
    waiting = {task.source_id for task in tasks}
    todo = [item for item in inputs if item.source_id in waiting]
    tracker = _Progress(todo, report)
    publisher = _Publisher(store, scan_id, todo)
    with contextlib.closing(run(scan_source, tasks, jobs)) as events:
        try:
            for event in events:
                if isinstance(event, Failed):
                    publisher.source_failed(event.task, event.error)
                elif isinstance(event, Yielded) and isinstance(event.value, PartsWritten):
                    tracker.update(event.task, event.value.bytes_read, event.value.records)
                    publisher.parts.extend(event.value.parts)
                elif isinstance(event, Yielded):
                    tracker.update(event.task, todo[event.task].source.bytes, event.value.records)
                    publisher.source_read(event.task, event.value)
                publisher.publish_if_due()
        except KeyboardInterrupt:
            publisher.publish()  # sources that are finished need not be read again
            raise
    publisher.publish()
    return publisher.published


class _Publisher:
    """Collects what workers report and commits it from time to time: the one writer of the store."""

    def __init__(self, store: Store, scan_id: str, inputs: Sequence[_Input]) -> None:
        self.store = store
        self.scan_id = scan_id
        self.inputs = inputs
        self.parts: list[PartFile] = []
        self.sources: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.due = time.monotonic() + COMMIT_SECONDS
        self.published = 0

    def source_read(self, task: int, read: SourceRead) -> None:
        """Take note of a source that was read to its end, or that can't be read at all."""
        self.parts.extend(read.parts)
        self._add(task, read.format, read.records, read.rejects, read.skipped, read.read, read.error)

    def source_failed(self, task: int, error: str) -> None:
        """Take note of a source whose worker died: what it had written does not count, because it can't be complete."""
        source_id = self.inputs[task].source_id
        self.parts = [part for part in self.parts if part.source_id != source_id]
        self.broken.append(source_id)
        self._add(task, "", 0, 0, {}, 0, error)

    def _add(
        self, task: int, form: str, records: int, rejects: int, skipped: dict[str, int], read: int, error: str | None
    ) -> None:
        self.sources.append(
            {
                **self._identity(task),
                "format": form,
                "records": records,
                "rejects": rejects,
                "skipped": sum(skipped.values()),
                "skipped_by_kind": skipped,
                "read": read,
                "error": error,
            }
        )

    def _identity(self, task: int) -> dict[str, Any]:
        item = self.inputs[task]
        return {
            "source_id": item.source_id,
            "scan_id": self.scan_id,
            "uri": item.source.uri,
            "location": catalogue.storable(str(Path(item.source.location).resolve())),
            "bytes": item.source.bytes,
            "digest": item.digest,
        }

    def publish_if_due(self) -> None:
        if len(self.sources) >= COMMIT_SOURCES or (self.parts and time.monotonic() >= self.due):
            self.publish()

    def publish(self) -> None:
        if self.parts or self.sources:
            with self.store.commit(f"scan {self.scan_id}") as commit:
                for part in self.parts:
                    commit.add_part(part)
                for source_id in self.broken:
                    commit.withdraw_source_parts(self.scan_id, source_id)
                commit.insert("sources", self.sources)
                commit.add_edges(
                    [
                        (self.scan_id, "used", f"source:{row['source_id']}", {"digest": row["digest"]})
                        for row in self.sources
                    ]
                )
            self.published += len(self.parts)
            self.parts, self.sources, self.broken = [], [], []
        self.due = time.monotonic() + COMMIT_SECONDS


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
    store: Store, scan_id: str, inputs: Sequence[_Input], already_done: bool, began: float, parts: int, late: int
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
