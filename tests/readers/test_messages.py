"""What a message of Arrow IPC says of itself, as Arrow understands it."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest

from provenance.readers.messages import MessageRefused, shape_of

KINDS = {"schema": 1, "dictionary": 2, "record batch": 3}
TABLE = pa.table(
    {
        "text": [f"text number {n} " * 3 for n in range(50)],
        "tags": [["a", str(n)] for n in range(50)],
        "kind": pa.array(["x", "y"] * 25).dictionary_encode(),
        "none": pa.nulls(50),
    }
)


def messages(table, compression=None):
    file = io.BytesIO()
    with pa.ipc.new_stream(file, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=20)
    return list(pa.ipc.MessageReader.open_stream(file.getvalue()))


@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_messages_are_described_as_arrow_reads_them(compression):
    found = [(message, shape_of(message.metadata.to_pybytes())) for message in messages(TABLE, compression)]
    assert [message.type for message, _ in found] == ["schema", "dictionary", *["record batch"] * 3]
    assert [shape.rows for _, shape in found] == [0, 2, 20, 20, 10]
    for message, shape in found:
        body = message.body.to_pybytes() if message.body else b""
        assert shape.kind == KINDS[message.type]
        assert shape.body == len(body)
        assert shape.compressed == (bool(compression) and message.type != "schema")
        at = 0
        for offset, length in shape.buffers:
            assert offset == at
            at += -(-length // 8) * 8
        assert at == len(body)
    # validity and values: two more of a list and of its texts, none of a column of nulls
    assert [len(shape.buffers) for _, shape in found] == [0, 3, 10, 10, 10]


@pytest.mark.parametrize("size", [0, 1, 3, 8, 20, 60])
def test_cut_metadata_is_refused(size):
    metadata = messages(TABLE)[2].metadata.to_pybytes()
    with pytest.raises(MessageRefused):
        shape_of(metadata[:size])
