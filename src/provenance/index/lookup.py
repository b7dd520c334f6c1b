"""Candidates: which texts of a snapshot a record may share something with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from provenance.errors import SegmentError
from provenance.index.build import PASSAGE_LIMIT, POSITION_BITS, mixed
from provenance.index.segment import Segment

if TYPE_CHECKING:
    from provenance.fingerprint import Fingerprints

FARTHEST: Final = (1 << POSITION_BITS) - 1
"""Stands for all positions that a posting can't tell."""
SEED_REACH: Final = 16
"""Tokens looked at on either side of a shared passage."""
SEED_TOKENS: Final = 10
"""So many of them and of the passage's six must be equal, place by place, for the texts to be compared."""
BAND_LIMIT: Final = 64
"""Of texts with the same band key, those with the smallest checks are candidates, so a text made in very many
variants is still recognised as one of them."""
CANDIDATES: Final = 64
"""Candidates of a record, plus one for each ``WORDS_PER_CANDIDATE`` of its words; those with the rarest keys first."""
WORDS_PER_CANDIDATE: Final = 64
MOST_CANDIDATES: Final = 1024
"""Candidates of the longest record: each costs a pass over it."""
_BAND_WEIGHT: Final = 4


@dataclass(frozen=True)
class Shelf:
    """A segment and which of its texts and references still count.

    Attributes:
        segment: The segment.
        live_sets: For each of its sets whether it counts.
        live_texts: For each text whether a counting set holds it; empty when all do.
        check_words: Leading 8 bytes of each text's check.
    """

    segment: Segment
    live_sets: npt.NDArray[np.bool_]
    live_texts: npt.NDArray[np.bool_]
    check_words: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Hits:
    """Postings found, one row each: query, number of the shelf, text, check word, posting; by query and check word."""

    queries: npt.NDArray[np.int64]
    shelves: npt.NDArray[np.int64]
    texts: npt.NDArray[np.int64]
    check_words: npt.NDArray[np.uint64]
    postings: npt.NDArray[np.int64]

    def __getitem__(self, chosen: Any) -> Hits:
        return Hits(
            self.queries[chosen],
            self.shelves[chosen],
            self.texts[chosen],
            self.check_words[chosen],
            self.postings[chosen],
        )

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True)
class Candidates:
    """Pairs of a record and a text that are worth comparing, by record.

    Attributes:
        rows: Record of each pair.
        shelves: Number of the shelf that holds the text.
        texts: The text.
        near: Whether they collide in a band.
    """

    rows: npt.NDArray[np.int64]
    shelves: npt.NDArray[np.int64]
    texts: npt.NDArray[np.int64]
    near: npt.NDArray[np.bool_]


def make_shelf(segment: Segment, withdrawn: frozenset[str]) -> Shelf:
    """Work out what a segment still holds when some sets are withdrawn."""
    live_sets = np.array([entry.set_id not in withdrawn for entry in segment.sets], dtype=bool)
    live_texts = np.empty(0, dtype=bool)
    if not live_sets.all():
        sets, offsets = segment["reference_sets"], segment["reference_offsets"]
        if sets.max(initial=0) >= len(live_sets) or offsets.min() < 0 or offsets.max() > len(sets):
            raise damaged(segment, "its references lie outside it")
        live = np.concatenate([[0], np.cumsum(live_sets[sets])])
        live_texts = np.diff(live[offsets]) > 0
    return Shelf(segment, live_sets, live_texts, segment["checks"].view(np.uint64)[::2])


def stored_band_queries(bands: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the keys to look up for band keys, ``(n, bands)``, one row for each band."""
    return mixed(np.ascontiguousarray(bands.T).reshape(-1)).reshape(bands.shape[::-1])


def band_hits(shelves: Sequence[Shelf], queries: npt.NDArray[np.uint32]) -> Hits:
    """Find texts that share a band key.

    Args:
        shelves: Where to look.
        queries: Mixed band keys, one row for each band; the query of a hit is ``band * records + record``.
    """
    count = len(queries)
    found = []
    for number, shelf in enumerate(shelves):
        keys = shelf.segment["band_keys"].reshape(count, -1)
        directory = shelf.segment["band_directory"].reshape(count, -1)
        starts, ends = _find(shelf, keys, directory, queries)
        hits, _ = _emit(shelf, number, starts.reshape(-1), ends.reshape(-1), "band_texts", BAND_LIMIT, True, False)
        found.append(hits)
    merged = _merge(found)
    return merged[_rank(merged.queries) < BAND_LIMIT]


def passage_hits(
    shelves: Sequence[Shelf], hashes: npt.NDArray[np.uint32], distinct: bool = True
) -> tuple[Hits, npt.NDArray[np.bool_]]:
    """Find texts that have a passage hash, and say which hashes too many texts have.

    Args:
        shelves: Where to look.
        hashes: One query each.
        distinct: Name a text once for a query rather than once for each position.
    """
    queries = mixed(hashes).reshape(1, -1)
    capped = np.zeros(len(hashes), dtype=bool)
    found = []
    for number, shelf in enumerate(shelves):
        keys = shelf.segment["passage_keys"].reshape(1, -1)
        directory = shelf.segment["passage_directory"].reshape(1, -1)
        starts, ends = _find(shelf, keys, directory, queries)
        limit = PASSAGE_LIMIT if distinct else PASSAGE_LIMIT * 8
        hits, over = _emit(shelf, number, starts[0], ends[0], "passage_texts", limit, distinct, True)
        capped |= over
        found.append(hits)
    merged = _merge(found, keep_positions=not distinct)
    if len(shelves) > 1 and distinct:
        capped |= np.bincount(merged.queries, minlength=len(hashes)) > PASSAGE_LIMIT
    return merged[~capped[merged.queries]], capped


def places(segment: Segment, postings: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where passages are in their texts; beyond a million tokens, ``FARTHEST``."""
    found: npt.NDArray[np.int64] = segment["passage_positions"][postings].astype(np.int64) & FARTHEST
    return found


def seed_hits(
    shelves: Sequence[Shelf], fp: Fingerprints, rows: npt.NDArray[np.int64]
) -> tuple[Hits, npt.NDArray[np.bool_]]:
    """Find texts that have a passage of a record and agree with it around that passage too.

    Of six tokens alone, unrelated texts share more the larger the index is. Counting equal tokens around them costs
    a hundredth of comparing the texts and leaves one in twelve of such pairs, but 99.8 % of those that match. A shared
    run of 20 tokens always passes: the passage lies in it, and the rest of it beside the passage.

    Args:
        shelves: Where to look.
        fp: Fingerprints of the records; one query for each passage.
        rows: The record of each passage.

    Returns:
        The hits, and which passages too many texts have.
    """
    from provenance import fingerprint
    from provenance.index import kernel

    queries = mixed(fp.passage_hashes).reshape(1, -1)
    texts = np.zeros(queries.shape[1], dtype=np.int64)
    found = []
    for number, shelf in enumerate(shelves):
        segment = shelf.segment
        keys, directory = segment["passage_keys"].reshape(1, -1), segment["passage_directory"].reshape(1, -1)
        starts, ends = _find(shelf, keys, directory, queries)
        some = np.flatnonzero(ends[0] > starts[0])
        starts, ends = starts[0][some], ends[0][some]
        lows = fp.tokens.offsets[rows[some]]
        highs = fp.tokens.offsets[rows[some] + 1]
        places = lows + fp.passage_positions[some]
        counts = np.zeros(len(some), dtype=np.int64)
        room, most = 4096 + 4 * len(some), int(np.minimum(ends - starts, PASSAGE_LIMIT).sum())
        written = -2
        while written == -2:
            out = np.empty((min(room, most), 4), dtype=np.uint64)
            written = kernel.seeds(
                starts, ends, segment["passage_texts"], segment["passage_positions"], shelf.live_texts,
                shelf.check_words, segment["tokens"], segment["token_offsets"], fp.tokens.hashes, places, lows, highs,
                PASSAGE_LIMIT, fingerprint.PASSAGE_TOKENS, POSITION_BITS, SEED_REACH, SEED_TOKENS, counts, out,
            )  # fmt: skip
            room *= 8
        if written == -1:
            raise damaged(segment, "its postings point outside it")
        texts[some] += counts
        found.append(_hits(out[:written], some, number))
    merged = _merge(found)
    capped = texts > PASSAGE_LIMIT
    if len(shelves) > 1 and capped.any():
        # Counts of several segments may name a text twice; how often a passage occurs must not depend on the split.
        suspects = np.flatnonzero(capped)
        capped[suspects] = passage_hits(shelves, fp.passage_hashes[suspects])[1]
    return merged[~capped[merged.queries]], capped


def exact_hits(shelves: Sequence[Shelf], checks: npt.NDArray[np.uint8], only_live: bool = True) -> Hits:
    """Find texts with the same check, in every shelf that has them."""
    queries = np.ascontiguousarray(checks[:, :4]).view(">u4").reshape(1, -1).astype(np.uint32)
    found = []
    for number, shelf in enumerate(shelves):
        keys = shelf.segment["check_keys"].reshape(1, -1)
        directory = shelf.segment["check_directory"].reshape(1, -1)
        starts, ends = _find(shelf, keys, directory, queries)
        counts = ends[0] - starts[0]
        rows = np.repeat(np.arange(len(checks)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        texts = starts[0][rows] + within
        there = shelf.segment["checks"].reshape(-1, 16)[texts]
        same = (there == checks[rows]).all(axis=1)
        if only_live and len(shelf.live_texts):
            same &= shelf.live_texts[texts]
        rows, texts = rows[same], texts[same]
        words = shelf.check_words[texts].byteswap()
        found.append(Hits(rows, np.full(len(rows), number), texts, words, texts))
    return _merge(found, keep_positions=True)


def choose(
    band: Hits,
    passage: Hits,
    passage_rows: npt.NDArray[np.int64],
    words: npt.NDArray[np.int64],
) -> Candidates:
    """Unite what was found by bands and passages, the rarest keys counting most.

    Args:
        band: Hits whose query is ``band * records + record``.
        passage: Hits whose query is a passage.
        passage_rows: The record of each passage.
        words: Tokens of each record.
    """
    records = len(words)
    rows = np.concatenate([band.queries % max(records, 1), passage_rows[passage.queries]])
    score = np.concatenate([_BAND_WEIGHT * _weights(band.queries), _weights(passage.queries)])
    near = np.zeros(len(rows), dtype=bool)
    near[: len(band)] = True
    keys = np.concatenate([band.check_words, passage.check_words])
    shelves = np.concatenate([band.shelves, passage.shelves])
    texts = np.concatenate([band.texts, passage.texts])
    if not len(rows):
        return Candidates(rows, shelves, texts, near)
    order = np.lexsort((shelves, keys, rows))
    rows, keys = rows[order], keys[order]
    first = np.flatnonzero(np.concatenate([[True], (rows[1:] != rows[:-1]) | (keys[1:] != keys[:-1])]))
    score = np.add.reduceat(score[order], first)
    near = np.logical_or.reduceat(near[order], first)
    rows, keys, shelves, texts = rows[first], keys[first], shelves[order][first], texts[order][first]
    best = np.lexsort((keys, -score, rows))
    limits = np.minimum(CANDIDATES + words // WORDS_PER_CANDIDATE, MOST_CANDIDATES)
    best = best[_rank(rows[best]) < limits[rows[best]]]
    return Candidates(rows[best], shelves[best], texts[best], near[best])


def _find(
    shelf: Shelf, keys: npt.NDArray[np.uint32], directory: npt.NDArray[np.uint32], queries: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    from provenance.index import kernel

    starts = np.empty(queries.shape, dtype=np.int64)
    ends = np.empty(queries.shape, dtype=np.int64)
    bits = (directory.shape[1] - 1).bit_length() - 1
    if directory.shape[1] != (1 << bits) + 1 or not kernel.find_in_partitions(
        keys, directory, bits, queries, starts, ends
    ):
        raise damaged(shelf.segment, "its postings point outside it")
    return starts, ends


def _emit(
    shelf: Shelf,
    number: int,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    texts: str,
    limit: int,
    distinct: bool,
    drop: bool,
) -> tuple[Hits, npt.NDArray[np.bool_]]:
    from provenance.index import kernel

    size = len(starts)
    some = np.flatnonzero(ends > starts)
    starts, ends = starts[some], ends[some]
    out = np.empty((int(np.minimum(ends - starts, limit).sum()), 4), dtype=np.uint64)
    capped = np.zeros(len(some), dtype=np.uint8)
    count = kernel.emit(
        starts, ends, shelf.segment[texts], shelf.live_texts, shelf.check_words, limit, distinct, drop, capped, out
    )
    if count < 0:
        raise damaged(shelf.segment, "its postings point outside it")
    over = np.zeros(size, dtype=bool)
    over[some] = capped.astype(bool)
    return _hits(out[:count], some, number), over


def _hits(found: npt.NDArray[np.uint64], queries: npt.NDArray[np.int64], number: int) -> Hits:
    return Hits(
        queries[found[:, 0].astype(np.int64)],
        np.full(len(found), number),
        found[:, 1].astype(np.int64),
        np.ascontiguousarray(found[:, 2]),
        found[:, 3].astype(np.int64),
    )


def _merge(found: list[Hits], keep_positions: bool = False) -> Hits:
    """Unite hits of several shelves in order of query and check; a text that several hold is named once."""
    if len(found) == 1:
        return found[0]
    hits = Hits(
        np.concatenate([part.queries for part in found]),
        np.concatenate([part.shelves for part in found]),
        np.concatenate([part.texts for part in found]),
        np.concatenate([part.check_words for part in found]),
        np.concatenate([part.postings for part in found]),
    )
    hits = hits[np.lexsort((hits.postings, hits.shelves, hits.check_words, hits.queries))]
    if keep_positions or not len(hits):
        return hits
    new = (hits.queries[1:] != hits.queries[:-1]) | (hits.check_words[1:] != hits.check_words[:-1])
    return hits[np.concatenate([[True], new])]


def _rank(groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Position of each element within its run of equal neighbours."""
    if not len(groups):
        return groups
    new = np.concatenate([[True], groups[1:] != groups[:-1]])
    starts = np.flatnonzero(new)
    rank: npt.NDArray[np.int64] = np.arange(len(groups)) - starts[np.cumsum(new) - 1]
    return rank


def _weights(queries: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Weight of each hit: the fewer texts share its key, the more."""
    if not len(queries):
        return queries
    weights: npt.NDArray[np.int64] = 65536 // np.bincount(queries)[queries]
    return weights


def damaged(segment: Segment, how: str) -> SegmentError:
    """Name what is wrong with a mapped segment."""
    return SegmentError(
        f"A segment of the reference index is damaged: {how}",
        place=segment.id,
        next_step="Run provenance verify, then unregister and register its sets again",
    )
