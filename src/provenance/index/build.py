"""Building a segment from a batch of references."""

from __future__ import annotations

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
PASSAGE_LIMIT: Final = 128
"""A passage that more texts than this have is boilerplate: it finds nothing and proves nothing."""
POSITION_BITS: Final = 20
"""Bits of a passage's position; six each of the tokens beside it take the rest. What lies beyond a million tokens of
one reference is found all the same, but not estimated from fingerprints alone."""
_MAX_POSTINGS: Final = (1 << 32) - 1
Columns = tuple[npt.NDArray[Any], ...]
"""Mixed keys, texts and, of passages, positions."""
References = tuple[npt.NDArray[Any], npt.NDArray[np.uint32], npt.NDArray[Any], npt.NDArray[np.uint8]]
"""References of each text, set of each reference, length of each id, bytes of all ids."""


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
        "position_bits": POSITION_BITS,
    }


def build_segment(folder: Path, references: ReferenceBatch) -> Segment:
    """Write one segment; the same references in any order give the same bytes.

    Args:
        folder: The folder that holds segments.
        references: What to index. Texts without tokens are kept for exact copies only.

    Raises:
        UsageError: Lengths differ, or an id or check is malformed.
    """
    from provenance.fingerprint import PASSAGE_TOKENS
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

        long_enough = np.flatnonzero(lengths[home] > 0)
        bands = mixed_bands(fp.signatures)
        rows = home[long_enough]
        write_bands(
            writer, len(bands), len(long_enough), lambda band, pieces: _ranges(pieces, bands[band][rows], long_enough)
        )

        counts = np.diff(fp.passage_offsets)[home]
        keys, positions = np.empty((2, int(counts.sum())), dtype=np.uint32)
        kernel.gather(fp.passage_hashes, fp.passage_offsets, home, keys)
        kernel.gather(fp.passage_positions, fp.passage_offsets, home, positions)
        passages = np.concatenate([[0], np.cumsum(counts)])
        kernel.tag_places(tokens, offsets, passages, positions, PASSAGE_TOKENS, POSITION_BITS, positions)
        keys, owners = mixed(keys), np.repeat(np.arange(texts, dtype=np.uint32), counts)
        common = write_passages(writer, len(keys), lambda pieces: _ranges(pieces, keys, owners, positions))
        names = [encoded[i] for i in order]
        write_references(
            writer,
            [
                (
                    np.bincount(text_of, minlength=texts),
                    np.zeros(size, dtype=np.uint32),
                    np.fromiter(map(len, names), np.int64, size),
                    np.frombuffer(b"".join(names), dtype=np.uint8),
                )
            ],
        )
        sets = [ReferenceSet(references.set_id, references.label)]
        segment_id = writer.finish(sets, texts, size, common, parameters())
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
    if set(map(len, checks)) - {16}:
        raise UsageError("A content check must have 16 bytes")
    return np.frombuffer(b"".join(checks), dtype=np.uint8).reshape(-1, 16)


def content_id_array(content_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return content ids as an array of shape (n, 16)."""
    try:
        raw = bytes.fromhex("".join(content_ids))
    except ValueError:
        raw = b""
    if len(raw) != 16 * len(content_ids) or set(map(len, content_ids)) - {32}:
        raise UsageError("A content id must have 32 hex digits")
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)


def mixed(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return keys as postings store them."""
    from provenance.index import kernel

    out = np.empty(len(keys), dtype=np.uint32)
    kernel.mix(keys, out)
    return out


def mixed_bands(signatures: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the band keys of signatures as postings store them, one row for each band."""
    from provenance import fingerprint
    from provenance.fingerprint.minhash import SHINGLE_MULTIPLIER
    from provenance.index import kernel

    out = np.empty((fingerprint.BANDS, len(signatures)), dtype=np.uint32)
    kernel.mix_bands(signatures, fingerprint.ROWS, np.uint32(SHINGLE_MULTIPLIER), out)
    return out


def directory_bits(postings: int, crowd: int = 3) -> int:
    """Return how many leading bits of a key choose its bucket, for ``2**(crowd - 1)`` to ``2**crowd`` in each."""
    return min(max(postings.bit_length() - crowd, 0), 30)


def write_texts(writer: SegmentWriter, checks: npt.NDArray[np.uint8], content_ids: npt.NDArray[np.uint8]) -> None:
    """Write the identities of texts, in order of their checks."""
    writer.add("checks", checks)
    writer.add("content_ids", content_ids)
    keys = np.ascontiguousarray(checks[:, :4]).view(">u4").reshape(-1).astype(np.uint32)
    writer.add("check_keys", keys)
    writer.add("check_directory", _directory(keys))


def write_bands(
    writer: SegmentWriter, bands: int, postings: int, ranges_of: Callable[[int, int], Iterable[Columns]]
) -> None:
    """Write one sorted partition for each band.

    Args:
        writer: Where to.
        bands: How many.
        postings: Postings in each.
        ranges_of: Gives for a band and a number of ranges the mixed keys and texts of each of them, in any order.
    """
    if postings > _MAX_POSTINGS:
        raise UsageError("A segment can't hold so many references", next_step="Register them in several parts")
    # A band's posting has no position; a finer directory makes up for it and spares steps of the search.
    bits = directory_bits(postings, crowd=2)
    writer.reserve(band_keys=bands * postings, band_texts=bands * postings, band_directory=bands * ((1 << bits) + 1))
    for band in range(bands):
        directory = _Directory(writer, "band_directory", bits, _pieces(postings))
        for keys, texts in ranges_of(band, _pieces(postings)):
            packed = (keys.astype(np.uint64) << np.uint64(32)) | texts.astype(np.uint64)
            packed.sort()
            writer.append("band_texts", packed.astype(np.uint32))
            packed >>= np.uint64(32)
            writer.append("band_keys", packed)
            directory.extend(keys)
        directory.close()


def write_passages(writer: SegmentWriter, postings: int, ranges_of: Callable[[int], Iterable[Columns]]) -> int:
    """Write the partition of passages; return how many passages more than ``PASSAGE_LIMIT`` texts have.

    Args:
        writer: Where to.
        postings: How many there are.
        ranges_of: Gives for a number of ranges the mixed keys, texts and positions of each of them; postings of one key
            in order of text and position.
    """
    if postings > _MAX_POSTINGS:
        raise UsageError("A segment can't hold so many passages", next_step="Register them in several parts")
    from provenance.index import kernel

    common = 0
    bits = directory_bits(postings)
    writer.reserve(
        passage_keys=postings, passage_texts=postings, passage_positions=postings, passage_directory=(1 << bits) + 1
    )
    directory = _Directory(writer, "passage_directory", bits, _pieces(postings))
    for keys, texts, positions in ranges_of(_pieces(postings)):
        # The low half keeps the order of equal keys; sorting plain numbers is several times faster than argsort.
        packed = (keys.astype(np.uint64) << np.uint64(32)) | np.arange(len(keys), dtype=np.uint64)
        packed.sort()
        order = packed.astype(np.uint32)
        packed >>= np.uint64(32)
        texts = texts[order]
        common += kernel.count_common(packed, texts, PASSAGE_LIMIT)
        writer.append("passage_keys", packed)
        writer.append("passage_texts", texts)
        writer.append("passage_positions", positions[order])
        directory.extend(keys)
    directory.close()
    return common


def write_references(writer: SegmentWriter, blocks: Iterable[References]) -> None:
    """Write the registrations, ordered by text, set and id.

    Args:
        writer: Where to.
        blocks: For consecutive texts: references of each text; position of each reference's set in the manifest's
            list; length of its id; all ids.
    """
    counts, sets, lengths = [], [], []
    writer.begin("reference_id_bytes")
    for of_texts, of_sets, of_ids, names in blocks:
        counts.append(of_texts.astype(np.uint32))
        sets.append(of_sets)
        lengths.append(of_ids.astype(np.uint32))
        writer.append("reference_id_bytes", names)
    writer.add("reference_sets", np.concatenate(sets))
    writer.add("reference_offsets", _offsets(counts))
    writer.add("reference_id_offsets", _offsets(lengths))


def limits_of(pieces: int) -> list[tuple[int, int]]:
    """Return the first and last key of each range, when all keys are cut into a power of two of ranges."""
    size = (1 << 32) // pieces
    return [(low, low + size - 1) for low in range(0, 1 << 32, size)]


class _Directory:
    """Writes where each bucket starts, range by range."""

    def __init__(self, writer: SegmentWriter, name: str, bits: int, pieces: int) -> None:
        self._writer, self._name, self._bits = writer, name, bits
        self._range = np.zeros(1 << bits - pieces.bit_length() + 1, dtype=np.int64)
        self._postings = 0

    def extend(self, keys: npt.NDArray[np.uint32]) -> None:
        from provenance.index import kernel

        self._range[:] = 0
        kernel.count_buckets(keys, self._bits, self._range)
        ends = np.cumsum(self._range)
        self._writer.append(self._name, self._postings + ends - self._range)
        self._postings += len(keys)

    def close(self) -> None:
        self._writer.append(self._name, np.array([self._postings]))


def _pieces(postings: int) -> int:
    return 1 << (postings // CHUNK).bit_length()


def _offsets(counts: list[npt.NDArray[np.uint32]]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(sum(map(len, counts)) + 1, dtype=np.int64)
    np.cumsum(np.concatenate(counts), out=offsets[1:])
    return offsets


def _directory(keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    from provenance.index import kernel

    bits = directory_bits(len(keys))
    counts = np.zeros((1 << bits) + 1, dtype=np.int64)
    kernel.count_buckets(keys, bits, counts[1:])
    return np.cumsum(counts).astype(np.uint32)


def _ranges(pieces: int, keys: npt.NDArray[np.uint32], *columns: npt.NDArray[Any]) -> Iterator[Columns]:
    for low, high in limits_of(pieces):
        inside = np.flatnonzero((keys >= low) & (keys <= high)) if pieces > 1 else slice(None)
        yield (keys[inside], *(column[inside] for column in columns))
