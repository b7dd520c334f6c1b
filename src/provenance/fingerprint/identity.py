"""The two hashes that say that two folded texts are the same."""

from __future__ import annotations

from hashlib import blake2b

import pyarrow as pa
import xxhash


def content_ids(folded: pa.LargeStringArray) -> list[str]:
    """XXH3-128 of each folded text, as 32 hex digits. A null counts as the empty text."""
    return [xxhash.xxh3_128_hexdigest(text) for text in _payloads(folded)]


def content_checks(folded: pa.LargeStringArray) -> list[bytes]:
    """BLAKE2b-128 of each folded text, 16 bytes: confirms what a content id suggests (RFC 7693)."""
    return [blake2b(text, digest_size=16).digest() for text in _payloads(folded)]


def _payloads(folded: pa.LargeStringArray) -> list[bytes]:
    return [value or b"" for value in folded.cast(pa.large_binary()).to_pylist()]
