"""Feedback loops: which datasets hold text that the models they train, or relatives of those, generated.

The view ``feedback_loops`` says the same in SQL; these functions search in memory, so that a graph of a million
edges takes seconds. Where several paths are equally short, the two may name different ones.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from provenance.lineage import textflow
from provenance.lineage.moment import ask, ask_columns
from provenance.lineage.names import model_id, resolve
from provenance.lineage.textflow import Pair, Path, TextFlow

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True)
class Loop:
    """One (model, dataset) pair.

    Attributes:
        model: Node id of the model that the dataset trains, or would train.
        dataset: Node id of the dataset, or of a generation set that a run used as it is.
        witness: Node ids of a shortest closed path from the model to itself: run, dataset, generation set, the
            model that generated it, and on to the model.
        relatives: Relatives (the model itself, its ancestors and descendants) whose text member records go back to, and
            the one that the witness names.
        records: Member records that hold text concerned; 0 where only the dataset's making is known.
        words: Words of it in them, each once.
        share: ``words`` over the words of the dataset.
        record_share: ``records`` over the records of the dataset.
        direct: Whether some of the text was written by the model or a relative, or paraphrased from theirs; if not,
            all of it was written by models that were trained on such text.
        direct_records: Records that hold such text.
        direct_words: Words of it.
    """

    model: str
    dataset: str
    witness: tuple[str, ...]
    relatives: tuple[str, ...]
    records: int
    words: int
    share: float | None
    record_share: float | None
    direct: bool = True
    direct_records: int = 0
    direct_words: int = 0


@dataclass(frozen=True)
class SelfGrading:
    """Text that was admitted on the word of the model that wrote it, or of a relative.

    Attributes:
        graded: Node id of the generation set or dataset.
        grader: Node id of the model.
        relations: ``graded_by``, ``verified_by`` or both.
        evaluation: The evaluation that it happened in, if one is recorded.
        authors: The grader and relatives of it that wrote text in what was graded.
        witness: A path from what was graded to an author, and on to the grader.
        records: Records, or texts of the set, that are concerned.
        words: Words of them.
    """

    graded: str
    grader: str
    relations: tuple[str, ...]
    evaluation: str | None
    authors: tuple[str, ...]
    witness: tuple[str, ...]
    records: int
    words: int


def feedback_loops(store: Store, *, as_of: dt.datetime | None = None) -> list[Loop]:
    """Return every loop that recorded training runs close.

    Args:
        store: The store.
        as_of: The moment (UTC) whose graph, matches and reference sets are asked; now if left out.
    """
    with store.read() as connection:
        trained = ask_columns(connection, "select model, dataset_id, run_id from trainings", as_of=as_of).to_pylist()
        runs = {(row["dataset_id"], row["model"]): row["run_id"] for row in trained}
        return _loops(connection, runs, as_of)


def loops_for(
    store: Store, dataset: str, model: str, successor_of: str | None = None, *, as_of: dt.datetime | None = None
) -> list[Loop]:
    """Return the loop that training a model on a dataset would close, or nothing.

    Args:
        store: The store.
        dataset: Name or id.
        model: The model to be trained. It need not be recorded.
        successor_of: A recorded model that it comes from; needed only for one that is not recorded.
        as_of: The moment (UTC) to judge at; now if left out.

    Raises:
        LineageError: If the dataset is unknown.
    """
    node, target = resolve(store, dataset, ("dataset",)), model_id(model)
    kin = resolve(store, successor_of, ("model",)) if successor_of is not None else None
    with store.read() as connection:
        found = _loops(connection, {(node, target): None}, as_of)
        if not found and kin is not None:
            for loop in _loops(connection, {(node, kin): None}, as_of):
                found.append(_replaced(loop, target))
    return found


def _replaced(loop: Loop, target: str) -> Loop:
    witness = (target, *loop.witness[1:], target)
    return Loop(**{**vars(loop), "model": target, "witness": witness})


def self_grading(store: Store, *, as_of: dt.datetime | None = None) -> list[SelfGrading]:
    """Return what was admitted on the word of its own author or of a relative, from the view of that name."""
    rows = ask(
        store,
        "select graded, grader, relations, evaluation, authors, witness, records, words from self_grading "
        "order by graded, grader",
        as_of=as_of,
    )
    return [
        SelfGrading(graded, grader, tuple(relations), evaluation, tuple(authors), tuple(witness), records, words)
        for graded, grader, relations, evaluation, authors, witness, records, words in rows
    ]


def _loops(
    connection: duckdb.DuckDBPyConnection, runs: Mapping[Pair, str | None], as_of: dt.datetime | None
) -> list[Loop]:
    """Return the loops among (dataset, model) pairs, each of which a run trains or may train."""
    flow = textflow.load(connection, as_of, more=[name for pair in runs for name in pair])
    asked = sorted(runs, key=lambda pair: (pair[1], pair[0]))
    closed = [pair for pair, is_closed in zip(asked, flow.reaches(asked), strict=True) if is_closed]
    if not closed:
        return []
    paths = flow.paths(closed)
    direct = _direct(flow, closed, paths)
    amounts = _amounts(connection, flow, closed, as_of)
    sizes = {
        name: (records, words)
        for name, records, words in _rows(connection, "select dataset_id, records, words from sealed_amounts", as_of)
    }
    loops = []
    for pair, path, is_direct in zip(closed, paths, direct, strict=True):
        dataset, model = pair
        run = runs[pair]
        held = amounts.get(pair, _Amount())
        all_records, all_words = sizes.get(dataset, (None, None))
        loops.append(
            Loop(
                model=model,
                dataset=dataset,
                witness=(model, *([run] if run is not None else []), *path.steps),
                relatives=tuple(sorted({path.author, *held.authors})),
                records=held.records,
                words=held.words,
                share=held.words / all_words if all_words else None,
                record_share=held.records / all_records if all_records else None,
                direct=is_direct,
                direct_records=held.direct_records,
                direct_words=held.direct_words,
            )
        )
    return loops


def _direct(flow: TextFlow, pairs: Sequence[Pair], paths: Sequence[Path]) -> list[bool]:
    """Say for each connected pair whether a path passes through no other model's training: the shortest, or any."""
    found = [path.direct for path in paths]
    unsure = [place for place, is_direct in enumerate(found) if not is_direct]
    if unsure:
        for place, reaches in zip(unsure, flow.reaches([pairs[place] for place in unsure], direct=True), strict=True):
            found[place] = bool(reaches)
    return found


@dataclass(frozen=True)
class _Amount:
    records: int = 0
    words: int = 0
    direct_records: int = 0
    direct_words: int = 0
    authors: tuple[str, ...] = ()


def _amounts(
    connection: duckdb.DuckDBPyConnection, flow: TextFlow, closed: Sequence[Pair], as_of: dt.datetime | None
) -> dict[Pair, _Amount]:
    """Return how much of the text in the member records of each dataset goes back to the model or a relative."""
    found = _whole_sets(connection, flow, closed, as_of)
    held: dict[str, list[str]] = defaultdict(list)
    for dataset, origin in _rows(connection, "select dataset_id, origin from held_text order by all", as_of):
        held[dataset].append(origin)
    if not held:
        return found
    members = _members(connection, {dataset for dataset, _ in closed}, as_of)
    asked = sorted({(origin, model) for dataset, model in closed for part in members[dataset] for origin in held[part]})
    reaching = [pair for pair, reaches in zip(asked, flow.reaches(asked), strict=True) if reaches]
    if not reaching:
        return found
    paths = flow.paths(reaching)
    direct = _direct(flow, reaching, paths)
    authors = {pair: path.author for pair, path in zip(reaching, paths, strict=True)}
    by_model: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for (origin, model), is_direct in zip(reaching, direct, strict=True):
        by_model[model].append((origin, is_direct))
    concerned = [
        {"dataset_id": dataset, "part": part, "model": model, "origin": origin, "direct": is_direct}
        for dataset, model in closed
        for part in members[dataset]
        for origin, is_direct in by_model[model]
        if origin in held[part]
    ]
    if concerned:
        connection.register("concerned", pa.Table.from_pylist(concerned))
        query = resources.files(__package__).joinpath("sql", "amounts.sql").read_text(encoding="utf-8")
        for dataset, model, records, words, direct_records, direct_words, origins in _rows(connection, query, as_of):
            names = tuple(authors[origin, model] for origin in origins)
            found[dataset, model] = _Amount(records, words, direct_records, direct_words, names)
        connection.unregister("concerned")
    return found


def _whole_sets(
    connection: duckdb.DuckDBPyConnection, flow: TextFlow, closed: Sequence[Pair], as_of: dt.datetime | None
) -> dict[Pair, _Amount]:
    """Return the amounts of reference sets that a run used as they are: all of their text."""
    query = (
        "select set_id, any_value(reference_count), any_value(words)::bigint from reference_sets "
        "where label <> 'prompt' group by set_id"
    )
    sizes = {name: (records or 0, words or 0) for name, records, words in _rows(connection, query, as_of)}
    pairs = [pair for pair in closed if pair[0] in sizes]
    direct = _direct(flow, pairs, flow.paths(pairs))
    return {
        pair: _Amount(*sizes[pair[0]], *(sizes[pair[0]] if is_direct else (0, 0)))
        for pair, is_direct in zip(pairs, direct, strict=True)
    }


def _members(
    connection: duckdb.DuckDBPyConnection, datasets: Iterable[str], as_of: dt.datetime | None
) -> dict[str, list[str]]:
    """Return whose lists of members speak for each dataset: its own, or those of the nearest that it is made of."""
    listed = {name for (name,) in _rows(connection, "select dataset_id from datasets where records is not null", as_of)}
    made: dict[str, list[str]] = defaultdict(list)
    query = (
        "select edge.subject, edge.object from lineage_edges as edge "
        "semi join datasets as whole on whole.dataset_id = edge.subject "
        "semi join datasets as part on part.dataset_id = edge.object "
        "where edge.relation in ('wasDerivedFrom', 'hadMember') order by all"
    )
    for whole, part in _rows(connection, query, as_of):
        made[whole].append(part)
    found = {}
    for dataset in datasets:
        seen, waiting = {dataset}, [dataset]
        for node in waiting:
            for part in [] if node in listed else made[node]:
                if part not in seen:
                    seen.add(part)
                    waiting.append(part)
        found[dataset] = [node for node in waiting if node in listed]
    return found


def _rows(connection: duckdb.DuckDBPyConnection, query: str, as_of: dt.datetime | None) -> list[tuple[Any, ...]]:
    table = ask_columns(connection, query, as_of=as_of)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
