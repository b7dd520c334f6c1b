from __future__ import annotations

from hashlib import blake2b

import pyarrow as pa
import xxhash

from provenance.fingerprint import content_checks, content_ids
from provenance.text.fold import fold

TEXTS = ["", "a", "the cat", "привет", "x" * 1000]


def test_hashes_of_the_folded_bytes() -> None:
    column = pa.array(["skipped", *TEXTS, None], pa.large_string())[1:]
    assert content_ids(column) == [xxhash.xxh3_128(text.encode()).hexdigest() for text in [*TEXTS, ""]]
    assert content_checks(column) == [blake2b(text.encode(), digest_size=16).digest() for text in [*TEXTS, ""]]
    assert content_ids(column[:0]) == []


def test_the_same_text_has_the_same_id_however_it_is_set() -> None:
    folded = fold(pa.array(["The  Cat\nsat", "the cat sat", "the cat sat."], pa.large_string()))
    one, two, three = content_ids(folded)
    assert one == two != three


def test_ids_are_pinned() -> None:
    """Stores hold these values: a change here is a new normaliser version."""
    folded = fold(pa.array(["Straße \u200bпривет 世界 ﬁn"], pa.large_string()))
    assert folded.to_pylist() == ["strasse привет 世界 fin"]
    assert content_ids(folded) == [xxhash.xxh3_128_hexdigest("strasse привет 世界 fin".encode())]
