"""Collapse watch: how varied a scan's or dataset's texts are, and how many unique human words are left to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa

from provenance import lineage
from provenance.diversity import Comparison, Texts, compare
from provenance.errors import UsageError
from provenance.pipeline import catalogue
from provenance.pipeline.observe import record_ids
from provenance.pipeline.reread import reread
from provenance.readers import ReadOptions
from provenance.store import Store
from provenance.text.fold import fold
from provenance.text.repair import repair
from provenance.text.tokens import tokenize

if TYPE_CHECKING:
    import numpy.typing as npt

    _Text = tuple[str, bytes, npt.NDArray[np.uint32]]
    """A record's id, its folded text with a line feed, and its tokens."""

Slices = Literal["language", "host"]

WORDS_OF_SLICE: Final = 600_000
"""Words that are read of each slice: enough to draw random parts of the largest size from."""
LEAST_WORDS: Final = 20
"""Shorter records say nothing about variety."""


@dataclass(frozen=True)
class Diversity:
    """How varied texts are.

    Attributes:
        of: What was measured.
        against: What it was held against, or None.
        slices: Name of a slice (empty for all that was measured) and what was found in it, most texts first.
        unread: Records whose sources are gone or have changed.
    """

    of: str
    against: str | None
    slices: Mapping[str, Comparison]
    unread: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**asdict(self), "slices": {name: asdict(found) for name, found in self.slices.items()}}


@dataclass(frozen=True)
class Budget:
    """Words that are left of a slice.

    Attributes:
        slice: Its name; empty for everything.
        records: Its records.
        words: Its words.
        human_words: Those tagged human.
        unique_human_words: Those, each text once.
        usable_words: Those, without records that reserve their rights.
        unique_unknown_words: Words tagged unknown, each text once.
        unique_synthetic_words: Words tagged synthetic, each text once.
    """

    slice: str
    records: int
    words: int
    human_words: int
    unique_human_words: int
    usable_words: int
    unique_unknown_words: int
    unique_synthetic_words: int


def diversity(
    what: str,
    *,
    against: str | None = None,
    by: Slices | None = None,
    top: int = 10,
    store: str | Path = "provenance-store",
) -> Diversity:
    """Measure how varied the texts of a scan or dataset are, and hold them against a baseline.

    Texts are read from their sources again: of each slice about 600,000 words, drawn by lot.

    Args:
        what: Name or id of a scan or dataset.
        against: A scan or dataset to hold it against.
        by: Measure each language or host apart; with a baseline, those that both have.
        top: Most slices to measure, those with the most texts.
        store: Folder of the store.

    Raises:
        UsageError: If nothing could be read.
        LineageError: If there is no such scan or dataset.
    """
    opened = Store.open(store)
    rows, unread = _texts(opened, what, by)
    others, unread_baseline = ({}, 0) if against is None else _texts(opened, against, by)
    if _ids(rows) & _ids(others):
        # A record can't be held against itself: one half of all ids speaks for the one side, one half for the other.
        rows, others = _half(rows, even=True), _half(others, even=False)
    own = {name: _joined(of) for name, of in rows.items()}
    other = {name: _joined(of) for name, of in others.items()}
    names = sorted(own if against is None else set(own) & set(other), key=lambda name: (-len(own[name]), name))
    found = {name: compare(own[name], other.get(name)) for name in names[:top]}
    return Diversity(what, against, found, unread + unread_baseline)


def budget(
    what: str, *, by: Slices | None = None, top: int = 20, store: str | Path = "provenance-store"
) -> list[Budget]:
    """Count the unique human words of a scan or dataset; the first entry is everything.

    Copies inside a scan are known once `dedup` has looked for them; before, only equal texts count once.

    Args:
        what: Name or id of a scan or dataset.
        by: Also count each language or host, the largest first.
        top: Most slices to count apart.
        store: Folder of the store.

    Raises:
        LineageError: If there is no such scan or dataset.
    """
    opened = Store.open(store)
    node = lineage.resolve(opened, what, ("scan", "dataset"))
    query = _sql("budget")
    found = catalogue.rows(opened, query, [node, None])
    if by is not None:
        found += catalogue.rows(opened, query, [node, by])[:top]
    return [Budget(**row) for row in found]


def _texts(store: Store, what: str, by: Slices | None) -> tuple[dict[str, list[_Text]], int]:
    """Return the texts of each slice in the order of their ids, and how many records could not be read again."""
    node = lineage.resolve(store, what, ("scan", "dataset"))
    wanted = catalogue.rows(store, _sql("sample"), [node, WORDS_OF_SLICE, LEAST_WORDS, by])
    slices = {row["record_id"]: row["slice"] for row in wanted}
    read: dict[str, list[_Text]] = defaultdict(list)
    for record_id, content, hashes in _read(store, wanted):
        if record_id in slices:
            read[slices[record_id]].append((record_id, content, hashes))
    count = sum(map(len, read.values()))
    if wanted and not count:
        raise UsageError(
            "None of its sources can be read as it was scanned", place=what, next_step="Put them back, or scan again"
        )
    return {name: sorted(rows, key=lambda row: row[0]) for name, rows in read.items()}, len(wanted) - count


def _ids(texts: Mapping[str, list[_Text]]) -> set[str]:
    return {row[0] for rows in texts.values() for row in rows}


def _half(texts: Mapping[str, list[_Text]], *, even: bool) -> dict[str, list[_Text]]:
    """Return the texts whose id, a hash, ends even or odd."""
    halves = {name: [row for row in rows if (int(row[0][-1], 16) % 2 == 0) is even] for name, rows in texts.items()}
    return {name: rows for name, rows in halves.items() if rows}


def _read(store: Store, wanted: Sequence[Mapping[str, Any]]) -> Iterator[_Text]:
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in wanted:
        places[row["scan_id"], row["source_id"]].append(row["position"])
    for scan_id in sorted({scan for scan, _ in places}):
        options = ReadOptions(**catalogue.read_options(catalogue.find_scan(store, scan_id)))
        for source in catalogue.sources(store, scan_id):
            positions = places.get((scan_id, source["source_id"]))
            if not positions or not Path(source["location"]).is_file():
                continue
            for batch in reread(source, options, positions):
                yield from _tokenized(batch, source["uri"])


def _tokenized(batch: pa.RecordBatch, uri: str) -> Iterator[_Text]:
    folded = fold(repair(batch.column("raw")))
    tokens = tokenize(folded)
    for row, record_id in enumerate(record_ids(batch, uri)):
        yield (
            record_id,
            f"{folded[row].as_py()}\n".encode(),
            tokens.hashes[tokens.offsets[row] : tokens.offsets[row + 1]],
        )


def _joined(rows: Sequence[_Text]) -> Texts:
    return Texts(
        np.cumsum([0, *(len(hashes) for _, _, hashes in rows)]).astype(np.int64),
        np.concatenate([hashes for _, _, hashes in rows]),
        b"".join(content for _, content, _ in rows),
        np.cumsum([0, *(len(content) for _, content, _ in rows)]).astype(np.int64),
    )


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
