"""Sealing: any number of members, in any order, in bounded memory."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest
import xxhash

from provenance import lineage
from provenance.errors import LineageError
from provenance.store import Store


def documented_digest(members: set[str]) -> str:
    return xxhash.xxh3_128_hexdigest("\n".join(sorted(members)).encode())


@pytest.mark.parametrize("count", [0, 1, 2, 250_000])
def test_the_digest_is_that_of_the_sorted_members_whatever_they_come_in(store: Store, count: int) -> None:
    members = [f"{n * 2654435761 % 2**32:08x}-ü" for n in range(count)]
    doubled = [*members, *members[: count // 3]]
    random.Random(0).shuffle(doubled)

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, len(doubled), 10_000):
            yield pa.record_batch([pa.array(doubled[first : first + 10_000])], names=["anything"])

    reader = pa.RecordBatchReader.from_batches(pa.schema([("anything", pa.string())]), batches())
    lineage.seal_dataset(store, "streamed", reader)
    lineage.seal_dataset(store, "listed", doubled)
    lineage.seal_dataset(store, "chunked", pa.chunked_array([doubled[:7], doubled[7:]], pa.large_string()))
    rows = store.sql("select distinct digest, records, observed, words from datasets").fetchall()
    assert rows == [(documented_digest(set(members)), count, 0, 0)]
    found = store.sql("select record_id from dataset_records where dataset_id = 'dataset:streamed'").to_arrow_table()
    assert found["record_id"].to_pylist() == sorted(members)
    assert store.verify().problems == []


def test_sealing_again_is_a_no_op_and_other_members_are_refused(store: Store) -> None:
    lineage.seal_dataset(store, "d", ["b", "a", "b"])
    lineage.seal_dataset(store, "d", ["a", "b"])
    for others in (["a"], [], None):
        with pytest.raises(LineageError, match="sealed with other members"):
            lineage.seal_dataset(store, "d", others)
    assert store.sql("select count(*), any_value(records) from datasets").fetchall() == [(1, 2)]
    assert store.sql("select count(*) from dataset_records").fetchall() == [(2,)]
