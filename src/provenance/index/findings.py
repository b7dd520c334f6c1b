"""Findings become rows: one for each reference of a set, the best ones only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance import schema
from provenance.index.segment import ReferenceSet

KEPT: Final = 8
"""References of one set that a record is matched to, best first, whatever they add."""
KEPT_AT_MOST: Final = 64
"""References of one set when each covers something of the record that better ones don't."""
_NEW_TOKENS: Final = 8

MATCHED: Final = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        *[field for field in schema.MATCHES if field.name in ("reference_id", "set_id")],
        pa.field("label", pa.string(), nullable=False),
        *[
            field
            for field in schema.MATCHES
            if field.name not in ("record_id", "scan_id", "reference_id", "set_id", "recorded_at")
        ],
    ]
)
"""A match without the record's identity: ``row`` counts in the batch; ``label`` is the set's."""

References = dict[ReferenceSet, list[str]]
"""Ids of the references that are one text, by set."""


@dataclass(frozen=True)
class Finding:
    """What a record shares with one text, whoever registered it; fields as in ``schema.MATCHES``."""

    row: int
    check: bytes
    tier: str
    share: float
    reference_share: float
    matched_words: int
    spans: npt.NDArray[np.int32]
    cover: bytes
    verified: bool


Row = tuple[Finding, ReferenceSet, str]


def select(found: Iterable[tuple[Finding, References]]) -> list[Row]:
    """Keep the best references of each record and set, in order of row, set and reference.

    Best: the most matched words, then the larger share of the reference, then the smaller id. The first 8 stay; after
    them those that cover at least 8 more tokens of the record, up to 64 in all.
    """
    groups: dict[tuple[int, ReferenceSet], list[tuple[Finding, str]]] = defaultdict(list)
    for finding, references in found:
        for reference_set, names in references.items():
            groups[finding.row, reference_set] += [(finding, name) for name in names]
    rows: list[Row] = []
    for (_, reference_set), members in groups.items():
        members.sort(key=lambda member: (-member[0].matched_words, -member[0].reference_share, member[1]))
        covered = 0
        kept = 0
        for finding, name in members:
            bits = int.from_bytes(finding.cover)
            if kept < KEPT or (bits & ~covered).bit_count() >= _NEW_TOKENS:
                rows.append((finding, reference_set, name))
                covered |= bits
                kept += 1
                if kept == KEPT_AT_MOST:
                    break
    rows.sort(key=lambda row: (row[0].row, row[1].set_id, row[2]))
    return rows


def to_table(rows: list[Row], common_passages: int) -> pa.Table:
    """Write rows as a table of ``MATCHED``."""
    counts = [len(finding.spans) for finding, _, _ in rows]
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
    spans = np.concatenate([finding.spans for finding, _, _ in rows] or [np.empty((0, 4), np.int32)])
    fields = [schema.SPAN.field(i) for i in range(schema.SPAN.num_fields)]
    struct = pa.StructArray.from_arrays([pa.array(np.ascontiguousarray(column)) for column in spans.T], fields=fields)
    columns = {
        "row": [finding.row for finding, _, _ in rows],
        "reference_id": [name for _, _, name in rows],
        "set_id": [reference_set.set_id for _, reference_set, _ in rows],
        "label": [reference_set.label for _, reference_set, _ in rows],
        "tier": [finding.tier for finding, _, _ in rows],
        "share": [finding.share for finding, _, _ in rows],
        "reference_share": [finding.reference_share for finding, _, _ in rows],
        "matched_words": [finding.matched_words for finding, _, _ in rows],
        "cover": [finding.cover for finding, _, _ in rows],
        "verified": [finding.verified for finding, _, _ in rows],
    }
    arrays = [
        pa.ListArray.from_arrays(offsets, struct).cast(field.type)
        if field.name == "spans"
        else pa.array(columns[field.name], type=field.type)
        for field in MATCHED
    ]
    table = pa.Table.from_arrays(arrays, schema=MATCHED)
    return table.replace_schema_metadata({"common_passages": str(common_passages)})
