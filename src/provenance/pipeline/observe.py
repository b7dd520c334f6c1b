"""One batch of records in, everything that is seen in it out: the stages in their order.

No stage knows of another; this module alone says who reads which column. It touches neither files nor
the store, so a scan worker, `Detector.tag` and the verification of late matches all run the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from provenance import rights, schema
from provenance.classifier import StyleModel
from provenance.evidence import declared, markers
from provenance.fingerprint import Fingerprints, content_checks, content_ids, fingerprint, pack
from provenance.index import Index
from provenance.text.fold import fold
from provenance.text.prepare import prepare
from provenance.text.repair import repair
from provenance.text.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

# Scheme, optional credentials, then the host: bracketed IPv6 or everything up to port or path.
_HOST: Final = r"^[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/?#@]*@)?(?P<host>\[[^\]]*\]|[^/?#:\[]*)"


@dataclass(frozen=True)
class Identity:
    """Where the records of a batch come from; with position and own id it makes their record ids."""

    scan_id: str
    source_id: str
    uri: str


@dataclass(frozen=True)
class Detectors:
    """What looks at records and is loaded once for each process."""

    style: StyleModel
    index: Index | None = None


@dataclass(frozen=True)
class Observed:
    """What one batch gave.

    Attributes:
        observations: Rows of `schema.OBSERVATIONS`.
        matches: Rows of `schema.MATCHES` without ``recorded_at``.
        fingerprints: Rows of `schema.FINGERPRINTS`.
    """

    observations: pa.Table
    matches: pa.Table
    fingerprints: pa.Table


@dataclass(frozen=True)
class Fingerprinted:
    """Identities and fingerprints of some texts."""

    content_ids: Sequence[str]
    content_checks: Sequence[bytes]
    fingerprints: Fingerprints

    @property
    def words(self) -> pa.Array:
        """Tokens of each folded text, int32."""
        offsets = self.fingerprints.tokens.offsets
        return pa.array((offsets[1:] - offsets[:-1]).astype("int32"))


def fingerprinted(folded: pa.LargeStringArray) -> Fingerprinted:
    """Identify and fingerprint folded texts."""
    return Fingerprinted(content_ids(folded), content_checks(folded), fingerprint(tokenize(folded)))


def fingerprinted_text(raw: pa.LargeStringArray) -> Fingerprinted:
    """Identify and fingerprint texts as readers yield them, without all else that a scan asks of a text."""
    return fingerprinted(fold(repair(raw)))


def record_ids(batch: pa.RecordBatch, uri: str) -> list[str]:
    """Return the record ids of a batch: XXH3-128 of URI, locator and the record's own id, 32 hex digits.

    The parts are joined by a NUL, which occurs in none of them, so that different parts never give the
    same joined string.
    """
    positions = batch.column("position").to_pylist()
    own_ids = batch.column("own_id").to_pylist()
    return [
        xxhash.xxh3_128_hexdigest(f"{uri}\0{position}\0{own_id or ''}".encode())
        for position, own_id in zip(positions, own_ids, strict=True)
    ]


def hosts(urls: pa.Array) -> pa.Array:
    """Return the host of each URL, lower-case and without port or a last dot; null when there is none."""
    host = pc.utf8_rtrim(pc.utf8_lower(pc.struct_field(pc.extract_regex(urls, pattern=_HOST), "host")), ".")
    return pc.if_else(pc.equal(host, ""), pa.scalar(None, pa.string()), host)


def observe(batch: pa.RecordBatch, identity: Identity, detectors: Detectors) -> Observed:
    """Run every stage over one `schema.RAW` batch.

    Args:
        batch: Records of one source, as a reader yields them.
        identity: The scan and source they belong to.
        detectors: The style model and the snapshot of the reference index to match against.
    """
    prepared = prepare(batch)
    seen = fingerprinted(prepared.column("folded"))
    words = seen.words
    rows = batch.num_rows
    ids = record_ids(batch, identity.uri)
    style = detectors.style.judge(
        prepared.column("text"), prepared.column("language"), words, prepared.column("text_kind")
    )
    evidence = _join_lists(declared.observe(prepared), markers.observe(prepared))
    columns = {
        "record_id": pa.array(ids, pa.string()),
        "content_id": pa.array(seen.content_ids, pa.string()),
        "scan_id": _repeat(identity.scan_id, rows),
        "source_id": _repeat(identity.source_id, rows),
        "host": hosts(prepared.column("url")),
        "words": words,
        "rights": rights.observe(prepared),
        "evidence": evidence,
        **{name: style.column(name) for name in schema.STYLE.names},
    }
    observations = pa.table(
        [
            columns[field.name] if field.name in columns else prepared.column(field.name)
            for field in schema.OBSERVATIONS
        ],
        schema=schema.OBSERVATIONS,
    )
    return Observed(
        observations,
        _matches(seen, ids, identity, detectors.index),
        pa.Table.from_batches([pack(seen.fingerprints, ids, seen.content_checks)]),
    )


MATCH_COLUMNS: Final = pa.schema([field for field in schema.MATCHES if field.name != "recorded_at"])


def _matches(seen: Fingerprinted, ids: Sequence[str], identity: Identity, index: Index | None) -> pa.Table:
    if index is None:
        return MATCH_COLUMNS.empty_table()
    found = index.match(seen.fingerprints, seen.content_ids, seen.content_checks)
    return with_record_ids(found, ids, identity.scan_id)


def with_record_ids(found: pa.Table, ids: Sequence[str], scan_id: str) -> pa.Table:
    """Replace the row numbers of `Index.match` by record ids."""
    columns = {
        "record_id": pa.array(ids, pa.string()).take(found.column("row").combine_chunks()),
        "scan_id": _repeat(scan_id, found.num_rows),
    }
    return pa.table(
        [columns[field.name] if field.name in columns else found.column(field.name) for field in MATCH_COLUMNS],
        schema=MATCH_COLUMNS,
    )


def _repeat(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), rows)


def _join_lists(first: pa.ListArray, second: pa.ListArray) -> pa.Array:
    """Concatenate two list columns row by row. Most rows have neither: that case costs nothing."""
    if len(second.flatten()) == 0:
        return first
    if len(first.flatten()) == 0:
        return second
    return pa.array(
        [[*a, *b] for a, b in zip(first.to_pylist(), second.to_pylist(), strict=True)], pa.list_(schema.EVIDENCE)
    )
