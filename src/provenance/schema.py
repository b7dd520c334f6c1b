"""Arrow schemas of every table that flows between parts, and the vocabularies used in them.

A record batch gains columns on its way: ``RAW`` leaves the readers, ``PREPARED`` leaves the text
stage, ``OBSERVATIONS`` is what a scan stores. Nothing else in the package invents column names.
"""

from __future__ import annotations

from typing import Final, Literal

import pyarrow as pa

SCHEMA_VERSION: Final = 2
"""Version of the store's layout and tables. A store with a higher one is refused, one with a lower one upgraded."""

Tag = Literal["human", "synthetic", "unknown"]
TAGS: Final[tuple[Tag, ...]] = ("human", "synthetic", "unknown")

Label = Literal["human", "synthetic", "prompt"]
LABELS: Final[tuple[Label, ...]] = ("human", "synthetic", "prompt")
"""What a reference set is: known human text, a model's generations, or the prompts given to it."""

EVIDENCE_KINDS: Final = ("dated", "matched", "declared", "marker", "style")

REASONS: Final = (
    "match:copy",
    "match:passage",
    "match:human-reference",
    "marker:*",
    "declared:*",
    "dated",
    "style",
    "mixed",
    "too-short",
    "not-prose",
    "language-not-calibrated",
    "inconclusive",
)
"""Codes of what decided a verdict; ``*`` stands for the name of a marker or declaration."""

TEXT_KINDS: Final = ("prose", "code", "table", "list", "boilerplate", "empty")
"""What the prose test says of a text. Everything but ``prose`` is ``not-prose`` to the verdict."""

DATE_ORIGINS: Final = ("container", "column", "page", "implausible")
"""Who says when a record was captured.

``container``: the archive (WARC-Date). ``column``: a capture-time column of a dataset. ``page``: the
page's or author's own claim (``created``, ``published``). ``implausible``: a date that can't be
true (the Unix epoch itself, before the web for an archive, the future).
"""

MATCH_TIERS: Final = ("exact", "near", "passage")
"""How a reference was found: same folded text; MinHash bands; shared passages."""

RELATIONS: Final = (
    "used",
    "wasGeneratedBy",
    "wasDerivedFrom",
    "wasAttributedTo",
    "hadMember",
    "trained_on",
    "successor_of",
    "fine_tuned_from",
    "distilled_from",
    "graded_by",
    "verified_by",
)
"""Edge labels: W3C PROV-DM terms, then the ones that PROV has no term for. An edge reads subject → object."""

NODE_KINDS: Final = (
    "source",
    "scan",
    "dataset",
    "run",
    "model",
    "generation_run",
    "generation_set",
    "human_set",
    "evaluation",
)

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

DECLARATION: Final = pa.struct(
    [
        pa.field("where", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
"""Something a container or page says about itself, kept verbatim for evidence and rights.

``where``: ``http`` (response header, name lower-case), ``meta`` (HTML meta, name or property
lower-case), ``link`` (HTML link element, name = rel, value = href), ``script`` (name = type, value =
content), ``jsonld`` (name ``ld+json``, value = the JSON text), ``field`` (a metadata field of a JSONL or
Parquet row), ``card`` (dataset card beside the file, name = key).
"""

EVIDENCE: Final = pa.struct(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("measured", pa.bool_(), nullable=False),
        pa.field("decides", pa.bool_(), nullable=False),
    ]
)
"""One reason. ``weight``: natural-log likelihood ratio, synthetic over human; ``measured`` says whether
it was estimated on labelled data or is a documented assumption; ``decides``: strong enough to decide."""

RIGHTS: Final = pa.struct(
    [
        pa.field("licence", pa.string()),
        pa.field("opt_out", pa.list_(pa.string())),
    ]
)

SPAN: Final = pa.struct(
    [
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("reference_start", pa.int32(), nullable=False),
        pa.field("reference_end", pa.int32(), nullable=False),
    ]
)
"""A matched passage, half-open, in tokens of the record's and the reference's folded text."""

RAW: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("own_id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("captured_at", TIMESTAMP),
        pa.field("date_origin", pa.string()),
        pa.field("raw", pa.large_string(), nullable=False),
        pa.field("declarations", pa.list_(DECLARATION), nullable=False),
        pa.field("recovered", pa.bool_(), nullable=False),
    ]
)
"""What a reader yields. ``raw`` is decoded text (of HTML: the extracted main text) before any repair."""

PREPARED: Final = pa.schema(
    [
        *RAW,
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("folded", pa.large_string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("text_kind", pa.string(), nullable=False),
        pa.field("chars", pa.int32(), nullable=False),
    ]
)
"""What the text stage yields: ``RAW`` and both levels of text."""

STYLE: Final = pa.schema(
    [
        pa.field("style_score", pa.float64()),
        pa.field("p_human", pa.float64()),
        pa.field("p_synthetic", pa.float64()),
        pa.field("calibration_bin", pa.string()),
        pa.field("attributed_family", pa.string()),
        pa.field("attribution_score", pa.float64()),
    ]
)

OBSERVATIONS: Final = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("content_id", pa.string(), nullable=False),
        pa.field("scan_id", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("host", pa.string()),
        pa.field("captured_at", TIMESTAMP),
        pa.field("date_origin", pa.string()),
        pa.field("language", pa.string(), nullable=False),
        pa.field("text_kind", pa.string(), nullable=False),
        pa.field("chars", pa.int32(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        *STYLE,
        pa.field("rights", RIGHTS),
        pa.field("recovered", pa.bool_(), nullable=False),
        pa.field("evidence", pa.list_(EVIDENCE), nullable=False),
    ]
)
"""A stored observation. ``evidence`` holds declarations and markers only; the ``records`` view adds what
follows from other columns (dated, style) and from ``matches``."""

MATCHES: Final = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("scan_id", pa.string(), nullable=False),
        pa.field("reference_id", pa.string(), nullable=False),
        pa.field("set_id", pa.string(), nullable=False),
        pa.field("tier", pa.string(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("reference_share", pa.float64(), nullable=False),
        pa.field("matched_words", pa.int32(), nullable=False),
        pa.field("spans", pa.list_(SPAN), nullable=False),
        pa.field("cover", pa.binary(), nullable=False),
        pa.field("verified", pa.bool_(), nullable=False),
        pa.field("recorded_at", TIMESTAMP, nullable=False),
    ]
)
"""One finding that a record shares text with a reference.

``share``: matched tokens / tokens of the record. ``reference_share``: of the reference. ``cover``: one bit
per token of the record, most significant bit first, padded with zeros to whole bytes, so that findings
of several references can be united and subtracted in SQL (``cover::BIT``).
"""

FINGERPRINTS: Final = pa.schema(
    [
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("content_check", pa.binary(16), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("bands", pa.binary(), nullable=False),
        pa.field("passages", pa.binary(), nullable=False),
        pa.field("positions", pa.binary(), nullable=False),
    ]
)
"""What is kept of a scanned text so that copies can be found later, packed little-endian:
see `provenance.fingerprint.packing`. ``content_check`` is BLAKE2b-128 of the folded text."""

REJECTS: Final = pa.schema(
    [
        pa.field("scan_id", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)

DATASET_RECORDS: Final = pa.schema(
    [
        pa.field("dataset_id", pa.string(), nullable=False),
        pa.field("record_id", pa.string(), nullable=False),
    ]
)

DUPLICATES: Final = pa.schema(
    [
        pa.field("scan_id", pa.string(), nullable=False),
        pa.field("record_id", pa.string(), nullable=False),
        pa.field("cluster_id", pa.string(), nullable=False),
        pa.field("place", pa.int32(), nullable=False),
        pa.field("kept", pa.bool_(), nullable=False),
        pa.field("similarity", pa.float64(), nullable=False),
        pa.field("verified", pa.bool_(), nullable=False),
        pa.field("threshold", pa.float64(), nullable=False),
    ]
)
"""A record that has near-duplicates in its scan; one that has none has no row.

``cluster_id`` is the id of the record that is kept of the cluster; ``place`` is 1 for that one, then 2, 3 … for those
that would take its place. ``similarity`` to the kept record: Jaccard over 5-token shingles where ``verified`` (the
texts are equal or were read), else an estimate from fingerprints. Linked by others between them, two records of a
cluster may be less similar than ``threshold``.
"""
