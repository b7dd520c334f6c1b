"""Building a segment from a batch of references."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from provenance.errors import UsageError
from provenance.index.segment import ReferenceSet, Segment, SegmentWriter, open_segment

if TYPE_CHECKING:
    from provenance.fingerprint import Fingerprints
    from provenance.schema import Label

CHUNK: Final = 1 << 23
"""Postings sorted at once; bounds the memory of building and compacting."""
_MAX_POSTINGS: Final = (1 << 32) - 1
Postings = tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]
"""Mixed keys, texts and positions."""


@dataclass(frozen=True)
class ReferenceBatch:
    """References of one set, ready to be indexed.

    Attributes:
        reference_ids: One for each text, unique in the set.
        set_id: The set they belong to.
        label: ``human``, ``synthetic`` or ``prompt``.
        content_ids: 32 hex digits each.
        content_checks: BLAKE2b-128 of each folded text, 16 bytes.
        fingerprints: Of the same texts, in the same order.
    """

    reference_ids: Sequence[str]
    set_id: str
    label: Label
    content_ids: Sequence[str]
    content_checks: Sequence[bytes]
    fingerprints: Fingerprints


def parameters() -> dict[str, Any]:
    """Return the versions and numbers that a segment must share with the fingerprints that look into it."""
    from provenance import fingerprint
    from provenance.text.fold import NORMALISER_VERSION

    return {
        "normaliser": NORMALISER_VERSION,
        "bands": fingerprint.BANDS,
        "rows": fingerprint.ROWS,
        "passage_tokens": fingerprint.PASSAGE_TOKENS,
        "passage_window": fingerprint.PASSAGE_WINDOW,
    }


def build_segment(folder: Path, references: ReferenceBatch) -> Segment:
    """Write one segment; the same references in any order give the same bytes.

    Args:
        folder: The folder that holds segments.
        references: What to index. Texts without tokens are kept for exact copies only.

    Raises:
        UsageError: Lengths differ, or an id or check is malformed.
    """
    from provenance import fingerprint
    from provenance.index import kernel

    fp = references.fingerprints
    checks = check_array(references.content_checks)
    content_ids = content_id_array(references.content_ids)
    size = len(references.reference_ids)
    lengths = np.diff(fp.tokens.offsets)
    if not size == len(checks) == len(content_ids) == len(lengths):
        raise UsageError("A batch of references has columns of different lengths", place=references.set_id)

    encoded = [name.encode() for name in references.reference_ids]
    order = _order(checks, encoded)
    first = np.ones(size, dtype=bool)
    first[1:] = (checks[order[1:]] != checks[order[:-1]]).any(axis=1)
    home = order[first]
    texts = len(home)
    text_of = np.empty(size, dtype=np.int64)
    text_of[order] = np.cumsum(first) - 1

    with SegmentWriter(folder) as writer:
        write_texts(writer, checks[home], content_ids[home])
        offsets = np.zeros(texts + 1, dtype=np.int64)
        np.cumsum(lengths[home], out=offsets[1:])
        tokens = np.empty(offsets[-1], dtype=np.uint32)
        kernel.gather(fp.tokens.hashes, fp.tokens.offsets, home, tokens)
        writer.add("token_offsets", offsets)
        writer.add("tokens", tokens)
        del tokens

        long_enough = np.flatnonzero(lengths[home] > 0)
        bands = fingerprint.band_keys(fp.signatures[home[long_enough]])
        write_bands(writer, bands.shape[1], len(long_enough), lambda band: (mixed(bands[:, band]), long_enough))

        rows = np.repeat(np.arange(size), np.diff(fp.passage_offsets))
        is_home = np.zeros(size, dtype=bool)
        is_home[home] = True
        kept = np.flatnonzero(is_home[rows])
        kept = kept[np.argsort(text_of[rows[kept]], kind="stable")]
        keys = mixed(fp.passage_hashes[kept])
        write_passages(
            writer,
            len(kept),
            _chunks(keys, text_of[rows[kept]].astype(np.uint32), fp.passage_positions[kept].astype(np.uint32)),
        )
        write_references(
            writer,
            np.bincount(text_of, minlength=texts),
            np.zeros(size, dtype=np.uint32),
            [encoded[i] for i in order],
        )
        segment_id = writer.finish([ReferenceSet(references.set_id, references.label)], texts, size, parameters())
    return open_segment(folder, segment_id, parameters())


def _order(checks: npt.NDArray[np.uint8], names: list[bytes]) -> npt.NDArray[np.int64]:
    """Order references by check, then by id."""
    high, low = (np.ascontiguousarray(checks[:, k : k + 8]).view(">u8").reshape(-1).astype(np.uint64) for k in (0, 8))
    order = np.lexsort((low, high))
    same = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] == low[order[:-1]])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2).tolist():
        order[start : end + 1] = sorted(order[start : end + 1].tolist(), key=lambda k: names[k])
    return order


def check_array(checks: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Return checks as an array of shape (n, 16)."""
    if any(len(check) != 16 for check in checks):
        raise UsageError("A content check must have 16 bytes")
    return np.frombuffer(b"".join(checks), dtype=np.uint8).reshape(-1, 16)


def content_id_array(content_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return content ids as an array of shape (n, 16)."""
    try:
        raw = bytes.fromhex("".join(content_ids))
    except ValueError:
        raw = b""
    if len(raw) != 16 * len(content_ids) or any(len(name) != 32 for name in content_ids):
        raise UsageError("A content id must have 32 hex digits")
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)


def mixed(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return keys as postings store them."""
    from provenance.index import kernel

    out = np.empty(len(keys), dtype=np.uint32)
    kernel.mix(keys, out)
    return out


def directory_bits(postings: int) -> int:
    """Return how many leading bits of a key choose its bucket, for 4 to 8 postings in each."""
    return min(max(postings.bit_length() - 3, 0), 30)


def write_texts(writer: SegmentWriter, checks: npt.NDArray[np.uint8], content_ids: npt.NDArray[np.uint8]) -> None:
    """Write the identities of texts, in order of their checks."""
    writer.add("checks", checks)
    writer.add("content_ids", content_ids)
    keys = np.ascontiguousarray(checks[:, :4]).view(">u4").reshape(-1).astype(np.uint32)
    writer.add("check_keys", keys)
    writer.add("check_directory", _directory(keys))


def write_bands(
    writer: SegmentWriter,
    bands: int,
    postings: int,
    postings_of: Callable[[int], tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]],
) -> None:
    """Write one sorted partition for each band.

    Args:
        writer: Where to.
        bands: How many.
        postings: Postings in each.
        postings_of: Gives the mixed keys of a band and the text of each.
    """
    if postings > _MAX_POSTINGS:
        raise UsageError("A segment can't hold so many references", next_step="Register them in several parts")
    every_text = np.empty((bands, postings), dtype=np.uint32)
    directories = []
    writer.begin("band_keys")
    for band in range(bands):
        band_keys, texts = postings_of(band)
        packed = (band_keys.astype(np.uint64) << np.uint64(32)) | texts.astype(np.uint64)
        packed.sort()
        keys = (packed >> np.uint64(32)).astype(np.uint32)
        writer.append(keys)
        every_text[band] = packed.astype(np.uint32)
        directories.append(_directory(keys))
    writer.add("band_texts", every_text)
    writer.add("band_directory", np.concatenate(directories))


def write_passages(writer: SegmentWriter, postings: int, chunks: Iterable[Postings]) -> None:
    """Write the partition of passages.

    Args:
        writer: Where to.
        postings: How many there are.
        chunks: Postings of ascending, disjoint ranges of keys; inside a range ordered by text and position.
    """
    if postings > _MAX_POSTINGS:
        raise UsageError("A segment can't hold so many passages", next_step="Register them in several parts")
    from provenance.index import kernel

    texts, positions = np.empty(postings, dtype=np.uint32), np.empty(postings, dtype=np.uint32)
    bits = directory_bits(postings)
    counts = np.zeros((1 << bits) + 1, dtype=np.int64)
    at = 0
    writer.begin("passage_keys")
    for keys, chunk_texts, chunk_positions in chunks:
        # The low half keeps the order of equal keys; sorting plain numbers is several times faster than argsort.
        packed = (keys.astype(np.uint64) << np.uint64(32)) | np.arange(len(keys), dtype=np.uint64)
        packed.sort()
        order = packed.astype(np.uint32)
        packed >>= np.uint64(32)
        writer.append(packed.astype(np.uint32))
        kernel.directory_of(keys, bits, counts)
        texts[at : at + len(order)] = chunk_texts[order]
        positions[at : at + len(order)] = chunk_positions[order]
        at += len(order)
    writer.add("passage_texts", texts)
    writer.add("passage_positions", positions)
    writer.add("passage_directory", np.cumsum(counts).astype(np.uint32))


def write_references(
    writer: SegmentWriter, counts: npt.NDArray[np.int64], sets: npt.NDArray[np.uint32], names: list[bytes]
) -> None:
    """Write the registrations, ordered by text, set and id.

    Args:
        writer: Where to.
        counts: References of each text.
        sets: Position of each reference's set in the manifest's list.
        names: Its id.
    """
    writer.add("reference_offsets", np.concatenate([[0], np.cumsum(counts)]))
    writer.add("reference_sets", sets)
    writer.add("reference_id_offsets", np.concatenate([[0], np.cumsum([len(name) for name in names])]))
    writer.add("reference_id_bytes", np.frombuffer(b"".join(names), dtype=np.uint8))


def _directory(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    from provenance.index import kernel

    bits = directory_bits(len(keys))
    counts = np.zeros((1 << bits) + 1, dtype=np.int64)
    kernel.directory_of(keys, bits, counts)
    return np.cumsum(counts).astype(np.uint32)


def _chunks(
    keys: npt.NDArray[np.uint32], texts: npt.NDArray[np.uint32], positions: npt.NDArray[np.uint32]
) -> Iterator[Postings]:
    ranges = max(1, -(-len(keys) // CHUNK))
    limits = [(1 << 32) * i // ranges for i in range(ranges + 1)]
    for low, high in itertools.pairwise(limits):
        inside = np.flatnonzero((keys >= low) & (keys <= high - 1)) if ranges > 1 else slice(None)
        yield keys[inside], texts[inside], positions[inside]
