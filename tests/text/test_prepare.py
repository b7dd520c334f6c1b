"""The text stage turns a raw batch into a prepared one."""

from __future__ import annotations

import pyarrow as pa

from provenance import schema
from provenance.text.prepare import prepare


def raw(texts: list[str]) -> pa.RecordBatch:
    rows = [
        {
            "position": at,
            "own_id": None,
            "url": None,
            "captured_at": None,
            "date_origin": None,
            "raw": text,
            "declarations": [],
            "recovered": False,
        }
        for at, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=schema.RAW)


def test_prepare_adds_both_levels_of_text() -> None:
    prepared = prepare(raw(["The FERRY leaves\r\nthe harbour at six and returns before noon.", ""]))
    assert prepared.schema == schema.PREPARED
    first, second = prepared.to_pylist()
    assert first["raw"].count("\r") == 1
    assert first["text"] == "The FERRY leaves\nthe harbour at six and returns before noon."
    assert first["folded"] == first["folded"].lower()
    assert (first["language"], first["text_kind"], first["chars"]) == ("en", "prose", len(first["text"]))
    assert (second["language"], second["text_kind"], second["chars"]) == ("und", "empty", 0)


def test_the_columns_that_were_there_are_shared() -> None:
    batch = raw(["some text", "other text"])
    prepared = prepare(batch)
    assert prepared.column("raw").buffers()[2].address == batch.column("raw").buffers()[2].address
    assert prepared.column("text").buffers()[2].address == batch.column("raw").buffers()[2].address


def test_an_empty_batch() -> None:
    assert prepare(raw([])).num_rows == 0
