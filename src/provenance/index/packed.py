"""Estimates of what a stored fingerprint shares with references, from passage hashes and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from provenance.index import lookup
from provenance.index.findings import Finding

if TYPE_CHECKING:
    from provenance.fingerprint import StoredFingerprints

PASSAGES: Final = 2
"""Passages on one diagonal that it takes to believe in a span."""
REACH: Final = 64
"""Tokens from one passage to the next of the same span at most."""


def estimate(shelves: Sequence[lookup.Shelf], stored: StoredFingerprints, least: int) -> tuple[list[Finding], int]:
    """Estimate spans from passages that lie on one diagonal.

    Two shared passages whose distance is the same in record and reference, 64 tokens at most, bound a span; everything
    from the first's first token to the last's last token counts as matched. The estimate is too low by up to a window
    at either end and around insertions, and too high by the words that were replaced between passages.

    Args:
        shelves: The segments.
        stored: Unpacked fingerprints.
        least: Matched tokens below which nothing is reported.

    Returns:
        Unverified findings, and how many passages were too common to be looked at.
    """
    from provenance import fingerprint

    words = stored.words.astype(np.int64)
    band = lookup.band_hits(shelves, lookup.stored_band_queries(stored.bands))
    band = band[words[band.queries % len(words)] > 0]
    passage, common = lookup.passage_hits(shelves, stored.passage_hashes, distinct=False)
    passage_rows = np.repeat(np.arange(len(words)), np.diff(stored.passage_offsets))
    candidates = lookup.choose(band, passage, passage_rows, words)
    wanted = {
        (row, shelf, text): near
        for row, shelf, text, near in zip(
            candidates.rows.tolist(),
            candidates.shelves.tolist(),
            candidates.texts.tolist(),
            candidates.near.tolist(),
            strict=True,
        )
    }
    if not len(passage):
        return [], int(common.sum())
    positions = np.empty(len(passage), dtype=np.int64)
    for number, shelf in enumerate(shelves):
        here = passage.shelves == number
        positions[here] = lookup.places(shelf.segment, passage.postings[here])
    passage, positions = passage[positions < lookup.FARTHEST], positions[positions < lookup.FARTHEST]
    if not len(passage):
        return [], int(common.sum())
    rows = passage_rows[passage.queries]
    own = stored.passage_positions[passage.queries].astype(np.int64)
    order = np.lexsort((own, own - positions, passage.texts, passage.shelves, rows))
    pair = np.stack([rows, passage.shelves, passage.texts], axis=1)[order]
    first = np.flatnonzero(np.concatenate([[True], (pair[1:] != pair[:-1]).any(axis=1)]))
    ends = np.append(first[1:], len(pair))
    findings = []
    for low, high in zip(first.tolist(), ends.tolist(), strict=True):
        row, number, text = pair[low].tolist()
        if (row, number, text) not in wanted:
            continue
        segment = shelves[number].segment
        offsets = segment["token_offsets"]
        length = int(offsets[text + 1] - offsets[text])
        if not 0 <= length <= len(segment["tokens"]):
            raise lookup.damaged(segment, "its texts lie outside it")
        size = int(words[row])
        chosen = order[low:high]
        spans = _spans(own[chosen], positions[chosen], size, length, fingerprint.PASSAGE_TOKENS)
        cover = np.zeros(size, dtype=np.uint8)
        there = np.zeros(length, dtype=np.uint8)
        for start, end, reference_start, reference_end in spans.tolist():
            cover[start:end] = 1
            there[reference_start:reference_end] = 1
        matched = int(cover.sum())
        if matched < least or length < least:
            continue
        findings.append(
            Finding(
                row,
                segment["checks"][16 * text : 16 * text + 16].tobytes(),
                "near" if wanted[row, number, text] else "passage",
                matched / size,
                int(there.sum()) / length,
                matched,
                spans,
                np.packbits(cover).tobytes(),
                False,
            )
        )
    return findings, int(common.sum())


def _spans(
    own: npt.NDArray[np.int64], other: npt.NDArray[np.int64], size: int, length: int, tokens: int
) -> npt.NDArray[np.int32]:
    """Join passages of one diagonal that follow each other within ``REACH``; both arrays by diagonal and position."""
    step = own[1:] - own[:-1]
    new = np.concatenate([[True], (step != other[1:] - other[:-1]) | (step > REACH)])
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(own)) - 1
    believed = last - first + 1 >= PASSAGES
    first, last = first[believed], last[believed]
    spans = np.stack(
        [
            own[first],
            np.minimum(own[last] + tokens, size),
            other[first],
            np.minimum(other[last] + tokens, length),
        ],
        axis=1,
    )
    ordered: npt.NDArray[np.int32] = spans[np.lexsort((spans[:, 2], spans[:, 0]))].astype(np.int32)
    return ordered
