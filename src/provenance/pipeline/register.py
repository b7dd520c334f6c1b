"""Register: publish known texts as index segments, and look for them in earlier scans."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final, Literal

from provenance.errors import UsageError
from provenance.lineage import add_generation_set
from provenance.pipeline import catalogue
from provenance.pipeline.changes import Change, recorded
from provenance.pipeline.references import MIN_WORDS, Built, Progress, build_segments
from provenance.pipeline.rematch import rematch_segments
from provenance.pipeline.reread import digest_of
from provenance.pipeline.results import RegisterResult, RematchResult, UnregisterResult
from provenance.readers import ReadOptions, Source, find_sources, remote
from provenance.schema import Label
from provenance.store import Commit, Store
from provenance.text.fold import NORMALISER_VERSION

_MODEL: Final = ("family", "developer", "released", "predecessor")


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
    verify: bool = True,
    jobs: int | None = None,
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
        verify: Read records again where fingerprints found something, to verify it.
        jobs: Worker processes that look through earlier scans; as many as there are processors, for large
            scans, if left out.
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
    label_name = name or "-".join(filter(None, [model, Path(remote.without_secrets(wanted[0])).absolute().stem]))
    set_id = _set_id(sources, label, model, label_name, text_column, prompt_column)

    def look(segments: Sequence[str]) -> RematchResult:
        return rematch_segments(
            opened, catalogue.scan_ids(opened), segments, verify=verify, cause="register", cause_id=set_id,
            jobs=jobs, progress=progress,
        )  # fmt: skip

    with opened.session():
        if catalogue.rows(opened, "select 1 from reference_sets where set_id = ? and withdrawn_at is null", [set_id]):
            changes = _correct_release(opened, set_id, model, released)
            counts = catalogue.set_counts(opened, set_id)
            # A registration that was interrupted may have published the set before it had looked for it.
            found = look(catalogue.segments_of(opened, set_id))
            return RegisterResult(
                set_id, label_name, label, model, counts[label], counts["prompt"], 0, True, found, 0,
                changes + found.changes,
            )  # fmt: skip
        folder = catalogue.index_folder(opened)
        built: dict[Label, Built] = {}
        built[label] = build_segments(folder, sources, ReadOptions(text_column=text_column), set_id, label, progress)
        if not built[label].references:
            raise UsageError(
                f"No text of at least {MIN_WORDS} words was found to register",
                place=", ".join(wanted),
                next_step="Check the paths, or name the column with --text-column",
            )
        if prompt_column:
            options = ReadOptions(text_column=prompt_column)
            built["prompt"] = build_segments(folder, sources, options, f"{set_id}-prompts", "prompt")
        with opened.commit(f"register {label_name}") as commit:
            sets = {set_id, f"{set_id}-prompts", *_sets_of(commit, model if released else None)}
            # A set that was withdrawn before has matches in the store that count again from this commit on.
            with recorded(commit, "register", set_id, sets=sets) as entered:
                if model:
                    _record_model(commit, model, released)
                for kind, made in built.items():
                    _record(commit, made, set_id, label_name, kind, model, released)
                commit.add_edges(
                    [(set_id, "wasDerivedFrom", f"file:{source.uri}", {"bytes": source.bytes}) for source in sources]
                )
        found = look(sorted({segment for made in built.values() for segment, _ in made.segments}))
    counted = {kind: made.references for kind, made in built.items()}
    return RegisterResult(
        set_id, label_name, label, model, counted[label], counted.get("prompt", 0), built[label].skipped, False, found,
        built[label].rejects, tuple(entered) + found.changes,
    )  # fmt: skip


def _correct_release(store: Store, set_id: str, model: str | None, released: dt.date | None) -> tuple[Change, ...]:
    """Let a set that is registered already have the release date that is given now."""
    query = "select * from reference_sets where set_id = ? and withdrawn_at is null"
    known = catalogue.rows(store, query, [set_id])[0]
    if released is None or known["released"] == released:
        return ()
    with (
        store.commit(f"release date of {known['name']}") as commit,
        recorded(commit, "release", set_id, sets={set_id, *_sets_of(commit, model)}) as changes,
    ):
        if model:
            _record_model(commit, model, released)
        commit.execute(
            "update reference_sets set withdrawn_at = ? where set_id = ? and withdrawn_at is null",
            [commit.recorded_at, set_id],
        )
        commit.insert("reference_sets", [{**known, "released": released, "recorded_at": None}])
    return tuple(changes)


def correct_release(store: Store, model: str, released: dt.date) -> tuple[Change, ...]:
    """Record the day on which a model was released, and what that changes; nothing if it is known."""
    known = catalogue.rows(
        store, "select released from models where model = ? order by recorded_at desc limit 1", [model]
    )
    if known and known[0]["released"] == released:
        return ()
    with (
        store.commit(f"release date of {model}") as commit,
        recorded(commit, "release", f"model:{model}", sets=_sets_of(commit, model)) as changes,
    ):
        _record_model(commit, model, released)
    return tuple(changes)


def unregister(reference_set: str, *, store: str | Path = "provenance-store") -> UnregisterResult:
    """Withdraw a reference set (by name or id): its matches no longer count.

    Raises:
        UsageError: If there is no such set.
    """
    opened = Store.open(store)
    found = catalogue.rows(
        opened,
        "select distinct set_id, name from reference_sets where (set_id in ($1, $1 || '-prompts') or name = $1) "
        "and withdrawn_at is null order by set_id",
        [reference_set],
    )
    if not found:
        raise UsageError(
            f"There is no reference set {reference_set!r}",
            place=str(opened.root),
            next_step="`provenance status` lists the sets",
        )
    set_id, sets = str(found[0]["set_id"]), [str(row["set_id"]) for row in found]
    with (
        opened.commit(f"unregister {reference_set}") as commit,
        recorded(commit, "unregister", set_id, sets=sets) as changes,
    ):
        for withdrawn in sets:
            commit.execute(
                "update reference_sets set withdrawn_at = ? where set_id = ? and withdrawn_at is null",
                [commit.recorded_at, withdrawn],
            )
    return UnregisterResult(set_id, str(found[0]["name"]), tuple(changes))


def _set_id(
    sources: Sequence[Source],
    label: str,
    model: str | None,
    name: str,
    text_column: str | None,
    prompt_column: str | None,
) -> str:
    """Return the set's identity: the bytes of its sources and how they are read.

    It is wanted before the first segment is written, which holds it, so files are read twice: digesting them takes
    a hundredth of the time of fingerprinting them, and a set that is there already is known at once.
    """
    parts = [label, model, name, text_column, prompt_column, NORMALISER_VERSION]
    parts += [f"{source.uri} {digest_of(source.location)}" for source in sources]
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:32]


def _sets_of(commit: Commit, model: str | None) -> Collection[str]:
    """Return the sets of a model: its release date bears on all of them."""
    found = commit.execute(
        "select distinct set_id from reference_sets where model = ? and withdrawn_at is null", [model]
    ).fetchall()
    return {set_id for (set_id,) in found}


def _record_model(commit: Commit, model: str, released: dt.date | None) -> None:
    known = commit.execute(
        f"select {', '.join(_MODEL)} from models where model = ? order by recorded_at desc limit 1",  # noqa: S608
        [model],
    ).fetchall()
    row = dict(zip(_MODEL, known[0], strict=True)) if known else {}
    if not known or (released is not None and row["released"] != released):
        commit.insert("models", [{"model": model, **row, "released": released or row.get("released")}])


def _record(
    commit: Commit, built: Built, set_id: str, name: str, label: str, model: str | None, released: dt.date | None
) -> None:
    if not built.segments:
        return
    own_id = f"{set_id}-prompts" if label == "prompt" else set_id
    live = {row[0] for row in commit.execute("select segment_id from segments where withdrawn_at is null").fetchall()}
    commit.insert(
        "segments",
        [
            {
                "segment_id": segment,
                "path": f"index/segments/{segment}",
                "set_id": own_id,
                "reference_count": count,
            }
            for segment, count in built.segments
            if segment not in live
        ],
    )
    commit.insert(
        "reference_sets",
        [
            {
                "set_id": own_id,
                "name": name,
                "label": label,
                "model": model if label == "synthetic" else None,
                "released": released,
                "reference_count": built.references,
                "words": built.words,
            }
        ],
    )
    if label == "synthetic":
        add_generation_set(commit, own_id, model=model)
