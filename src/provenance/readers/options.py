"""What a reader is asked for (`Source`, `ReadOptions`), and what it counts while it reads (`Tally`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from provenance.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Positions: TypeAlias = "npt.NDArray[np.int64]"
"""Positions of records in a source, sorted and each once."""


@dataclass(frozen=True)
class Source:
    """A file or object that records are read from.

    Attributes:
        location: Where it is: a path as the operating system knows it, or a URL, which may hold credentials. Messages
            and the store get ``uri`` or `remote.without_secrets` of it instead.
        uri: Its canonical name, which record ids hash: the same input has the same on any machine.
        bytes: Its size as stored.
        spooled: It is a copy of standard input, gone when the scan ends.
    """

    location: str
    uri: str
    bytes: int
    spooled: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """Columns and bounds. A record beyond a bound becomes a reject; reading goes on behind it.

    Attributes:
        text_column: Column of the text; dots lead into nested columns. None: found by name.
        id_column: Column of the record's own id.
        url_column: Column of the URL.
        date_column: Column of the capture time.
        batch_rows: Most rows of a batch.
        batch_bytes: Bytes of text after which a batch is closed; one record more may be in it.
        max_record_bytes: Longest crawl record (its block as stored), or text of a row.
        max_header_bytes: Longest header block of a crawl record, or of the HTTP message in it.
        max_line_bytes: Longest line of a JSONL source, row of a CSV file, or file that is one JSON array.
        max_decoded_bytes: Longest HTTP payload after its content codings are removed.
        max_source_bytes: Most bytes that one source may decompress to; beyond, it is given up with a `SourceError`.
        max_ratio: How many times its compressed size a stream may decompress to, beyond the first 256 MiB.
        max_layers: Most compressions around one another (``.gz.gz``).
        max_window_bytes: Memory that a Zstandard or xz decoder may take for its window.
        max_columns: Most columns of a CSV file.
        max_members: Most entries of a ZIP archive's directory.
        max_path_bytes: Longest name of an entry of a ZIP archive.
        max_message_bytes: Longest message of an Arrow IPC stream, as stored and decompressed.
        max_message_rows: Most rows of one record batch of an Arrow IPC stream.
        max_page_bytes: Longest page of a column of a Parquet file, decompressed.
        max_rejects: A source with more rejects is given up with a `SourceError`.
    """

    text_column: str | None = None
    id_column: str | None = None
    url_column: str | None = None
    date_column: str | None = None
    batch_rows: int = 4096
    batch_bytes: int = 16 << 20
    max_record_bytes: int = 64 << 20
    max_header_bytes: int = 1 << 20
    max_line_bytes: int = 64 << 20
    max_decoded_bytes: int = 64 << 20
    max_source_bytes: int = 1 << 40
    max_ratio: int = 400
    max_layers: int = 2
    max_window_bytes: int = 128 << 20
    max_columns: int = 10_000
    max_members: int = 100_000
    max_path_bytes: int = 1_024
    max_message_bytes: int = 1 << 30
    max_message_rows: int = 1 << 24
    max_page_bytes: int = 512 << 20
    max_rejects: int = 1_000_000


class Reject(NamedTuple):
    """A unit that could not be read: where, a short stable reason, and a detail for a person."""

    position: int
    reason: str
    detail: str


@dataclass
class Tally:
    """What one source held. ``records + rejects + skipped = read`` holds whenever a batch is handed out.

    Attributes:
        records: Rows handed out.
        rejects: Units that could not be read.
        skipped: Units that hold no text of their own, by kind.
        bytes_read: Bytes of the source (as stored) consumed so far, for progress.
        format: Name of the container and its compression, such as ``warc.gz``; empty before it is known.
        watch: Told which unit is parsed, so that one that hangs or crashes a parser is known; None between units.
        given_up: Units that did, by position, with reason and detail of their rejects.
    """

    records: int = 0
    rejects: list[Reject] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0
    format: str = ""
    watch: Callable[[int | None], None] = field(default=lambda _: None, repr=False)
    given_up: Mapping[int, tuple[str, str]] = field(default_factory=dict, repr=False)

    def takes(self, position: int, options: ReadOptions) -> bool:
        """Say that the unit at a position is about to be parsed; False if it must not be: it is a reject then."""
        self.watch(position)
        if position not in self.given_up:
            return True
        self.reject(position, *self.given_up[position], options)
        return False

    def rests(self) -> None:
        """Say that no unit is being parsed, and that reading goes on."""
        self.watch(None)

    @property
    def read(self) -> int:
        """Units seen: records, rejects and skipped."""
        return self.records + len(self.rejects) + self.skipped.total()

    def reject(self, position: int, reason: str, detail: str, options: ReadOptions) -> None:
        """Note a unit that could not be read.

        Raises:
            SourceError: There are more than ``options.max_rejects`` by now.
        """
        self.rejects.append(Reject(position, reason, detail[:500]))
        if len(self.rejects) > options.max_rejects:
            raise SourceError(
                f"More than {options.max_rejects} units can't be read, the last because of: {reason}",
                place=f"position {position}",
                next_step="Check that the file is what its name says, or download it again",
            )
