"""Datasets: recorded once with their members, and sealed from then on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from provenance.errors import LineageError
from provenance.lineage.cycles import refuse_cycle
from provenance.lineage.names import checked, dataset_id, resolve
from provenance.schema import TAGS
from provenance.store import catalogue, layout
from provenance.store.parts import PartFile, write_part

if TYPE_CHECKING:
    from provenance.store import Store

_BATCH: Final = 122_880
_MEMORY: Final = "2GB"
"""What sorting and counting members may take; the rest is spilled into the store's ``staging`` folder."""

Members: TypeAlias = "pa.Array | pa.ChunkedArray | pa.RecordBatchReader | Sequence[str] | None"


def add_dataset(
    store: Store,
    name: str,
    *,
    version: str | None = None,
    scans: Sequence[str] = (),
    keep: Collection[str] | None = None,
    derived_from: Sequence[str] = (),
    location: str | None = None,
) -> str:
    """Record a dataset and seal it: its members are the records of scans, or what it was made of. Return its node id.

    Args:
        store: The store.
        name: The dataset's name.
        version: Its version, if it has several.
        scans: Scans (names or ids) whose records it holds.
        keep: Only records with these tags under the scan's current policy; all if left out.
        derived_from: Datasets and reference sets (names or ids) that it was made of.
        location: Where its files are.

    Raises:
        LineageError: If the dataset exists with other members (a sealed one doesn't change), a scan or origin is
            unknown, or the dataset would come from itself.
    """
    unknown = sorted(set(keep or ()) - set(TAGS))
    if unknown:
        raise LineageError(f"There is no tag {unknown[0]!r}", next_step=f"The tags are {', '.join(TAGS)}")
    if not scans and not derived_from:
        raise LineageError(f"Nothing says what the dataset {name!r} holds", next_step="Name a scan or another dataset")
    node = dataset_id(checked(name, "dataset"), version)
    scan_ids = [resolve(store, scan, ("scan",)) for scan in scans]
    origins = [
        node if origin in (name, node) else resolve(store, origin, ("dataset", "generation_set", "human_set"))
        for origin in derived_from
    ]

    def seal(members: Members) -> str:
        made_of = [*scan_ids, *origins]
        return seal_dataset(store, node, members, derived_from=made_of, location=location, version=version)

    if not scan_ids:
        return seal(None)
    with store.read() as connection:
        connection.execute("set memory_limit = $1", [_MEMORY])
        if keep is None:
            found = connection.sql(
                "select record_id from observations where list_contains($1, scan_id)", params=[scan_ids]
            )
        else:
            found = connection.sql(
                "select record_id from records where list_contains($1, scan_id) and list_contains($2, tag)",
                params=[scan_ids, sorted(keep)],
            )
        return seal(found.to_arrow_reader(_BATCH))


def seal_dataset(
    store: Store,
    name: str,
    record_ids: Members,
    *,
    derived_from: Sequence[str] = (),
    location: str | None = None,
    version: str | None = None,
) -> str:
    """Record a dataset with exactly these member records. Return its node id.

    The digest is the XXH3-128 of the sorted record ids, one a line: the same members in any order are the same
    dataset. Memory stays bounded, however many there are, if they are handed over as a reader.

    Args:
        store: The store.
        name: Name or node id.
        record_ids: Its members, in any order; a reader has them in its first column. None for a dataset that is known
            only by what it was made of; it has no digest.
        derived_from: Node ids of scans, datasets and reference sets that it was made of.
        location: Where its files are.
        version: Its version, if it has several.

    Raises:
        LineageError: If it exists with other members, or would come from itself.
    """
    node = name if name.startswith("dataset:") else dataset_id(checked(name, "dataset"), version)
    with store.session():
        row: dict[str, Any] = {
            "dataset_id": node,
            "name": node.removeprefix("dataset:"),
            "version": version,
            "location": location,
        }
        part = None
        if record_ids is not None:
            with catalogue.quiet(settings=_spilling(store.root)) as connection:
                ordered = _Ordered(node)
                part = write_part(
                    store.root,
                    "dataset_records",
                    xxhash.xxh3_128_hexdigest(node.encode()),
                    "members",
                    ordered.batches(connection, _reader(record_ids)),
                )
            observed, words = _observed(store, part)
            row |= {"digest": ordered.digest, "records": part.rows, "observed": observed, "words": words}
        with store.commit(f"add {node}") as commit:
            known = commit.execute("select digest from datasets where dataset_id = ?", [node]).fetchall()
            if known and known != [(row.get("digest"),)]:
                raise LineageError(
                    "The dataset is sealed with other members", place=node, next_step="Give it another name or version"
                )
            for origin in derived_from:
                refuse_cycle(commit, node, "wasDerivedFrom", origin)
            commit.add_edges([(node, "wasDerivedFrom", origin) for origin in derived_from])
            if known:
                return node
            if part is not None and part.rows:
                commit.add_part(part)
            commit.insert("datasets", [{**row, "sealed_at": commit.recorded_at}])
    return node


class _Ordered:
    """Members in order, each once, and their digest, while they pass by."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._hash = xxhash.xxh3_128()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def batches(self, connection: duckdb.DuckDBPyConnection, members: pa.RecordBatchReader) -> Iterator[pa.Table]:
        connection.register("members", members)
        last: str | None = None
        ordered = connection.sql("select record_id from members where record_id is not null order by record_id")
        empty = pa.table({"dataset_id": pa.array([], pa.string()), "record_id": pa.array([], pa.string())})
        yield empty  # so that a dataset without members is written too
        for batch in ordered.to_arrow_reader(_BATCH):
            ids = batch.column(0).cast(pa.string())
            before = pa.concat_arrays([pa.array([last], pa.string()), ids[:-1]])
            ids = ids.filter(pc.fill_null(pc.not_equal(ids, before), True))
            if not len(ids):
                continue
            self._add(ids, first=last is None)
            last = ids[-1].as_py()
            yield pa.table({"dataset_id": pa.repeat(pa.scalar(self._node), len(ids)), "record_id": ids})

    def _add(self, ids: pa.StringArray, *, first: bool) -> None:
        lines = pc.binary_join_element_wise(
            pa.scalar("", pa.large_string()), ids.cast(pa.large_string()), pa.scalar("\n", pa.large_string())
        )
        offsets = np.frombuffer(lines.buffers()[1], np.int64, len(lines) + 1, lines.offset * 8)
        text = memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]]
        self._hash.update(text[1:] if first else text)


def _reader(members: pa.Array | pa.ChunkedArray | pa.RecordBatchReader | Sequence[str]) -> pa.RecordBatchReader:
    if isinstance(members, pa.RecordBatchReader):
        schema = pa.schema([pa.field("record_id", members.schema.field(0).type)])
        batches = (pa.record_batch([batch.column(0)], schema=schema) for batch in members)
        return pa.RecordBatchReader.from_batches(schema, batches)
    column = members if isinstance(members, pa.Array | pa.ChunkedArray) else pa.array(list(members), pa.string())
    return pa.table({"record_id": column}).to_reader(_BATCH)


def _observed(store: Store, part: PartFile) -> tuple[int, int]:
    """Return how many members a scan has observed, and their words; a record that several scans saw counts once."""
    if not part.rows:
        return 0, 0
    with store.read() as connection:
        for setting, value in _spilling(store.root).items():
            connection.execute(f"set {setting} = '{value.replace(chr(39), chr(39) * 2)}'")
        ((observed, words),) = connection.execute(
            "select count(*), coalesce(sum(words), 0)::bigint from ("
            "select any_value(words) as words from observations "
            "semi join read_parquet($1) as member using (record_id) group by record_id)",
            [str(Path(store.root, part.path))],
        ).fetchall()
        return int(observed), int(words)


def _spilling(root: Path) -> dict[str, str]:
    return {"memory_limit": _MEMORY, "temp_directory": str(root / layout.STAGING / "spill")}
