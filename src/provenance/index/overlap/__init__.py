"""What records and reference texts share, token by token."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from provenance.errors import SegmentError

if TYPE_CHECKING:
    from provenance.text.tokens import Tokens

DISTINCT_TOKENS: Final = 12
"""A match has at least so many different words; otherwise it says nothing."""


@dataclass(frozen=True)
class Overlaps:
    """What was found for each pair of a record and a text.

    Attributes:
        matched: int64, tokens of the record that the text has too, in runs and chains of runs.
        reference_matched: int64, tokens of the text.
        rare: int64, matched tokens outside passages that very many texts share.
        distinct: int64, different tokens among the matched ones, counted up to ``DISTINCT_TOKENS``.
        cover: Bits of each pair's matched tokens.
        spans: For each pair int32 ``(n, 4)``: start, end, start and end in the text, by start.
    """

    matched: npt.NDArray[np.int64]
    reference_matched: npt.NDArray[np.int64]
    rare: npt.NDArray[np.int64]
    distinct: npt.NDArray[np.int64]
    cover: list[bytes]
    spans: list[npt.NDArray[np.int32]]


def overlaps(
    records: Tokens,
    texts: npt.NDArray[np.uint32],
    text_offsets: npt.NDArray[np.int64],
    pairs: npt.NDArray[np.int64],
    common: npt.NDArray[np.uint8],
) -> Overlaps:
    """Compare each pair exactly.

    Runs of at least 5 equal tokens are extended as far as they go, runs near each other in the same order (gaps of
    at most 32 tokens on both sides) make a chain, and a chain counts if it has at least 16 equal tokens and a run of 8.
    Inside a chain's gaps single equal tokens on the runs' diagonals count too, so a text with scattered edits is
    matched to the extent that it is unchanged.

    Args:
        records: Tokens of the records.
        texts: Token hashes of the reference texts.
        text_offsets: Where each text starts.
        pairs: ``(n, 2)``: record and text.
        common: One byte for each record token: 1 where it lies in a passage that very many texts share.

    Raises:
        SegmentError: The offsets of a text lie outside ``texts``.
    """
    from provenance.index.overlap import kernel

    size = len(pairs)
    rows, chosen = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
    lengths = np.diff(records.offsets)[rows]
    text_lengths = text_offsets[chosen + 1] - text_offsets[chosen]
    longest, text_longest = int(lengths.max(initial=0)), int(text_lengths.max(initial=0))
    if text_longest > len(texts):
        raise SegmentError("A reference text is longer than its segment", next_step="Run provenance verify")
    cover_offsets = np.zeros(size + 1, dtype=np.int64)
    np.cumsum((lengths + 7) // 8, out=cover_offsets[1:])
    cover = np.zeros(cover_offsets[-1], dtype=np.uint8)
    figures = np.zeros((size, 4), dtype=np.int64)
    span_offsets = np.zeros(size + 1, dtype=np.int64)
    slots = 1 << max(1, int(2 * text_longest).bit_length())
    runs = min(kernel.MAX_RUNS, 16 * longest + 2)
    scratch: tuple[npt.NDArray[Any], ...] = (
        np.empty(1 << max(6, (16 * longest).bit_length()), dtype=np.uint8),
        np.empty(slots, dtype=np.int32),
        np.empty(text_longest, dtype=np.int32),
        np.empty(text_longest, dtype=np.uint32),
        np.empty(longest + text_longest + 1, dtype=np.int32),
        np.empty((runs, 3), dtype=np.int32),
        np.empty(runs, dtype=np.int32),
        np.empty(runs, dtype=np.int32),
        np.empty(runs, dtype=np.uint8),
        np.empty(longest, dtype=np.uint8),
        np.empty(text_longest, dtype=np.uint8),
        np.empty(DISTINCT_TOKENS, dtype=np.uint32),
    )
    spans = np.empty((kernel.MAX_SPANS * 16 + 4 * size, 4), dtype=np.int32)
    # numba's own annotations know nothing of the compiled function's arguments.
    compare: Any = kernel.overlap
    done = 0
    while True:
        done = compare(
            records.hashes, records.offsets, texts, text_offsets, rows, chosen, done, common,
            scratch, figures, cover, cover_offsets, spans, span_offsets,
        )  # fmt: skip
        if done < 0:
            raise SegmentError("A reference text lies outside its segment", next_step="Run provenance verify")
        if done == size:
            break
        spans = np.concatenate([spans, np.empty_like(spans)])
    found = []
    for start, end in itertools.pairwise(span_offsets):
        rows_of_pair = spans[start:end]
        found.append(rows_of_pair[np.lexsort((rows_of_pair[:, 2], rows_of_pair[:, 0]))])
    return Overlaps(
        figures[:, 0],
        figures[:, 1],
        figures[:, 2],
        figures[:, 3],
        [cover[a:b].tobytes() for a, b in itertools.pairwise(cover_offsets)],
        found,
    )
