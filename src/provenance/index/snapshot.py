"""A read-only snapshot of the reference index: find what records share with references."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.errors import UsageError
from provenance.index import lookup
from provenance.index.build import check_array, content_id_array, mixed_bands, parameters
from provenance.index.findings import KEPT, Finding, References, select, to_table
from provenance.index.overlap import DISTINCT_TOKENS, overlaps
from provenance.index.packed import estimate
from provenance.index.segment import open_segment

if TYPE_CHECKING:
    from provenance.fingerprint import Fingerprints, StoredFingerprints

MATCH_TOKENS: Final = 25
"""A verified match has at least so many equal tokens outside boilerplate, unless it is a whole copy. References with
fewer tokens match only as whole copies."""
WHOLE: Final = 0.7
"""Of a passage that very many texts have, two texts that are the same to this part, both of them, are variants: then it
counts. A notice at the end of both makes no variants of them."""


@dataclass(frozen=True)
class Index:
    """A snapshot: some segments without some sets. Nothing in it changes; it may be shared by threads.

    Attributes:
        shelves: The segments, mapped.
    """

    shelves: tuple[lookup.Shelf, ...]

    @classmethod
    def open(cls, folder: Path, segments: Sequence[str], withdrawn: Collection[str] = ()) -> Index:
        """Map segments.

        Args:
            folder: The folder that holds segments.
            segments: Ids of those to read. Their order and number change no result.
            withdrawn: Ids of sets that no longer count.

        Raises:
            SegmentError: One is missing, damaged, or of another normaliser or other fingerprint parameters.
        """
        now = parameters()
        gone = frozenset(withdrawn)
        opened = (open_segment(folder, segment, now) for segment in sorted(set(segments)))
        return cls(tuple(lookup.make_shelf(segment, gone) for segment in opened if segment.texts))

    @property
    def references(self) -> int:
        """References in the snapshot, withdrawn ones included."""
        return sum(shelf.segment.references for shelf in self.shelves)

    @property
    def common_passages(self) -> int:
        """Passages that more than 128 texts of one segment have: neither found nor evidence. Compaction counts all."""
        return sum(shelf.segment.common_passages for shelf in self.shelves)

    def match(self, fp: Fingerprints, content_ids: Sequence[str], content_checks: Sequence[bytes]) -> pa.Table:
        """Find what records share with references, verified token by token.

        A record matches a reference when both are the same text, or when they share at least 25 tokens in
        chains of equal runs (see :func:`provenance.index.overlap.overlaps`), 12 of them different. Tokens of passages
        that more than 128 texts have don't count towards the 25, unless the texts are variants of each other: they
        collide in a band and 0.7 of both is shared.

        Args:
            fp: Fingerprints of the records.
            content_ids: Their content ids.
            content_checks: Their BLAKE2b-128 checks.

        Returns:
            Rows of ``MATCHED``, by row, set and reference. The table's metadata counts the passages that were too
            common to be looked at (``common_passages``).
        """
        checks = check_array(content_checks)
        if not len(fp.tokens) == len(checks) == len(content_ids):
            raise UsageError("Fingerprints and content ids differ in number")
        words = np.diff(fp.tokens.offsets)
        if not self.shelves or not len(words):
            return to_table([], 0)
        findings = list(self._copies(checks, content_ids, words))
        copied = {(finding.row, finding.check) for finding in findings}
        band = lookup.band_hits(self.shelves, mixed_bands(fp.signatures))
        band = band[words[band.queries % len(words)] > 0]
        passage_rows = np.repeat(np.arange(len(words)), np.diff(fp.passage_offsets))
        passage, common = lookup.seed_hits(self.shelves, fp, passage_rows)
        candidates = lookup.choose(band, passage, passage_rows, words)
        findings += self._verified(fp, candidates, _common_tokens(fp, passage_rows, common), copied)
        return to_table(select(self._referenced(findings)), int(common.sum()))

    def match_packed(self, stored: pa.RecordBatch | StoredFingerprints) -> pa.Table:
        """Estimate what stored fingerprints share with references, without the texts.

        Meant for a snapshot of newly registered segments. A whole copy is known for certain by its check; else
        passages that lie on one diagonal give spans (see :func:`provenance.index.packed.estimate`).

        Args:
            stored: Rows of ``schema.FINGERPRINTS``, packed or unpacked.

        Returns:
            Rows of ``MATCHED`` with ``verified`` false except for whole copies; ``row`` counts in ``stored``.
        """
        from provenance import fingerprint

        if isinstance(stored, pa.RecordBatch):
            stored = fingerprint.unpack(stored)
        if not self.shelves or not len(stored):
            return to_table([], 0)
        words = stored.words.astype(np.int64)
        findings = list(self._copies(check_array(stored.content_checks), None, words))
        copied = {(finding.row, finding.check) for finding in findings}
        found, common = estimate(self.shelves, stored, MATCH_TOKENS)
        findings += [finding for finding in found if (finding.row, finding.check) not in copied]
        return to_table(select(self._referenced(findings)), common)

    def worth_matching(self, stored: pa.RecordBatch | StoredFingerprints) -> npt.NDArray[np.int64]:
        """Return the rows of stored fingerprints that `match` would compare with any text, in order.

        Estimates are too low near the ends of a passage, so a record with a short one is known by this alone.
        """
        from provenance import fingerprint

        if isinstance(stored, pa.RecordBatch):
            stored = fingerprint.unpack(stored)
        if not self.shelves or not len(stored):
            return np.empty(0, dtype=np.int64)
        words = stored.words.astype(np.int64)
        copies = lookup.exact_hits(self.shelves, check_array(stored.content_checks)).queries
        band = lookup.band_hits(self.shelves, lookup.stored_band_queries(stored.bands))
        passage, _ = lookup.passage_hits(self.shelves, stored.passage_hashes)
        passage_rows = np.repeat(np.arange(len(words)), np.diff(stored.passage_offsets))
        rows = np.unique(np.concatenate([copies, band.queries % len(words), passage_rows[passage.queries]]))
        found: npt.NDArray[np.int64] = rows[words[rows] > 0].astype(np.int64)
        return found

    def _copies(
        self, checks: npt.NDArray[np.uint8], content_ids: Sequence[str] | None, words: npt.NDArray[np.int64]
    ) -> Iterator[Finding]:
        hits = lookup.exact_hits(self.shelves, checks)
        names = content_id_array(content_ids) if content_ids is not None else None
        seen = set()
        for row, shelf, text in zip(hits.queries.tolist(), hits.shelves.tolist(), hits.texts.tolist(), strict=True):
            size = int(words[row])
            segment = self.shelves[shelf].segment
            there = segment["content_ids"][16 * text : 16 * text + 16]
            if not size or row in seen or (names is not None and not np.array_equal(there, names[row])):
                continue
            start, end = segment["token_offsets"][text : text + 2].tolist()
            if names is None and size != end - start:  # of a row that says it is what it is not
                continue
            seen.add(row)
            cover = np.packbits(np.ones(size, dtype=np.uint8)).tobytes()
            span = np.array([[0, size, 0, size]], dtype=np.int32)
            yield Finding(row, checks[row].tobytes(), "exact", 1.0, 1.0, size, span, cover, True)

    def _verified(
        self,
        fp: Fingerprints,
        candidates: lookup.Candidates,
        common: npt.NDArray[np.uint8],
        copied: set[tuple[int, bytes]],
    ) -> Iterator[Finding]:
        words = np.diff(fp.tokens.offsets)
        for number, shelf in enumerate(self.shelves):
            segment = shelf.segment
            here = np.flatnonzero(candidates.shelves == number)
            rows, texts = candidates.rows[here], candidates.texts[here]
            offsets = segment["token_offsets"]
            lengths = offsets[texts + 1] - offsets[texts]
            if len(here) and (offsets[texts].min() < 0 or offsets[texts + 1].max() > len(segment["tokens"])):
                raise lookup.damaged(segment, "its texts lie outside it")
            long_enough = (lengths >= MATCH_TOKENS) & (words[rows] >= MATCH_TOKENS)
            here, rows, texts, lengths = here[long_enough], rows[long_enough], texts[long_enough], lengths[long_enough]
            if not len(here):
                continue
            found = overlaps(fp.tokens, segment["tokens"], offsets, np.stack([rows, texts], axis=1), common)
            near = candidates.near[here]
            whole = near & (found.matched >= WHOLE * words[rows]) & (found.reference_matched >= WHOLE * lengths)
            evidence = np.where(whole, found.matched, found.rare)
            for k in np.flatnonzero((evidence >= MATCH_TOKENS) & (found.distinct >= DISTINCT_TOKENS)).tolist():
                row, text = int(rows[k]), int(texts[k])
                check = segment["checks"][16 * text : 16 * text + 16].tobytes()
                if (row, check) in copied:
                    continue
                matched = int(found.matched[k])
                yield Finding(
                    row,
                    check,
                    "near" if near[k] else "passage",
                    matched / int(words[row]),
                    int(found.reference_matched[k]) / int(lengths[k]),
                    matched,
                    found.spans[k],
                    found.cover[k],
                    True,
                )

    def _referenced(self, findings: list[Finding]) -> Iterator[tuple[Finding, References]]:
        """Pair each finding with the references, in any shelf, that are its text."""
        if not findings:
            return
        checks = sorted({finding.check for finding in findings})
        hits = lookup.exact_hits(self.shelves, check_array(checks))
        holders: dict[bytes, References] = defaultdict(dict)
        for number, shelf, text in zip(hits.queries.tolist(), hits.shelves.tolist(), hits.texts.tolist(), strict=True):
            _add_references(holders[checks[number]], self.shelves[shelf], text)
        for finding in findings:
            yield finding, holders[finding.check]


def _add_references(holders: References, shelf: lookup.Shelf, text: int) -> None:
    """Add the first few references of each live set that are this text."""
    segment = shelf.segment
    start, end = segment["reference_offsets"][text : text + 2].tolist()
    sets = segment["reference_sets"][start:end]
    if not 0 <= start <= end <= segment.references or (len(sets) and sets.max() >= len(segment.sets)):
        raise lookup.damaged(segment, "its references lie outside it")
    for position in np.unique(sets).tolist() if len(sets) > 1 else sets.tolist():
        if not shelf.live_sets[position]:
            continue
        some = start + np.flatnonzero(sets == position)[:KEPT]
        names = {segment.reference_id(reference) for reference in some.tolist()}
        key = segment.sets[position]
        holders[key] = sorted(names.union(holders.get(key, [])))[:KEPT]


def _common_tokens(
    fp: Fingerprints, rows: npt.NDArray[np.int64], common: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Mark the tokens of common passages, and what lies between two that follow each other."""
    marks = np.zeros(len(fp.tokens.hashes), dtype=np.uint8)
    if common.any():
        from provenance import fingerprint
        from provenance.index import kernel

        kernel.mark_passages(rows, fp.passage_positions, common, fp.tokens.offsets, fingerprint.PASSAGE_TOKENS, marks)
    return marks
