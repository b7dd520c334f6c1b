"""The reference index: find what records share with known texts.

Immutable segments (:func:`build_segment`, :func:`compact`) are read through a snapshot (:class:`Index`) that names the
segments and the withdrawn sets; the store publishes those names.
"""

from __future__ import annotations

from provenance.index.build import ReferenceBatch, build_segment
from provenance.index.compaction import compact
from provenance.index.findings import MATCHED
from provenance.index.segment import ReferenceSet, Segment, sweep, verify
from provenance.index.snapshot import MATCH_TOKENS, Index

__all__ = [
    "MATCHED",
    "MATCH_TOKENS",
    "Index",
    "ReferenceBatch",
    "ReferenceSet",
    "Segment",
    "build_segment",
    "compact",
    "sweep",
    "verify",
]
