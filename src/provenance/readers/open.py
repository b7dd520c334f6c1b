"""One door to every container: what a source is decides which reader opens it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from provenance.readers.detect import detect
from provenance.readers.options import Positions, ReadOptions, Source, Tally

if TYPE_CHECKING:
    from provenance.readers.grammar import Grammar


def open_records(
    source: Source, options: ReadOptions, tally: Tally, only: Positions | None = None
) -> Iterator[pa.RecordBatch]:
    """Read a source as batches of `schema.RAW`, bounded by ``options.batch_rows`` and ``batch_bytes``.

    Memory is bounded by one batch, one record at its cap, and one Parquet page set; it does not grow with the
    source. An empty file has no records and is no error.

    Args:
        source: What to read.
        options: Columns and caps.
        tally: Counts of this source; rejects and skipped units go there.
        only: Yield the records at these positions alone. Crawl files that are plain or compressed record by record, and
            the row groups of Parquet files, are then read only where one of them is, and ``tally`` counts only what
            was looked at.

    Raises:
        SourceError: The source can't be read at all.
        UsageError: A column named in the options is not there, or no text column is found.
    """
    form = detect(source, options)
    tally.format = form.name
    if form.container in ("warc", "arc"):
        from provenance.readers.crawl import read_crawl

        yield from read_crawl(source, form.compression, options, tally, only, grammar_of(form.container))
    elif form.container == "wacz":
        from provenance.readers.wacz import read_wacz

        yield from read_wacz(source, form.compression, options, tally, only)
    elif form.container == "parquet":
        from provenance.readers.parquet import read_parquet

        yield from read_parquet(source, options, tally, only)
    elif form.container in ("jsonl", "json"):
        from provenance.readers.jsonl import read_jsonl

        yield from read_jsonl(source, form, options, tally, only)
    elif form.container == "csv":
        from provenance.readers.delimited import read_csv

        yield from read_csv(source, form.compression, options, tally, only)
    elif form.container in ("arrow", "arrows"):
        from provenance.readers.ipc import read_ipc

        yield from read_ipc(source, form, options, tally, only)
    elif form.container == "txt":
        from provenance.readers.plain import read_plain

        yield from read_plain(source, form.compression, options, tally, only)
    tally.bytes_read = source.bytes


def grammar_of(container: str) -> Grammar:
    """How records of a crawl format begin."""
    from provenance.readers.arc import ARC
    from provenance.readers.grammar import WARC

    return ARC if container == "arc" else WARC
