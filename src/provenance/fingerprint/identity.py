"""The two hashes that say that two folded texts are the same."""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING

import xxhash

from provenance.text.buffers import string_buffers

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


def content_ids(folded: pa.LargeStringArray) -> list[str]:
    """XXH3-128 of each folded text's UTF-8, as 32 hex digits. A null counts as the empty text."""
    return [xxhash.xxh3_128_hexdigest(text) for text in _payloads(folded)]


def content_checks(folded: pa.LargeStringArray) -> list[bytes]:
    """BLAKE2b of each folded text's UTF-8, 16 bytes (RFC 7693): confirms what a content id suggests."""
    return [blake2b(text, digest_size=16).digest() for text in _payloads(folded)]


def _payloads(folded: pa.LargeStringArray) -> Iterator[memoryview]:
    values, offsets = string_buffers(folded)
    return (values.data[start:end] for start, end in pairwise(offsets.tolist()))
