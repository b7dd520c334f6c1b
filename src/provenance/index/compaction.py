"""Compaction: several segments become one, without withdrawn sets."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.index import build
from provenance.index.build import parameters
from provenance.index.lookup import Shelf, make_shelf
from provenance.index.segment import ReferenceSet, Segment, SegmentWriter, open_segment

_TOKENS_AT_ONCE: Final = 1 << 24
_NONE: Final = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class _Plan:
    """Where every text goes.

    ``shelf`` and ``text``: where each new text comes from. ``renumbered``: for each shelf the new number of each old
    text; ``home``: whether the new text comes from there.
    """

    shelf: npt.NDArray[np.int64]
    text: npt.NDArray[np.int64]
    renumbered: list[npt.NDArray[np.uint32]]
    home: list[npt.NDArray[np.bool_]]


def compact(folder: Path, segments: Sequence[str], withdrawn: Collection[str] = ()) -> Segment:
    """Write one segment that holds what these hold together; they stay as they are.

    Args:
        folder: The folder that holds segments.
        segments: What to merge, at least one.
        withdrawn: Sets to leave out.

    Returns:
        The new segment. The same contents give the same bytes however they were split.

    Raises:
        SegmentError: One is missing, damaged or of another version.
    """
    now = parameters()
    shelves = [make_shelf(open_segment(folder, name, now), frozenset(withdrawn)) for name in sorted(set(segments))]
    plan = _plan(shelves)
    texts = len(plan.shelf)
    with SegmentWriter(folder) as writer:
        build.write_texts(writer, _rows_of(shelves, plan, "checks"), _rows_of(shelves, plan, "content_ids"))
        lengths = _write_tokens(writer, shelves, plan)
        _write_bands(writer, shelves, plan, int((lengths > 0).sum()), now["bands"])
        _write_passages(writer, shelves, plan)
        sets, references = _write_references(writer, shelves, plan, texts)
        name = writer.finish(sets, texts, references, now)
    return open_segment(folder, name, now)


def _plan(shelves: list[Shelf]) -> _Plan:
    alive = [
        np.flatnonzero(shelf.live_texts) if len(shelf.live_texts) else np.arange(shelf.segment.texts)
        for shelf in shelves
    ]
    shelf = np.concatenate([np.full(len(texts), k) for k, texts in enumerate(alive)])
    text = np.concatenate(alive)
    checks = np.concatenate(
        [s.segment["checks"].reshape(-1, 16)[texts] for s, texts in zip(shelves, alive, strict=True)]
    )
    high, low = (checks[:, k : k + 8].copy().view(">u8").reshape(-1).astype(np.uint64) for k in (0, 8))
    order = np.lexsort((shelf, low, high))
    shelf, text, high, low = shelf[order], text[order], high[order], low[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    number = np.cumsum(first) - 1
    renumbered = [np.full(s.segment.texts, _NONE, dtype=np.uint32) for s in shelves]
    home = [np.zeros(s.segment.texts, dtype=bool) for s in shelves]
    for k in range(len(shelves)):
        here = shelf == k
        renumbered[k][text[here]] = number[here]
        home[k][text[here & first]] = True
    return _Plan(shelf[first], text[first], renumbered, home)


def _rows_of(shelves: list[Shelf], plan: _Plan, name: str) -> npt.NDArray[np.uint8]:
    out = np.empty((len(plan.shelf), 16), dtype=np.uint8)
    for k, shelf in enumerate(shelves):
        here = plan.shelf == k
        out[here] = shelf.segment[name].reshape(-1, 16)[plan.text[here]]
    return out


def _write_tokens(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan) -> npt.NDArray[np.int64]:
    lengths = np.empty(len(plan.shelf), dtype=np.int64)
    for k, shelf in enumerate(shelves):
        here = plan.shelf == k
        lengths[here] = np.diff(shelf.segment["token_offsets"])[plan.text[here]]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    writer.add("token_offsets", offsets)
    writer.begin("tokens")
    from provenance.index import kernel

    start = 0
    while start < len(lengths):
        end = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _TOKENS_AT_ONCE, side="right")) - 1)
        out = np.empty(offsets[end] - offsets[start], dtype=np.uint32)
        for k, shelf in enumerate(shelves):
            here = start + np.flatnonzero(plan.shelf[start:end] == k)
            segment = shelf.segment
            kernel.scatter(
                segment["tokens"], segment["token_offsets"], plan.text[here], out, offsets[here] - offsets[start]
            )
        writer.append(out)
        start = end
    return lengths


def _write_bands(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan, postings: int, bands: int) -> None:
    every_key = [shelf.segment["band_keys"].reshape(bands, -1) for shelf in shelves]
    every_text = [shelf.segment["band_texts"].reshape(bands, -1) for shelf in shelves]

    def postings_of(band: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        keys, texts = [], []
        for k in range(len(shelves)):
            old = every_text[k][band]
            kept = np.flatnonzero(plan.home[k][old])
            keys.append(every_key[k][band][kept])
            texts.append(plan.renumbered[k][old[kept]])
        return np.concatenate(keys), np.concatenate(texts).astype(np.int64)

    build.write_bands(writer, bands, postings, postings_of)


def _write_passages(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan) -> None:
    total = sum(len(shelf.segment["passage_keys"]) for shelf in shelves)
    postings = sum(int(plan.home[k][shelf.segment["passage_texts"]].sum()) for k, shelf in enumerate(shelves))
    pieces = max(1, -(-total // build.CHUNK))
    limits = [(1 << 32) * i // pieces for i in range(pieces + 1)]

    def chunks() -> Iterator[build.Postings]:
        for low, high in itertools.pairwise(limits):
            keys, texts, positions = [], [], []
            for k, shelf in enumerate(shelves):
                segment = shelf.segment
                start = int(np.searchsorted(segment["passage_keys"], np.uint32(low)))
                end = int(np.searchsorted(segment["passage_keys"], np.uint32(high - 1), side="right"))
                old = segment["passage_texts"][start:end]
                kept = np.flatnonzero(plan.home[k][old])
                keys.append(segment["passage_keys"][start:end][kept])
                texts.append(plan.renumbered[k][old[kept]])
                positions.append(segment["passage_positions"][start:end][kept])
            order = np.argsort(np.concatenate(texts), kind="stable")
            yield np.concatenate(keys)[order], np.concatenate(texts)[order], np.concatenate(positions)[order]

    build.write_passages(writer, postings, chunks())


def _write_references(
    writer: SegmentWriter, shelves: list[Shelf], plan: _Plan, texts: int
) -> tuple[list[ReferenceSet], int]:
    live = (
        entry
        for shelf in shelves
        for entry, counts in zip(shelf.segment.sets, shelf.live_sets.tolist(), strict=True)
        if counts
    )
    sets = sorted(set(live))
    position = {entry: k for k, entry in enumerate(sets)}
    found = set()
    for k, shelf in enumerate(shelves):
        segment = shelf.segment
        new = np.repeat(plan.renumbered[k], np.diff(segment["reference_offsets"]))
        of_set = segment["reference_sets"]
        for reference in np.flatnonzero(shelf.live_sets[of_set]).tolist():
            entry = position[segment.sets[of_set[reference]]]
            found.add((int(new[reference]), entry, segment.reference_id(reference).encode()))
    ordered = sorted(found)
    counts = np.bincount(np.array([entry[0] for entry in ordered], dtype=np.int64), minlength=texts)
    build.write_references(
        writer, counts, np.array([entry[1] for entry in ordered], dtype=np.uint32), [entry[2] for entry in ordered]
    )
    return sets, len(ordered)
