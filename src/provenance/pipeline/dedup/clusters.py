"""Clusters of records: which pairs are worth a look, and what is joined.

Pairs meet where they share one of 25 band keys, which of all pairs of similarity 0.7 or more misses one in a hundred at
the threshold itself and fewer above it. Equal texts, and records of equal fingerprints, are joined first and stand for
each other from then on, so that a text with a million copies costs no more than one with two.
Where more than `kernel.CROWD` records share a key (boilerplate), each is compared with a few leaders and with those
beside it in the order of the next band's key, which is another order for every band; `Clusters.crowded` counts what
was not compared in full. Everything runs in the order of record ids, so that nothing depends on the order of the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from provenance.fingerprint import BANDS
from provenance.pipeline.dedup import likelihood
from provenance.pipeline.dedup.sketches import Stored

_Rows = npt.NDArray[np.int64]

_FIRST_PAIRS: Final = 1 << 16
_SHORTEN: Final = 1 << 22
"""Open pairs from which those are dropped that were joined meanwhile or stand there twice."""
_MOST: Final = 8
"""Open pairs a record, on the whole."""


@dataclass(frozen=True)
class Clusters:
    """What fingerprints say.

    Attributes:
        parent: int32 ``(n)``, a forest with one tree for each cluster; later unions write to it.
        lefts: Rows of pairs that are open, most probable first.
        rights: The other row of each.
        probabilities: That the pair is similar enough, as fingerprints have it.
        equal: Records whose text stands in an earlier one too.
        compared: Pairs of fingerprints compared.
        crowded: Records in groups that share a key, were too many to be compared each with each, and did not
            all end in one cluster; counted once for each key.
        unasked: Open pairs that were let go because the later record had `kernel.WAITING` others, or all records
            together too many.
    """

    parent: npt.NDArray[np.int32]
    lefts: _Rows
    rights: _Rows
    probabilities: npt.NDArray[np.float64]
    equal: int
    compared: int
    crowded: int
    unasked: int

    def roots(self) -> npt.NDArray[np.int32]:
        """Return for each row the row that stands for its cluster now."""
        from provenance.pipeline.dedup.kernel import roots

        found = np.empty(len(self.parent), np.int32)
        roots(self.parent, found)
        return found


def link(stored: Stored, threshold: float) -> Clusters:
    """Join the records whose fingerprints are sure to come from copies, and list the pairs that are open.

    Args:
        stored: Fingerprints of a scan.
        threshold: Jaccard similarity of 5-token shingles.
    """
    from provenance.pipeline.dedup import kernel

    rows = len(stored)
    by_id = _by_id(stored.ids)
    links = kernel.Links(
        np.arange(rows, dtype=np.int32),
        np.zeros(rows, np.uint32),
        np.zeros(rows, np.uint8),
        np.array([0, 0, 0, max(_MOST * rows, _SHORTEN)]),
    )
    spare = np.zeros(rows, np.bool_)
    _link_equal(stored.checks, by_id, links.parent, spare)
    equal = int(spare.sum())
    sketches, odds = stored.kernel_view(), likelihood.odds(threshold)
    active = by_id[~spare[by_id]]
    hashes = np.empty(len(active), np.uint64)
    kernel.hash_bands(stored.bands, active, hashes)
    order = np.argsort(hashes, kind="stable")
    pairs = np.empty(_FIRST_PAIRS, np.int64)
    pairs, found = kernel.link_alike(order, hashes, active, sketches, odds, links, spare, pairs, 0)
    active = active[~spare[active]]
    places = np.arange(len(active), dtype=np.uint64)
    limit = _SHORTEN
    for band in range(BANDS):
        keys = stored.bands[active, band].astype(np.uint64) << np.uint64(32) | places
        keys.sort()
        pairs, found = kernel.link_band(keys, active, band, sketches, odds, links, pairs, found)
        if found > limit:
            pairs = _open(pairs[:found], links.parent)
            found, limit = len(pairs), max(_SHORTEN, 2 * len(pairs))
    pairs = _open(pairs[:found], links.parent)
    lefts, rights = pairs >> 32, pairs & 0xFFFFFFFF
    probabilities = np.empty(len(pairs))
    kernel.probabilities(lefts, rights, sketches, odds, probabilities)
    rank = np.empty(rows, np.int64)
    rank[by_id] = np.arange(rows)
    low, high = np.sort([rank[lefts], rank[rights]], axis=0)
    first = np.lexsort((high, low, -probabilities))
    compared, crowded, unasked, _ = links.tally.tolist()
    return Clusters(links.parent, lefts[first], rights[first], probabilities[first], equal, compared, crowded, unasked)


def _by_id(ids: npt.NDArray[np.uint8]) -> _Rows:
    """Return the rows in the order of their ids, which is that of the ids' hex digits."""
    halves = np.ascontiguousarray(ids).view(">u8").astype(np.uint64)
    order = np.argsort(halves[:, 0], kind="stable")
    leading = halves[order, 0]
    return np.lexsort((halves[:, 1], halves[:, 0])) if (leading[1:] == leading[:-1]).any() else order


def _link_equal(
    checks: npt.NDArray[np.uint64], by_id: _Rows, parent: npt.NDArray[np.int32], spare: npt.NDArray[np.bool_]
) -> None:
    from provenance.pipeline.dedup.kernel import link_equal

    firsts = np.ascontiguousarray(checks[:, 0])
    order = by_id[np.argsort(firsts[by_id], kind="stable")]
    link_equal(order, firsts, np.ascontiguousarray(checks[:, 1]), parent, spare)


def _open(pairs: _Rows, parent: npt.NDArray[np.int32]) -> _Rows:
    """Return the pairs that are not yet in one cluster, each once."""
    from provenance.pipeline.dedup.kernel import roots

    found = np.empty(len(parent), np.int32)
    roots(parent, found)
    once: _Rows = np.unique(pairs)
    apart: npt.NDArray[np.bool_] = found[once >> 32] != found[once & 0xFFFFFFFF]
    return once[apart]
