"""Compaction: several segments become one, without withdrawn sets.

Texts are ordered by check everywhere, so everything is merged range by range. What stays in memory is some 30 bytes
for each text and reference, and one range.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from provenance.index import build
from provenance.index.build import parameters
from provenance.index.lookup import Shelf, make_shelf
from provenance.index.segment import ReferenceSet, Segment, SegmentWriter, open_segment

TEXTS_AT_ONCE: Final = 1 << 18
"""Texts of a range, about."""
_TOKENS_AT_ONCE: Final = 1 << 24
_NONE: Final = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True)
class _Range:
    """Neighbouring texts: the first and one past the last, in the new segment and in each shelf."""

    start: int
    end: int
    old: list[tuple[int, int]]


@dataclass(frozen=True)
class _Plan:
    """Where every text goes.

    ``shelf`` and ``text``: where each new text comes from. ``renumbered``: for each shelf the new number of each old
    text; ``home``: whether the new text comes from there.
    """

    shelf: npt.NDArray[np.uint16]
    text: npt.NDArray[np.uint32]
    renumbered: list[npt.NDArray[np.uint32]]
    home: list[npt.NDArray[np.bool_]]
    ranges: list[_Range]


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
    with SegmentWriter(folder) as writer:
        build.write_texts(writer, _rows_of(shelves, plan, "checks"), _rows_of(shelves, plan, "content_ids"))
        with_tokens = _write_tokens(writer, shelves, plan)
        _write_bands(writer, shelves, plan, with_tokens, now["bands"])
        common = _write_passages(writer, shelves, plan)
        sets = sorted({entry for shelf in shelves for entry in _live_sets(shelf)})
        counted = [0]
        build.write_references(writer, _references(shelves, plan, sets, counted))
        name = writer.finish(sets, len(plan.shelf), counted[0], common, now)
    return open_segment(folder, name, now)


def _plan(shelves: list[Shelf]) -> _Plan:
    shelf_parts, text_parts, ranges = [], [], []
    renumbered = [np.full(s.segment.texts, _NONE, dtype=np.uint32) for s in shelves]
    home = [np.zeros(s.segment.texts, dtype=bool) for s in shelves]
    pieces = 1 << (sum(s.segment.texts for s in shelves) // TEXTS_AT_ONCE).bit_length()
    done = 0
    for low, high in build.limits_of(pieces):
        old = [_between(s.segment["check_keys"], low, high) for s in shelves]
        alive = [
            start + (np.flatnonzero(s.live_texts[start:end]) if len(s.live_texts) else np.arange(end - start))
            for s, (start, end) in zip(shelves, old, strict=True)
        ]
        checks = [s.segment["checks"].reshape(-1, 16)[texts] for s, texts in zip(shelves, alive, strict=True)]
        words = np.concatenate(checks).view(">u8").astype(np.uint64)
        shelf = np.repeat(np.arange(len(shelves), dtype=np.uint16), [len(texts) for texts in alive])
        text = np.concatenate(alive)
        order = np.lexsort((shelf, words[:, 1], words[:, 0]))
        shelf, text, words = shelf[order], text[order], words[order]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (words[1:] != words[:-1]).any(axis=1)
        number = (done + np.cumsum(first) - 1).astype(np.uint32)
        for k in range(len(shelves)):
            here = shelf == k
            renumbered[k][text[here]] = number[here]
            home[k][text[here & first]] = True
        shelf_parts.append(shelf[first])
        text_parts.append(text[first].astype(np.uint32))
        ranges.append(_Range(done, done + int(first.sum()), old))
        done = ranges[-1].end
    return _Plan(np.concatenate(shelf_parts), np.concatenate(text_parts), renumbered, home, ranges)


def _between(keys: npt.NDArray[np.uint32], low: int, high: int) -> tuple[int, int]:
    """Return where sorted keys from ``low`` to ``high`` start and end."""
    return (
        int(np.searchsorted(keys, np.uint32(low))),
        int(np.searchsorted(keys, np.uint32(high), side="right")),
    )


def _rows_of(shelves: list[Shelf], plan: _Plan, name: str) -> npt.NDArray[np.uint8]:
    out = np.empty((len(plan.shelf), 16), dtype=np.uint8)
    for k, shelf in enumerate(shelves):
        here = plan.shelf == k
        out[here] = shelf.segment[name].reshape(-1, 16)[plan.text[here]]
    return out


def _write_tokens(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan) -> int:
    """Write the token sequences; return how many texts have any."""
    from provenance.index import kernel

    offsets = np.zeros(len(plan.shelf) + 1, dtype=np.int64)
    for k, shelf in enumerate(shelves):
        here = plan.shelf == k
        old = shelf.segment["token_offsets"]
        offsets[1:][here] = old[plan.text[here] + np.int64(1)] - old[plan.text[here]]
    with_tokens = int(np.count_nonzero(offsets))
    np.cumsum(offsets, out=offsets)
    writer.add("token_offsets", offsets)
    writer.begin("tokens")
    start, texts = 0, len(plan.shelf)
    while start < texts:
        end = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _TOKENS_AT_ONCE, side="right")) - 1)
        out = np.empty(offsets[end] - offsets[start], dtype=np.uint32)
        for k, shelf in enumerate(shelves):
            here = start + np.flatnonzero(plan.shelf[start:end] == k)
            segment = shelf.segment
            kernel.scatter(
                segment["tokens"], segment["token_offsets"], plan.text[here], out, offsets[here] - offsets[start]
            )
        writer.append("tokens", out)
        start = end
    return with_tokens


def _write_bands(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan, postings: int, bands: int) -> None:
    def ranges_of(band: int, pieces: int) -> Iterator[build.Columns]:
        for low, high in build.limits_of(pieces):
            found = []
            for k, shelf in enumerate(shelves):
                keys = shelf.segment["band_keys"].reshape(bands, -1)[band]
                start, end = _between(keys, low, high)
                texts = shelf.segment["band_texts"].reshape(bands, -1)[band][start:end]
                found.append(_kept(plan, k, keys[start:end], texts))
            yield tuple(map(np.concatenate, zip(*found, strict=True)))

    build.write_bands(writer, bands, postings, ranges_of)


def _write_passages(writer: SegmentWriter, shelves: list[Shelf], plan: _Plan) -> int:
    from provenance.index import kernel

    def ranges_of(pieces: int) -> Iterator[build.Columns]:
        for low, high in build.limits_of(pieces):
            found = []
            for k, shelf in enumerate(shelves):
                segment = shelf.segment
                start, end = _between(segment["passage_keys"], low, high)
                columns = [segment[f"passage_{name}"][start:end] for name in ("keys", "texts", "positions")]
                found.append(_kept(plan, k, *columns))
            keys, texts, positions = map(np.concatenate, zip(*found, strict=True))
            # Sorted in each shelf already: a stable sort merges them. A text comes from one shelf, its positions rise.
            order = np.argsort((keys.astype(np.uint64) << np.uint64(32)) | texts, kind="stable")
            yield keys[order], texts[order], positions[order]

    postings = sum(kernel.count_kept(s.segment["passage_texts"], plan.home[k]) for k, s in enumerate(shelves))
    return build.write_passages(writer, postings, ranges_of)


def _kept(
    plan: _Plan, k: int, keys: npt.NDArray[np.uint32], texts: npt.NDArray[np.uint32], *more: npt.NDArray[np.uint32]
) -> build.Columns:
    """Return the postings of one shelf whose text comes from there, renumbered."""
    kept = np.flatnonzero(plan.home[k][texts])
    return keys[kept], plan.renumbered[k][texts[kept]], *(column[kept] for column in more)


def _live_sets(shelf: Shelf) -> list[ReferenceSet]:
    return [entry for entry, live in zip(shelf.segment.sets, shelf.live_sets.tolist(), strict=True) if live]


def _references(
    shelves: list[Shelf], plan: _Plan, sets: list[ReferenceSet], counted: list[int]
) -> Iterator[build.References]:
    """Merge the live registrations, range by range; ``counted[0]`` says how many there were."""
    from provenance.index import kernel

    place = {entry: k for k, entry in enumerate(sets)}
    places = [np.array([place.get(entry, 0) for entry in s.segment.sets], dtype=np.uint64) for s in shelves]
    for part in plan.ranges:
        keys, numbers = [], []
        for k, (shelf, (start, end)) in enumerate(zip(shelves, part.old, strict=True)):
            offsets = shelf.segment["reference_offsets"][start : end + 1]
            of_set = shelf.segment["reference_sets"][offsets[0] : offsets[-1]]
            live = np.flatnonzero(shelf.live_sets[of_set])
            text = np.repeat(plan.renumbered[k][start:end], np.diff(offsets))[live]
            keys.append((text.astype(np.uint64) << np.uint64(32)) | places[k][of_set[live]])
            numbers.append(offsets[0] + live)
        shelf_of = np.repeat(np.arange(len(shelves)), [len(some) for some in numbers])
        key, number = np.concatenate(keys), np.concatenate(numbers)
        order = _merged(shelves, key, shelf_of, number)
        key, number, shelf_of = key[order], number[order], shelf_of[order]
        lengths = np.zeros(len(number), dtype=np.int64)
        for k, shelf in enumerate(shelves):
            here = shelf_of == k
            ids = shelf.segment["reference_id_offsets"]
            lengths[here] = ids[number[here] + 1] - ids[number[here]]
        ends = np.cumsum(lengths)
        names = np.empty(int(lengths.sum()), dtype=np.uint8)
        for k, shelf in enumerate(shelves):
            here, segment = shelf_of == k, shelf.segment
            kernel.scatter(
                segment["reference_id_bytes"],
                segment["reference_id_offsets"],
                number[here],
                names,
                (ends - lengths)[here],
            )
        texts = (key >> np.uint64(32)).astype(np.int64) - part.start
        counted[0] += len(number)
        yield np.bincount(texts, minlength=part.end - part.start), key.astype(np.uint32), lengths, names


def _merged(
    shelves: list[Shelf], key: npt.NDArray[np.uint64], shelf_of: npt.NDArray[Any], number: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Order references by text, set and id, each once; in a shelf they have this order already."""
    order = np.argsort(key, kind="stable")
    key, shelf_of, number = key[order], shelf_of[order], number[order]
    mixed = np.flatnonzero((key[1:] == key[:-1]) & (shelf_of[1:] != shelf_of[:-1]))
    if not len(mixed):
        return order
    # One text of one set in several segments: rare, since a set is registered as one segment.
    kept = np.ones(len(order), dtype=bool)
    for same in np.unique(key[mixed]).tolist():
        start, end = np.searchsorted(key, np.array([same, same + 1], dtype=np.uint64)).tolist()
        names = [shelves[int(shelf_of[k])].segment.reference_id(int(number[k])).encode() for k in range(start, end)]
        ranked = sorted(range(end - start), key=names.__getitem__)
        order[start:end] = order[start:end][ranked]
        kept[start:end] = [i == 0 or names[k] != names[ranked[i - 1]] for i, k in enumerate(ranked)]
    return order[kept]
