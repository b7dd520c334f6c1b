"""Suspects: which stored fingerprints may belong to records that hold newly registered texts.

Millions of fingerprints pass a small filter over the new segments' keys; the few that remain are looked up, and those
that can't amount to a finding are left out, so that little has to be read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.index import MATCH_TOKENS, Index, lookup

if TYPE_CHECKING:
    from provenance.fingerprint import StoredFingerprints

_BITS_A_KEY: Final = 48
_SMALLEST: Final = 10
_LARGEST: Final = 24
"""Logarithms of the filter's length in words of 64 bits: 8 KiB to 128 MiB."""


@dataclass(frozen=True)
class KeyFilter:
    """A Bloom filter, one word for each key, over everything by which a record can be found in some segments.

    Attributes:
        words: uint64, a power of two of them.
        shift: 64 less the logarithm of their number.
    """

    words: npt.NDArray[np.uint64]
    shift: int

    @classmethod
    def of(cls, index: Index) -> KeyFilter:
        """Put the content checks, band keys and passage hashes of an index into a filter."""
        from provenance.fingerprint import BANDS
        from provenance.pipeline.suspects.kernel import add

        names = ("band_keys", "passage_keys", "check_keys")
        keys = sum(len(shelf.segment[name]) for shelf in index.shelves for name in names)
        size = min(max((keys * _BITS_A_KEY // 64).bit_length(), _SMALLEST), _LARGEST)
        made = cls(np.zeros(1 << size, dtype=np.uint64), 64 - size)
        for shelf in index.shelves:
            for band, part in enumerate(shelf.segment["band_keys"].reshape(BANDS, -1)):
                add(made.words, made.shift, part, band)
            add(made.words, made.shift, shelf.segment["passage_keys"], BANDS)
            add(made.words, made.shift, shelf.segment["check_keys"], BANDS + 1)
        return made

    def rows(self, stored: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """Return the rows of `schema.FINGERPRINTS` that may share anything with the index: all that do, few others."""
        from provenance.fingerprint import BANDS
        from provenance.pipeline.suspects.kernel import probe

        checks = stored.column("content_check")
        raw = np.frombuffer(checks.buffers()[1], np.uint8)[16 * checks.offset : 16 * (checks.offset + len(checks))]
        heads = np.ascontiguousarray(raw.reshape(-1, 16)[:, :4]).view(">u4").reshape(-1).astype(np.uint32)
        _, bands = _packed(stored.column("bands"))
        offsets, passages = _packed(stored.column("passages"))
        found = np.zeros(stored.num_rows, dtype=np.bool_)
        probe(self.words, self.shift, heads, bands.reshape(-1, BANDS), passages, offsets, found)
        return np.flatnonzero(found)


def suspects(stored: StoredFingerprints, index: Index) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows that can hold a finding, in order, and how many tokens each can share with one text at most.

    They are copies, records that collide in a band, and those that share passages enough: the runs that hold a passage
    of both the record and one text can have 25 tokens in all, as a finding has to. How long such a run can be is known
    from the record's own passages around it, looked for in the text at the same distance. A finding of which less than
    that lies in such runs is missed, unlike by `Index.worth_matching`, which asks for one shared passage and no more.
    """
    words = stored.words.astype(np.int64)
    reach = np.zeros(len(words), dtype=np.int64)
    if index.shelves and len(words):
        checks = np.frombuffer(b"".join(stored.content_checks), dtype=np.uint8).reshape(-1, 16)
        whole = np.unique(lookup.exact_hits(index.shelves, checks).queries)
        near = lookup.band_hits(index.shelves, lookup.stored_band_queries(stored.bands)).queries
        near = np.unique(near % len(words))
        near = near[words[near] >= MATCH_TOKENS]
        _share_passages(stored, index, words, reach)
        reach[reach < MATCH_TOKENS] = 0
        reach[whole], reach[near] = words[whole], words[near]
    rows = np.flatnonzero(reach)
    return rows, reach[rows]


def _share_passages(
    stored: StoredFingerprints, index: Index, words: npt.NDArray[np.int64], most: npt.NDArray[np.int64]
) -> None:
    """Raise ``most`` to what each record can share with any one text in runs that hold a passage of both."""
    from provenance.fingerprint import PASSAGE_TOKENS
    from provenance.fingerprint.minhash import gram_powers
    from provenance.pipeline.suspects.kernel import reaches

    hits, _ = lookup.passage_hits(index.shelves, stored.passage_hashes, distinct=False)
    rows = np.repeat(np.arange(len(words)), np.diff(stored.passage_offsets))[hits.queries]
    powers = gram_powers(PASSAGE_TOKENS)
    for number, shelf in enumerate(index.shelves):
        here = np.flatnonzero((hits.shelves == number) & (words[rows] >= MATCH_TOKENS))
        others = lookup.places(shelf.segment, hits.postings[here])
        untold = rows[here[others >= lookup.FARTHEST]]  # so far into a text that the posting can't tell where
        most[untold] = words[untold]
        here, others = here[others < lookup.FARTHEST], others[others < lookup.FARTHEST]
        queries, texts = hits.queries[here], hits.texts[here]
        distance = others - stored.passage_positions[queries]
        order = np.lexsort((queries, distance, texts, rows[here]))
        reach = np.zeros(len(here), dtype=np.int64)
        reaches(
            rows[here][order], queries[order], texts[order], others[order], words, stored.passage_offsets,
            stored.passage_hashes, stored.passage_positions, shelf.segment["tokens"], shelf.segment["token_offsets"],
            powers, reach,
        )  # fmt: skip
        np.maximum.at(most, rows[here][order], reach)


def _packed(column: pa.BinaryArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Return a column of packed uint32 as where each row's begin, and all of them."""
    _, offset_buffer, value_buffer = column.buffers()
    ends: Any = np.frombuffer(offset_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
    values = np.frombuffer(value_buffer, "<u4", count=int(ends[-1]) // 4) if value_buffer else np.zeros(0, "<u4")
    return (ends - ends[0]).astype(np.int64) // 4, values[int(ends[0]) // 4 :].astype(np.uint32, copy=False)
