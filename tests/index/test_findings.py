"""Which of the references that a record shares something with are kept, and how they are written down."""

from __future__ import annotations

import numpy as np

from provenance.index.findings import KEPT, KEPT_AT_MOST, Finding, select, to_table
from provenance.index.segment import ReferenceSet

SET = ReferenceSet("set", "synthetic")


def finding(start, end, of=1024, row=0, reference_share=0.5):
    marks = np.zeros(of, np.uint8)
    marks[start:end] = 1
    span = np.array([[start, end, 0, end - start]], np.int32)
    size = end - start
    check = size.to_bytes(16)
    return Finding(row, check, "passage", size / of, reference_share, size, span, np.packbits(marks).tobytes(), True)


def kept(*found):
    return [name for _, _, name in select((one, {SET: names}) for one, names in found)]


def test_the_best_are_kept_by_words_then_share_of_the_reference_then_name():
    words = [(finding(0, 100 + k), [f"w{k}"]) for k in range(KEPT + 1)]
    assert kept(*words) == [f"w{k}" for k in range(1, KEPT + 1)]
    shares = [(finding(0, 100, reference_share=k / 100), [f"s{k}"]) for k in range(KEPT + 1)]
    assert kept(*shares) == [f"s{k}" for k in range(1, KEPT + 1)]
    assert kept((finding(0, 100), [f"n{k}" for k in range(KEPT + 1)][::-1])) == [f"n{k}" for k in range(KEPT)]


def test_a_further_one_is_kept_if_it_covers_eight_tokens_that_no_better_one_does():
    best = (finding(0, 100), [f"a{k}" for k in range(KEPT)])
    assert kept(best, (finding(93, 107), ["seven"])) == best[1]
    assert kept(best, (finding(93, 108), ["eight"])) == [*best[1], "eight"]
    # What the first of two like it covers is no news of the second.
    assert kept(best, (finding(93, 108), ["m", "n"])) == [*best[1], "m"]


def test_at_most_64_of_a_set_are_kept_and_each_set_has_its_own():
    many = [(finding(10 * k, 10 * k + 10), [f"n{k:03}"]) for k in range(KEPT_AT_MOST + 5)]
    assert kept(*many) == [f"n{k:03}" for k in range(KEPT_AT_MOST)]
    other = ReferenceSet("another", "human")
    rows = select([(finding(0, 50, row=1), {SET: ["b", "a"], other: ["c"]}), (finding(0, 40), {SET: ["z"]})])
    assert [(one.row, where.set_id, name) for one, where, name in rows] == [
        (0, "set", "z"),
        (1, "another", "c"),
        (1, "set", "a"),
        (1, "set", "b"),
    ]


def test_rows_are_written_as_found():
    spans = np.array([[0, 9, 4, 13], [20, 30, 40, 50]], np.int32)
    first = Finding(3, bytes(16), "near", 0.25, 0.75, 19, spans, b"\xff\x80", True)
    second = Finding(4, bytes(16), "passage", 0.5, 1.0, 10, spans[:1], b"\xf0", False)
    table = to_table([(first, SET, "one"), (second, SET, "two")], 5)
    assert table.schema.metadata == {b"common_passages": b"5"}
    names = ("start", "end", "reference_start", "reference_end")
    assert table.to_pylist()[0] == {
        "row": 3,
        "reference_id": "one",
        "set_id": "set",
        "label": "synthetic",
        "tier": "near",
        "share": 0.25,
        "reference_share": 0.75,
        "matched_words": 19,
        "cover": b"\xff\x80",
        "verified": True,
        "spans": [dict(zip(names, span, strict=True)) for span in spans.tolist()],
    }
    assert table["spans"].to_pylist()[1] == [dict(zip(names, spans[0].tolist(), strict=True))]
    assert table["verified"].to_pylist() == [True, False]
