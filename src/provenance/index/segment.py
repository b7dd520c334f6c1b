"""A segment: one immutable, memory-mapped file of sorted arrays under a manifest with checksums.

A segment is a folder ``<segment id>/`` with ``arrays.bin`` (little-endian arrays, each aligned to 64 bytes) and
``segment.json``. It is written beside the others under a name that nothing refers to, synced, and renamed; after that
it never changes. The id is the XXH3-128 of the manifest, so the same references give the same id and bytes.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import xxhash

from provenance import bounded
from provenance.errors import SegmentError

FORMAT_VERSION: Final = 1
ARRAYS: Final[dict[str, str]] = {
    "checks": "u1",
    "content_ids": "u1",
    "check_keys": "<u4",
    "check_directory": "<u4",
    "token_offsets": "<i8",
    "tokens": "<u4",
    "band_keys": "<u4",
    "band_texts": "<u4",
    "band_directory": "<u4",
    "passage_keys": "<u4",
    "passage_texts": "<u4",
    "passage_positions": "<u4",
    "passage_directory": "<u4",
    "reference_offsets": "<i8",
    "reference_sets": "<u4",
    "reference_id_offsets": "<i8",
    "reference_id_bytes": "u1",
}
"""Every array of a segment with its type on disk.

``checks``/``content_ids``: 16 bytes a text. A *text* is a distinct folded text; a *reference* is one registration of
it. Texts are ordered by check, so equal postings of several segments merge in one order. ``*_keys`` are mixed keys
(:func:`provenance.index.kernel.mix`), sorted; ``*_texts`` the text of each posting; ``*_directory`` where each bucket
of leading bits starts. ``passage_positions`` hold the position in the lower bits, the neighbours' bits above
(:func:`provenance.index.kernel.tag_places`).
"""
_ALIGN: Final = 64
_MANIFEST: Final = "segment.json"
_DATA: Final = "arrays.bin"
_PARTIAL: Final = ".partial-"
_NAME: Final = re.compile(r"[0-9a-f]{32}")
_MOST_MANIFEST: Final = 64 << 20


class ReferenceSet(NamedTuple):
    """A set of references as a segment knows it; models and dates are joined elsewhere."""

    set_id: str
    label: str


@dataclass(frozen=True)
class Segment:
    """An opened segment: its manifest and memory-mapped arrays, read-only.

    Attributes:
        id: Name of its folder.
        sets: The reference sets in it; ``reference_sets`` holds positions in this list.
        texts: Distinct texts.
        references: Registrations of texts.
        common_passages: Passages that so many of its texts have that they are not looked at.
        parameters: What its fingerprints were made with.
        bytes: Size of ``arrays.bin``.
    """

    id: str
    sets: tuple[ReferenceSet, ...]
    texts: int
    references: int
    common_passages: int
    parameters: dict[str, Any]
    bytes: int
    arrays: dict[str, npt.NDArray[Any]]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.arrays[name]

    def reference_id(self, reference: int) -> str:
        """Return the id of one reference.

        Raises:
            SegmentError: It is no text.
        """
        start, end = self["reference_id_offsets"][reference : reference + 2]
        try:
            return bytes(self["reference_id_bytes"][start:end]).decode()
        except UnicodeDecodeError:
            raise _damaged(Path(self.id) / _DATA, "holds an id that is no text") from None


def open_segment(folder: Path, segment_id: str, parameters: dict[str, Any]) -> Segment:
    """Map one segment, checking manifest, size and versions but not the data's checksums.

    Args:
        folder: The folder that holds segments.
        segment_id: Which one.
        parameters: Versions and numbers that fingerprints are made with now.

    Raises:
        SegmentError: It is missing, damaged, or made under another normaliser or other parameters.
    """
    manifest = _read_manifest(folder, segment_id)
    for name, now in parameters.items():
        there = manifest["parameters"].get(name)
        if there != now:
            raise SegmentError(
                f"This segment of the reference index was made with {name} {there}, this version has {now}",
                place=str(folder / segment_id),
                next_step="Register the reference sets again in a new store, or use the version that made this one",
            )
    path = folder / segment_id / _DATA
    _require_shapes(manifest, path)
    if not path.is_file() or path.stat().st_size != manifest["bytes"]:
        raise _damaged(path, "is missing or cut off")
    mapped = np.memmap(path, dtype=np.uint8, mode="r") if manifest["bytes"] else np.empty(0, np.uint8)
    arrays = {}
    for name, dtype in ARRAYS.items():
        entry = manifest["arrays"][name]
        size = entry["count"] * np.dtype(dtype).itemsize
        arrays[name] = np.asarray(mapped[entry["offset"] : entry["offset"] + size]).view(dtype)
    return Segment(
        id=segment_id,
        sets=tuple(ReferenceSet(*entry) for entry in manifest["sets"]),
        texts=manifest["texts"],
        references=manifest["references"],
        common_passages=manifest.get("common_passages", 0),
        parameters=manifest["parameters"],
        bytes=manifest["bytes"],
        arrays=arrays,
    )


def verify(folder: Path, segments: Sequence[str]) -> None:
    """Read every byte of these segments and compare it with the checksums in their manifests.

    Raises:
        SegmentError: The first difference found.
    """
    for segment_id in segments:
        manifest = _read_manifest(folder, segment_id)
        path = folder / segment_id / _DATA
        _require_shapes(manifest, path)
        if not path.is_file() or path.stat().st_size != manifest["bytes"]:
            raise _damaged(path, "is missing or cut off")
        with path.open("rb") as file:
            for name, entry in manifest["arrays"].items():
                file.seek(entry["offset"])
                left = entry["count"] * np.dtype(ARRAYS[name]).itemsize
                digest = xxhash.xxh3_128()
                while left:
                    piece = file.read(min(left, 1 << 22))
                    if not piece:
                        raise _damaged(path, "is cut off")
                    digest.update(piece)
                    left -= len(piece)
                if digest.hexdigest() != entry["xxh3"]:
                    raise _damaged(path, f"has another checksum in its array {name}")


def sweep(folder: Path, keep: Collection[str]) -> list[str]:
    """Remove segments that nothing refers to, and what an interrupted build left; return the removed names."""
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        unfinished = path.name.startswith(_PARTIAL)
        if path.is_dir() and path.name not in keep and (unfinished or (path / _MANIFEST).is_file()):
            shutil.rmtree(path)
            removed.append(path.name)
    return removed


@dataclass
class _Region:
    """Where an array is being written: its start, the next byte, its end (None: open) and the digest so far."""

    offset: int
    at: int
    end: int | None
    digest: xxhash.xxh3_128


class SegmentWriter:
    """Writes the arrays of one segment; leaving the ``with`` block early removes what was written.

    Arrays of a known size may grow side by side, so that nothing has to wait in memory until its turn.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._partial = folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        self._partial.mkdir()
        self._file = (self._partial / _DATA).open("wb")
        self._entries: dict[str, dict[str, Any]] = {}
        self._open: dict[str, _Region] = {}
        self._size = 0

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._partial.exists():
            shutil.rmtree(self._partial)

    def reserve(self, **counts: int) -> None:
        """Start arrays of these numbers of values, in this order; the arrays before them are complete."""
        self._end()
        for name, count in counts.items():
            offset = self._size + -self._size % _ALIGN
            self._size = offset + count * np.dtype(ARRAYS[name]).itemsize
            self._open[name] = _Region(offset, offset, self._size, xxhash.xxh3_128())

    def begin(self, name: str) -> None:
        """Start one array of any size; the arrays before it are complete."""
        self._end()
        offset = self._size + -self._size % _ALIGN
        self._open[name] = _Region(offset, offset, None, xxhash.xxh3_128())

    def append(self, name: str, values: npt.NDArray[Any]) -> None:
        """Add values to an array that was started."""
        region = self._open[name]
        raw = np.ascontiguousarray(values, dtype=ARRAYS[name]).reshape(-1).view(np.uint8).data
        if region.end is not None and region.at + len(raw) > region.end:
            raise RuntimeError(f"more values than were reserved: {name}")
        region.digest.update(raw)
        if self._file.tell() != region.at:
            self._file.seek(region.at)
        self._file.write(raw)
        region.at += len(raw)

    def add(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write a whole array."""
        self.begin(name)
        self.append(name, values)

    def finish(
        self,
        sets: Sequence[ReferenceSet],
        texts: int,
        references: int,
        common_passages: int,
        parameters: dict[str, Any],
    ) -> str:
        """Sync and name the segment; return its id. One that already exists is left as it is."""
        self._end()
        missing = ARRAYS.keys() - self._entries.keys()
        if missing:
            raise RuntimeError(f"arrays not written: {sorted(missing)}")
        size = self._size
        self._file.truncate(size)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        body = {
            "format": FORMAT_VERSION,
            "parameters": parameters,
            "texts": texts,
            "references": references,
            "common_passages": common_passages,
            "sets": [list(entry) for entry in sets],
            "bytes": size,
            "arrays": self._entries,
        }
        segment_id = _digest(body)
        with (self._partial / _MANIFEST).open("w", encoding="utf-8") as file:
            json.dump({**body, "checksum": segment_id}, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self._partial)
        final = self._folder / segment_id
        if not final.exists():
            self._partial.rename(final)
            _sync_folder(self._folder)
        return segment_id

    def _end(self) -> None:
        for name, region in self._open.items():
            if region.end not in (None, region.at):
                raise RuntimeError(f"fewer values than were reserved: {name}")
            self._size = max(self._size, region.at)
            count = (region.at - region.offset) // np.dtype(ARRAYS[name]).itemsize
            self._entries[name] = {"offset": region.offset, "count": count, "xxh3": region.digest.hexdigest()}
        self._open = {}


def _read_manifest(folder: Path, segment_id: str) -> dict[str, Any]:
    path = folder / segment_id / _MANIFEST
    if not _NAME.fullmatch(segment_id):  # names come from a catalogue, which may be a stranger's
        raise _damaged(path, "has a name that is none")
    try:
        manifest = json.loads(bounded.read(path, _MOST_MANIFEST))
        checksum = manifest.pop("checksum")
        version = manifest["format"]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise _damaged(path, "can't be read") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise SegmentError(
            f"This segment of the reference index has format {version}, this version reads up to {FORMAT_VERSION}",
            place=str(path),
            next_step="Upgrade provenance",
        )
    if _digest(manifest) != checksum or checksum != segment_id:
        raise _damaged(path, "is not what its checksum says")
    return dict(manifest)


def _require_shapes(manifest: dict[str, Any], path: Path) -> None:
    """Audit what a manifest says of its arrays before any is mapped: a checksum that fits can be a stranger's too."""
    try:
        problem = _problem(manifest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, "is described by a manifest that lacks something") from error
    if problem:
        raise _damaged(path, f"is described wrongly: {problem}")


def _problem(manifest: dict[str, Any]) -> str | None:
    entries, texts, references = manifest["arrays"], manifest["texts"], manifest["references"]
    numbers = [manifest["bytes"], texts, references, manifest.get("common_passages", 0)]
    numbers += [entry[key] for entry in entries.values() for key in ("offset", "count")]
    if not all(type(number) is int and 0 <= number < 1 << 56 for number in numbers):
        return "a size that is none"
    if entries.keys() != ARRAYS.keys():
        return "other arrays"
    for name, entry in entries.items():
        end = entry["offset"] + entry["count"] * np.dtype(ARRAYS[name]).itemsize
        if entry["offset"] % _ALIGN or end > manifest["bytes"] or not isinstance(entry["xxh3"], str):
            return f"the array {name} lies outside it"
    sets = manifest["sets"]
    if not all(len(entry) == 2 and all(isinstance(text, str) for text in entry) for entry in sets):
        return "its reference sets"
    count = {name: entry["count"] for name, entry in entries.items()}
    bands = manifest["parameters"].get("bands", 1)
    expected = {
        "checks": 16 * texts,
        "content_ids": 16 * texts,
        "check_keys": texts,
        "token_offsets": texts + 1,
        "band_texts": count["band_keys"],
        "passage_texts": count["passage_keys"],
        "passage_positions": count["passage_keys"],
        "reference_offsets": texts + 1,
        "reference_sets": references,
        "reference_id_offsets": references + 1,
        "band_keys": count["band_keys"] // bands * bands,
        "band_directory": count["band_directory"] // bands * bands,
    }
    return next((f"the array {name} has another size" for name, size in expected.items() if count[name] != size), None)


def _digest(manifest: dict[str, Any]) -> str:
    return xxhash.xxh3_128_hexdigest(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode())


def _damaged(path: Path, how: str) -> SegmentError:
    return SegmentError(
        f"A file of the reference index {how}",
        place=str(path),
        next_step="Restore it from a backup, or unregister and register its sets again",
    )


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
