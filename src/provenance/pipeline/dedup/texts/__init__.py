"""Texts of some records read again, as the sets of their shingles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.engine import Failed, Yielded, run
from provenance.fingerprint.minhash import SHINGLE_TOKENS, gram_powers
from provenance.pipeline import catalogue
from provenance.pipeline.dedup.sketches import binary, hexadecimal, mapped
from provenance.pipeline.observe import record_ids
from provenance.pipeline.reread import is_unchanged, reread
from provenance.readers import ReadOptions
from provenance.text.fold import fold
from provenance.text.repair import repair
from provenance.text.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Callable

    from provenance.store import Store

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shingles:
    """Distinct shingles of the texts that could be read.

    Attributes:
        text_of: int32, the number of each record's text by row, -1 where it was not read.
        sets: uint32, sorted within each text; mapped.
        starts: int64, where each text begins in ``sets``.
        ends: int64, where it ends.
        unreadable: URIs of sources that are gone or have changed.
    """

    text_of: npt.NDArray[np.int32]
    sets: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    """One source and the positions wanted of it."""

    source: dict[str, Any]
    options: ReadOptions
    positions: _Rows = field(repr=False)


def none(rows: int) -> Shingles:
    """Return what is known of ``rows`` records when no text was read."""
    nothing = np.zeros(0, np.int64)
    return Shingles(np.full(rows, -1, np.int32), np.zeros(0, np.uint32), nothing, nothing, ())


def read_shingles(
    store: Store,
    scan_id: str,
    ids: npt.NDArray[np.uint8],
    wanted: _Rows,
    folder: Path,
    jobs: int,
    progress: Callable[[int, int, int], None] | None = None,
) -> Shingles:
    """Read the texts of some records again.

    Args:
        store: The store.
        scan_id: The scan that holds them.
        ids: uint8 ``(n, 16)``, all record ids.
        wanted: Rows to read.
        folder: Where to keep the shingles, 4 bytes each.
        jobs: Processes that read.
        progress: Called with (bytes of sources done, in all, texts so far).
    """
    if not len(wanted):
        return none(len(ids))
    names = hexadecimal(ids[wanted])
    tasks = _tasks(store, scan_id, names)
    sorted_ids, rows = _sorted(ids[wanted], wanted)
    text_of = np.full(len(ids), -1, np.int32)
    lengths: list[npt.NDArray[np.int64]] = [np.zeros(1, np.int64)]
    unreadable: list[str] = []
    total, done, texts = sum(task.source["bytes"] for task in tasks), 0, 0
    with (folder / "shingles").open("w+b") as file:
        for event in run(read_source, tasks, jobs):
            task = tasks[event.task]
            if isinstance(event, Failed):
                unreadable.append(task.source["uri"])
            elif isinstance(event, Yielded):
                found, ends, sets = event.value
                keys = _keys(found)
                places = np.minimum(np.searchsorted(sorted_ids, keys), len(rows) - 1)
                asked = sorted_ids[places] == keys  # several records may have one position
                text_of[rows[places[asked]]] = (texts + np.flatnonzero(asked)).astype(np.int32)
                lengths.append(np.diff(ends, prepend=0))
                file.write(sets.data)
                texts += len(found)
                continue
            done += task.source["bytes"]
            if progress is not None:
                progress(done, total, texts)
        bounds = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        sets = mapped(file, np.uint32, (int(bounds[-1]),))
    return Shingles(text_of, sets, bounds[:-1], bounds[1:], tuple(sorted(unreadable)))


def read_source(task: _Task) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint32]]]:
    """Yield ids, ends and distinct shingles of the wanted texts of one source, batch by batch.

    Raises:
        OSError: If the source is gone, or its bytes are not the ones that were scanned.
    """
    from provenance.pipeline.dedup.texts.kernel import shingle_sets

    if not is_unchanged(task.source):
        raise OSError("The source is gone or has changed")
    powers = gram_powers(SHINGLE_TOKENS)
    for batch in reread(task.source, task.options, task.positions.tolist()):
        tokens = tokenize(fold(repair(batch.column("raw"))))
        ends = np.empty(len(tokens), np.int64)
        sets = np.empty(len(tokens.hashes) + 1, np.uint32)
        shingle_sets(tokens.hashes, tokens.offsets, powers, sets, ends)
        yield binary(pa.array(record_ids(batch, task.source["uri"]))), ends, sets[: ends[-1]]


def _tasks(store: Store, scan_id: str, names: pa.Array) -> list[_Task]:
    options = ReadOptions(**catalogue.read_options(catalogue.scan_row(store, scan_id) or {}))
    with store.read() as connection:
        connection.register("wanted", pa.table({"record_id": names}))
        places = connection.execute(
            "select source_id, position from observations join wanted using (record_id) where scan_id = ? "
            "order by source_id, position",
            [scan_id],
        ).fetchnumpy()
    sources, positions = np.asarray(places["source_id"]), np.asarray(places["position"], np.int64)
    tasks = []
    for row in catalogue.tried_sources(store, scan_id):
        here = positions[sources == row["source_id"]]
        if len(here):
            tasks.append(_Task(row, options, np.unique(here)))
    return tasks


def _keys(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.void]:
    return np.ascontiguousarray(ids).view("S16").reshape(-1)


def _sorted(ids: npt.NDArray[np.uint8], rows: _Rows) -> tuple[npt.NDArray[np.void], _Rows]:
    keys = _keys(ids)
    order = np.argsort(keys, kind="stable")
    return keys[order], rows[order]
