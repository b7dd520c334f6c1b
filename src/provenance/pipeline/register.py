"""Register: fingerprint known texts, publish them as an index segment, and look for them in earlier scans."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from provenance.errors import UsageError
from provenance.index import ReferenceBatch, Segment, build_segment
from provenance.lineage import add_generation_set, add_model
from provenance.pipeline import catalogue
from provenance.pipeline.observe import Fingerprinted, fingerprinted, record_ids
from provenance.pipeline.rematch import file_digest, rematch_segments
from provenance.pipeline.results import RegisterResult, RematchResult
from provenance.readers import ReadOptions, Source, Tally, find_sources, open_records
from provenance.store import Commit, Store
from provenance.text.fold import NORMALISER_VERSION

MIN_WORDS: Final = 5
"""Shorter references are not registered: one shingle says nothing about who wrote it."""

Progress = Callable[[int, int, int], None]


def register(
    paths: str | Path | Sequence[str | Path],
    *,
    label: Literal["synthetic", "human"],
    model: str | None = None,
    name: str | None = None,
    store: str | Path = "provenance-store",
    text_column: str | None = None,
    prompt_column: str | None = None,
    released: dt.date | None = None,
    progress: Progress | None = None,
) -> RegisterResult:
    """Register known texts, and match them against everything scanned before.

    Args:
        paths: Files, folders or globs, read as by `scan`.
        label: ``synthetic`` (a model wrote them) or ``human``.
        model: The model that wrote them; wanted for ``synthetic``.
        name: Name of the set; made of the model's name and the first path if left out.
        store: Folder of the store; made if it does not exist.
        text_column: Column that holds the text.
        prompt_column: Column that holds prompts: what a record shares with a prompt is not the model's text.
        released: Day on which the model was released; no earlier record can be a copy.
        progress: Called with (bytes done, bytes in all, references so far).

    Raises:
        UsageError: On wrong paths or columns, or a synthetic set without a model.
    """
    if label == "synthetic" and not model:
        raise UsageError("A synthetic set needs the model that wrote it", next_step="Name it with --model")
    if label == "human" and model:
        raise UsageError("A human set has no model", next_step="Leave out --model, or register the set as synthetic")
    wanted = [str(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    sources = find_sources(wanted, None)
    opened = Store.open_or_create(store)
    label_name = name or "-".join(filter(None, [model, Path(wanted[0]).absolute().stem]))
    set_id = _set_id(sources, label, model, label_name, text_column, prompt_column)
    with opened.session():
        if catalogue.rows(opened, "select 1 from reference_sets where set_id = ? and withdrawn_at is null", [set_id]):
            _correct_release(opened, set_id, model, released)
            counts = catalogue.set_counts(opened, set_id)
            # A registration that was interrupted may have published the set before it had looked for it.
            found = _rematch(opened, catalogue.segments_of(opened, set_id), progress)
            return RegisterResult(set_id, label_name, label, model, counts[label], counts["prompt"], 0, True, found)
        texts, rejects = _read(sources, ReadOptions(text_column=text_column), progress)
        batches: dict[str, ReferenceBatch] = {label: _references(texts, set_id, label)}
        if prompt_column:
            prompts, _ = _read(sources, ReadOptions(text_column=prompt_column), None)
            batches["prompt"] = _references(prompts, f"{set_id}-prompts", "prompt")
        segments = {
            kind: build_segment(catalogue.index_folder(opened), batch)
            for kind, batch in batches.items()
            if len(batch.reference_ids)
        }
        if label not in segments:
            raise UsageError(
                f"No text of at least {MIN_WORDS} words was found to register",
                place=", ".join(wanted),
                next_step="Check the paths, or name the column with --text-column",
            )
        if model:
            add_model(opened, model, released=released)
        with opened.commit(f"register {label_name}") as commit:
            for kind, segment in segments.items():
                _record(commit, segment, batches[kind], label_name, kind, model, released)
            commit.add_edges(
                [(set_id, "wasDerivedFrom", f"file:{source.uri}", {"bytes": source.bytes}) for source in sources]
            )
        found = _rematch(opened, sorted({segment.id for segment in segments.values()}), progress)
    counted = {kind: len(batch.reference_ids) for kind, batch in batches.items()}
    skipped = sum(len(seen.content_ids) for _, seen in texts) - counted[label]
    return RegisterResult(
        set_id, label_name, label, model, counted[label], counted.get("prompt", 0), skipped, False, found, rejects
    )


def _rematch(store: Store, segments: Sequence[str], progress: Progress | None) -> RematchResult:
    return rematch_segments(store, catalogue.scan_ids(store), segments, verify=True, progress=progress)


def _correct_release(store: Store, set_id: str, model: str | None, released: dt.date | None) -> None:
    """Let a set that is registered already have the release date that is given now."""
    query = "select * from reference_sets where set_id = ? and withdrawn_at is null"
    known = catalogue.rows(store, query, [set_id])[0]
    if released is None or known["released"] == released:
        return
    if model:
        add_model(store, model, released=released)
    with store.commit(f"release date of {known['name']}") as commit:
        commit.execute(
            "update reference_sets set withdrawn_at = ? where set_id = ? and withdrawn_at is null",
            [commit.recorded_at, set_id],
        )
        commit.insert("reference_sets", [{**known, "released": released, "recorded_at": None}])


def unregister(reference_set: str, *, store: str | Path = "provenance-store") -> str:
    """Withdraw a reference set (by name or id): its matches no longer count. Returns its id.

    Raises:
        UsageError: If there is no such set.
    """
    opened = Store.open(store)
    found = catalogue.rows(
        opened,
        "select distinct set_id from reference_sets where (set_id in ($1, $1 || '-prompts') or name = $1) "
        "and withdrawn_at is null order by set_id",
        [reference_set],
    )
    if not found:
        raise UsageError(
            f"There is no reference set {reference_set!r}",
            place=str(opened.root),
            next_step="`provenance status` lists the sets",
        )
    with opened.commit(f"unregister {reference_set}") as commit:
        for row in found:
            commit.execute(
                "update reference_sets set withdrawn_at = ? where set_id = ? and withdrawn_at is null",
                [commit.recorded_at, row["set_id"]],
            )
    return str(found[0]["set_id"])


def _set_id(
    sources: Sequence[Source],
    label: str,
    model: str | None,
    name: str,
    text_column: str | None,
    prompt_column: str | None,
) -> str:
    parts = [label, model, name, text_column, prompt_column, NORMALISER_VERSION]
    parts += [f"{source.uri} {file_digest(Path(source.location))}" for source in sources]
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:32]


def _read(
    sources: Sequence[Source], options: ReadOptions, progress: Progress | None
) -> tuple[list[tuple[list[str], Fingerprinted]], int]:
    """Return the fingerprints of all texts, with the id of each in its source, and how many could not be read.

    The texts themselves are let go.
    """
    total, before, count, rejects = sum(source.bytes for source in sources), 0, 0, 0
    found = []
    for source in sources:
        tally = Tally()
        for batch in open_records(source, options, tally):
            seen = fingerprinted(batch)
            found.append((record_ids(batch, source.uri), replace(seen, prepared=seen.prepared.slice(0, 0))))
            count += batch.num_rows
            if progress is not None:
                progress(before + tally.bytes_read, total, count)
        before += source.bytes
        rejects += len(tally.rejects)
    return found, rejects


def _references(texts: Sequence[tuple[list[str], Fingerprinted]], set_id: str, label: str) -> ReferenceBatch:
    """Put batches together into one, without texts that are too short to recognise."""
    from provenance.fingerprint import fingerprint
    from provenance.text.tokens import Tokens

    ids: list[str] = []
    content_ids: list[str] = []
    checks: list[bytes] = []
    lengths: list[np.ndarray] = []
    hashes: list[np.ndarray] = []
    for record_ids_, seen in texts:
        tokens = seen.fingerprints.tokens
        counts = np.diff(tokens.offsets)
        long_enough = counts >= MIN_WORDS
        chosen = np.flatnonzero(long_enough).tolist()
        ids += [record_ids_[row] for row in chosen]
        content_ids += [seen.content_ids[row] for row in chosen]
        checks += [seen.content_checks[row] for row in chosen]
        lengths.append(counts[chosen])
        hashes.append(tokens.hashes[np.repeat(long_enough, counts)])
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([*lengths, np.zeros(0, np.int64)]))]).astype(np.int64)
    tokens = Tokens(offsets, np.concatenate([*hashes, np.zeros(0, np.uint32)]).astype(np.uint32))
    return ReferenceBatch(ids, set_id, label, content_ids, checks, fingerprint(tokens))  # type: ignore[arg-type]


def _record(
    commit: Commit,
    segment: Segment,
    batch: ReferenceBatch,
    name: str,
    label: str,
    model: str | None,
    released: dt.date | None,
) -> None:
    commit.insert(
        "segments",
        [
            {
                "segment_id": segment.id,
                "path": f"index/segments/{segment.id}",
                "set_id": batch.set_id,
                "reference_count": len(batch.reference_ids),
            }
        ],
    )
    commit.insert(
        "reference_sets",
        [
            {
                "set_id": batch.set_id,
                "name": name,
                "label": label,
                "model": model if label == "synthetic" else None,
                "released": released,
                "reference_count": len(batch.reference_ids),
                "words": int(batch.fingerprints.tokens.offsets[-1]),
            }
        ],
    )
    if label == "synthetic":
        add_generation_set(commit, batch.set_id, model=model)
