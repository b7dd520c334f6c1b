"""Dedup: which records of a scan are copies of each other, and which one of each cluster is kept.

Two records are near-duplicates if the sets of 5-token shingles of their folded texts have a Jaccard similarity of
the threshold or more; a cluster is a connected component of such pairs. Stored fingerprints settle most pairs;
those near the threshold are settled by reading the texts again, where their sources are still as they were scanned.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from provenance.engine.local import default_jobs
from provenance.errors import UsageError
from provenance.pipeline import catalogue
from provenance.pipeline.dedup import clusters, likelihood, texts
from provenance.pipeline.dedup.sketches import Stored, hexadecimal, load
from provenance.pipeline.results import DedupResult, UniqueCount
from provenance.store import Store, write_part
from provenance.store.layout import STAGING

if TYPE_CHECKING:
    import numpy.typing as npt

    from provenance.pipeline.dedup.kernel import Odds, Sketches

METHOD: Final = "1"
"""Version of how clusters are made; another one makes what is stored stale."""

LOWEST_THRESHOLD: Final = 0.7
"""Below it, too many pairs share no band key."""

_BATCH: Final = 262_144
_COUNTS: Final = (
    *("records", "clusters", "clustered", "equal"),
    *("compared", "read_pairs", "open_pairs", "crowded", "unasked"),
)

Progress = Callable[[int, int, int], None]


def dedup(
    scan: str,
    *,
    threshold: float = LOWEST_THRESHOLD,
    verify: bool = True,
    jobs: int | None = None,
    store: str | Path = "provenance-store",
    progress: Progress | None = None,
) -> DedupResult:
    """Find the near-duplicates inside a scan and store them as the table ``duplicates``.

    What an earlier run stored is replaced; if it was the same, nothing is done.

    Args:
        scan: Name or id of a finished scan.
        threshold: Jaccard similarity of 5-token shingles from which two records are copies, 0.7 to 1.
        verify: Read texts again where fingerprints leave open whether a pair reaches the threshold.
        jobs: Processes that read; as many as there are processors if left out.
        store: Folder of the store.
        progress: Called with (bytes of sources read again, bytes in all, texts so far).

    Raises:
        UsageError: On an unknown scan, one that has not ended, or a threshold out of range.
    """
    if not LOWEST_THRESHOLD <= threshold <= 1:
        raise UsageError(
            f"A threshold of {threshold} is not between {LOWEST_THRESHOLD} and 1",
            next_step="Stored fingerprints find pairs of similarity 0.7 and more",
        )
    opened = Store.open(store)
    scan_row = catalogue.find_scan(opened, scan)
    scan_id = str(scan_row["scan_id"])
    if scan_row["state"] == "running":
        raise UsageError(
            f"The scan {scan_row['name']!r} has not ended, so copies among its records can't be told yet",
            place=str(opened.root),
            next_step="Wait for it; if it was interrupted, run the same `provenance scan` again, which goes on with it",
        )
    asked = {"method": METHOD, "inputs": _inputs(opened, scan_id), "threshold": float(threshold)}
    last = latest(opened, scan_id)
    if last is None or any(last[key] != value for key, value in asked.items()) or (verify and last["open_pairs"]):
        with opened.session(), tempfile.TemporaryDirectory(dir=opened.root / STAGING, prefix="dedup-") as folder:
            clustered, counts = _clusters(opened, scan_id, float(threshold), verify, jobs, Path(folder), progress)
            summary = {"scan_id": scan_id, "verify": verify, **asked, **counts}
            _publish(opened, scan_id, clustered, summary)
        return _result(opened, scan_row["name"], summary, already_done=False)
    return _result(opened, scan_row["name"], last, already_done=True)


def ensure_clusters(store: Store, scan_id: str, jobs: int | None = None, progress: Progress | None = None) -> None:
    """Make the clusters of a scan unless they are stored and still those of its records, under whatever threshold."""
    last = latest(store, scan_id) or {"threshold": LOWEST_THRESHOLD, "verify": True, "method": None, "inputs": None}
    if last["method"] != METHOD or last["inputs"] != _inputs(store, scan_id):
        how = {"threshold": last["threshold"], "verify": last["verify"]}
        dedup(scan_id, **how, jobs=jobs, store=store.root, progress=progress)


def latest(store: Store, scan_id: str) -> dict[str, Any] | None:
    """Return the row of ``dedup_log`` that counts for a scan, if it was ever looked through."""
    found = catalogue.rows(store, "select * from dedups where scan_id = ?", [scan_id])
    return found[0] if found else None


def _inputs(store: Store, scan_id: str) -> str:
    """Return a digest of the live parts that clusters are made of."""
    digest = hashlib.sha256()
    for part in _parts(store, scan_id, "observations", "fingerprints"):
        digest.update(part["checksum"].encode())
    return digest.hexdigest()[:32]


def _parts(store: Store, scan_id: str, *kinds: str) -> list[dict[str, Any]]:
    return catalogue.rows(
        store,
        "select path, checksum from parts where group_id = ? and list_contains(?, kind) and withdrawn_at is null "
        "order by checksum, path",
        [scan_id, list(kinds)],
    )


def _clusters(
    store: Store,
    scan_id: str,
    threshold: float,
    verify: bool,
    jobs: int | None,
    folder: Path,
    progress: Progress | None,
) -> tuple[Iterator[pa.Table], dict[str, Any]]:
    """Return rows of `schema.DUPLICATES` as they are asked for, and the counts of a run."""
    stored = load([store.root / part["path"] for part in _parts(store, scan_id, "fingerprints")], folder)
    found = clusters.link(stored, threshold)
    read = texts.none(len(stored))
    if verify:
        wanted = np.unique(np.concatenate((found.lefts, found.rights)))
        read = texts.read_shingles(store, scan_id, stored.ids, wanted, folder, jobs or default_jobs(), progress)
    compared, open_pairs = settle(found, read, threshold)
    roots = found.roots()
    sizes = np.bincount(roots, minlength=len(stored))
    rows = np.flatnonzero(sizes[roots] > 1)
    counts = {
        "records": len(stored),
        "clusters": int((sizes > 1).sum()),
        "clustered": len(rows),
        "equal": found.equal,
        "compared": found.compared,
        "read_pairs": compared,
        "open_pairs": open_pairs,
        "crowded": found.crowded,
        "unasked": found.unasked,
        "unreadable": list(read.unreadable),
    }
    return _members(store, scan_id, threshold, stored, read, rows, roots, folder), counts


def settle(found: clusters.Clusters, read: texts.Shingles, threshold: float) -> tuple[int, int]:
    """Decide the open pairs by their texts, or by what is more probable where one was not read.

    Returns:
        How many pairs were compared by their texts, and how many could not be.
    """
    from provenance.pipeline.dedup.kernel import unite_pairs
    from provenance.pipeline.dedup.texts.kernel import link_read

    undecided = np.zeros(len(found.lefts), np.bool_)
    compared, _ = link_read(
        found.lefts, found.rights, read.text_of, read.sets, read.starts, read.ends, threshold, found.parent, undecided
    )
    probable = undecided & (found.probabilities >= likelihood.EVEN)
    unite_pairs(found.parent, found.lefts[probable], found.rights[probable])
    return compared, int(undecided.sum())


def _members(
    store: Store,
    scan_id: str,
    threshold: float,
    stored: Stored,
    read: texts.Shingles,
    rows: npt.NDArray[np.int64],
    roots: npt.NDArray[np.int32],
    folder: Path,
) -> Iterator[pa.Table]:
    sketches, odds = stored.kernel_view(), likelihood.odds(threshold)
    members = {"row": rows, "root": roots[rows], "record_id": hexadecimal(stored.ids[rows])}
    with store.read() as connection:
        connection.execute("set temp_directory = $1", [str(folder / "spill")])
        connection.register("members", pa.table(members))
        reader = connection.sql(_sql("members"), params=[scan_id, threshold]).to_arrow_reader(_BATCH)
        for batch in reader:
            yield _with_similarity(batch, stored, sketches, odds, read)


def _with_similarity(
    batch: pa.RecordBatch, stored: Stored, sketches: Sketches, odds: Odds, read: texts.Shingles
) -> pa.Table:
    from provenance.pipeline.dedup.texts.kernel import similarities

    rows, kept = (batch.column(name).to_numpy() for name in ("row", "kept_row"))
    values, exact = np.empty(len(rows)), np.empty(len(rows), np.bool_)
    known = (read.text_of, read.sets, read.starts, read.ends)
    similarities(rows, kept, sketches, odds, likelihood.expected(), *known, values, exact)
    equal = (stored.checks[rows] == stored.checks[kept]).all(axis=1)
    table = pa.Table.from_batches([batch]).drop_columns(["row", "kept_row"])
    table = table.append_column("kept", pa.array(rows == kept))
    table = table.append_column("similarity", pa.array(np.where(equal, 1.0, values)))
    return table.append_column("verified", pa.array(equal | exact))


def _publish(store: Store, scan_id: str, rows: Iterator[pa.Table], summary: dict[str, Any]) -> None:
    part = write_part(store.root, "duplicates", scan_id, "clusters", rows)
    with store.commit("dedup") as commit:
        commit.execute(
            "update parts set withdrawn_at = ? where kind = 'duplicates' and group_id = ? and withdrawn_at is null",
            [commit.recorded_at, scan_id],
        )
        commit.add_part(part)
        commit.insert("dedup_log", [summary])


def _result(store: Store, name: str, summary: dict[str, Any], *, already_done: bool) -> DedupResult:
    scan_id = summary["scan_id"]
    tags = {row.pop("tag"): UniqueCount(**row) for row in catalogue.rows(store, _sql("unique"), [scan_id])}
    counts = {key: int(summary[key]) for key in _COUNTS}
    unreadable = summary["unreadable"]
    return DedupResult(
        scan_id,
        name,
        summary["threshold"],
        already_done,
        tags=tags,
        unreadable=tuple(json.loads(unreadable) if isinstance(unreadable, str) else unreadable),
        **counts,
    )


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
