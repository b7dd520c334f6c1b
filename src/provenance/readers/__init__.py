"""Readers: every container of text behind one function, as record batches of `schema.RAW`."""

from __future__ import annotations

from provenance.readers.open import open_records
from provenance.readers.options import ReadOptions, Reject, Source, Tally
from provenance.readers.rows import TABLES, crawl_rows, jsonl_lines, own_tables, parquet_tables
from provenance.readers.sources import find_sources

__all__ = [
    "TABLES",
    "ReadOptions",
    "Reject",
    "Source",
    "Tally",
    "crawl_rows",
    "find_sources",
    "jsonl_lines",
    "open_records",
    "own_tables",
    "parquet_tables",
]
