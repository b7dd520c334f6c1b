"""Adding to the lineage graph by hand.

Ids of nodes: ``model:NAME``, ``dataset:NAME`` or ``dataset:NAME@VERSION``, ``run:NAME``, ``source:ID``; scans
and reference sets have their own ids. Versions are ordered in time, so models among themselves and datasets
among themselves must not form a cycle; runs and text may, and that is what `feedback_loops` finds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import xxhash

from provenance.errors import LineageError
from provenance.schema import TAGS
from provenance.store.parts import write_part

if TYPE_CHECKING:
    from provenance.store import Commit, Store

VERSION_RELATIONS: Final = ("successor_of", "fine_tuned_from", "distilled_from")
_RELATIONS: Final[Mapping[str, str]] = {
    "successor": "successor_of",
    "fine-tune": "fine_tuned_from",
    "distilled": "distilled_from",
    **{relation: relation for relation in VERSION_RELATIONS},
}


def model_id(name: str) -> str:
    """Return the node id of a model."""
    return name if name.startswith("model:") else f"model:{name}"


def dataset_id(name: str, version: str | None = None) -> str:
    """Return the node id of a dataset."""
    base = name if name.startswith("dataset:") else f"dataset:{name}"
    return base if version is None else f"{base}@{version}"


def run_id(name: str) -> str:
    """Return the node id of a run."""
    return name if name.startswith("run:") else f"run:{name}"


def add_model(
    store: Store,
    name: str,
    *,
    family: str | None = None,
    released: dt.date | None = None,
    developer: str | None = None,
    parent: str | None = None,
    relation: str = "successor",
) -> str:
    """Record a model, or more about one, and how it comes from another. Return its node id.

    Args:
        store: The store.
        name: The model's name.
        family: For example ``Llama``.
        released: Day of its release: records captured earlier cannot hold its text.
        developer: Who made it.
        parent: The model that it comes from; recorded by name if it is not known yet.
        relation: ``successor``, ``fine-tune`` or ``distilled``, or the relation's own name.

    Raises:
        LineageError: If the relation is unknown, or the parent already comes from this model.
    """
    if relation not in _RELATIONS:
        raise LineageError(
            f"There is no relation {relation!r} between models", next_step="Use successor, fine-tune or distilled"
        )
    node = model_id(_named(name, "model"))
    with store.commit(f"add {node}") as commit:
        known = commit.execute(
            "select family, developer, released, predecessor from models where model = ? "
            "order by recorded_at desc limit 1",
            [node.removeprefix("model:")],
        ).fetchall()
        old = known[0] if known else (None, None, None, None)
        row = {
            "model": node.removeprefix("model:"),
            "family": family or old[0],
            "developer": developer or old[1],
            "released": released or old[2],
            "predecessor": parent.removeprefix("model:") if parent else old[3],
        }
        if tuple(row.values())[1:] != tuple(old) or not known:
            commit.insert("models", [row])
        if parent is not None:
            other = model_id(_named(parent, "model"))
            if not commit.execute("select 1 from models where 'model:' || model = ?", [other]).fetchall():
                commit.insert("models", [{"model": other.removeprefix("model:")}])
            _refuse_cycle(commit, node, other, VERSION_RELATIONS)
            commit.add_edges([(node, _RELATIONS[relation], other)])
    return node


def add_dataset(
    store: Store,
    name: str,
    *,
    version: str | None = None,
    scans: Sequence[str] = (),
    keep: Collection[str] | None = None,
    derived_from: Sequence[str] = (),
    location: str | None = None,
) -> str:
    """Record a dataset and seal it: its members are the records of scans, or what it was made of. Return its node id.

    Args:
        store: The store.
        name: The dataset's name.
        version: Its version, if it has several.
        scans: Scans (names or ids) whose records it holds.
        keep: Only records with these tags under the scan's current policy; all if left out.
        derived_from: Datasets and reference sets (names or ids) that it was made of.
        location: Where its files are.

    Raises:
        LineageError: If the dataset exists (a sealed one doesn't change), a scan or origin is unknown, or the
            dataset would come from itself.
    """
    unknown = sorted(set(keep or ()) - set(TAGS))
    if unknown:
        raise LineageError(f"There is no tag {unknown[0]!r}", next_step=f"The tags are {', '.join(TAGS)}")
    if not scans and not derived_from:
        raise LineageError(f"Nothing says what the dataset {name!r} holds", next_step="Name a scan or another dataset")
    node = dataset_id(_named(name, "dataset"), version)
    scan_ids = [resolve(store, scan, ("scan",)) for scan in scans]
    origins = [
        node if origin in (name, node) else resolve(store, origin, ("dataset", "generation_set", "human_set"))
        for origin in derived_from
    ]
    members = None
    if scan_ids:
        members = store.sql(
            "select distinct record_id from records where list_contains($1, scan_id) "
            "and ($2 is null or list_contains($2, tag)) order by record_id",
            [scan_ids, sorted(keep) if keep is not None else None],
        ).to_arrow_table()["record_id"]
    seal_dataset(store, node, members, derived_from=[*scan_ids, *origins], location=location, version=version)
    return node


def seal_dataset(
    store: Store,
    name: str,
    record_ids: pa.Array | pa.ChunkedArray | Sequence[str] | None,
    *,
    derived_from: Sequence[str] = (),
    location: str | None = None,
    version: str | None = None,
) -> str:
    """Record a dataset with exactly these member records. Return its node id.

    The digest is the XXH3-128 of the sorted record ids, one a line: the same members in any order are the same
    dataset.

    Args:
        store: The store.
        name: Name or node id.
        record_ids: Its members. None for a dataset that is known only by what it was made of; it has no digest.
        derived_from: Node ids of scans, datasets and reference sets that it was made of.
        location: Where its files are.
        version: Its version, if it has several.

    Raises:
        LineageError: If it exists with other members, or would come from itself.
    """
    node = name if name.startswith("dataset:") else dataset_id(_named(name, "dataset"), version)
    members = None if record_ids is None else sorted(set(_strings(record_ids)))
    digest = None if members is None else xxhash.xxh3_128_hexdigest("\n".join(members).encode())
    with store.session():
        part = None
        if members:
            table = pa.table(
                {"dataset_id": pa.repeat(pa.scalar(node), len(members)), "record_id": pa.array(members, pa.string())}
            )
            part = write_part(store.root, "dataset_records", xxhash.xxh3_128_hexdigest(node.encode()), "members", table)
        with store.commit(f"add {node}") as commit:
            known = commit.execute("select digest from datasets where dataset_id = ?", [node]).fetchall()
            if known and known != [(digest,)]:
                raise LineageError(
                    "The dataset is sealed with other members", place=node, next_step="Give it another name or version"
                )
            for origin in derived_from:
                if origin.startswith("dataset:"):
                    _refuse_cycle(commit, node, origin, ("wasDerivedFrom",))
            commit.add_edges([(node, "wasDerivedFrom", origin) for origin in derived_from])
            if known:
                return node
            if part is not None:
                commit.add_part(part)
            words = None if members is None else _words(commit, members)
            row = {"dataset_id": node, "name": node.removeprefix("dataset:"), "version": version, "digest": digest}
            commit.insert(
                "datasets",
                [
                    {
                        **row,
                        "records": None if members is None else len(members),
                        "words": words,
                        "sealed_at": commit.recorded_at,
                        "location": location,
                    }
                ],
            )
    return node


def _strings(values: pa.Array | pa.ChunkedArray | Sequence[str]) -> Sequence[str]:
    return values.to_pylist() if isinstance(values, pa.Array | pa.ChunkedArray) else values


def _words(commit: Commit, members: Sequence[str]) -> int:
    ((words,),) = commit.execute(
        "select coalesce(sum(words), 0)::bigint from (select any_value(words) as words from observations "
        "semi join (select unnest($1) as record_id) as member using (record_id) group by record_id)",
        [list(members)],
    ).fetchall()
    return int(words)


def add_run(
    store: Store,
    *,
    trains: str,
    on: Sequence[str],
    name: str | None = None,
    started_at: dt.datetime | None = None,
) -> str:
    """Record a training run: it used datasets, and a model was generated by it. Return its node id.

    Args:
        store: The store.
        trains: The model; recorded by name if it is not known yet.
        on: Datasets (names or ids).
        name: The run's name; made of the model and datasets if left out.
        started_at: When it began.

    Raises:
        LineageError: If a dataset is unknown.
    """
    datasets = [resolve(store, dataset, ("dataset",)) for dataset in on]
    if not datasets:
        raise LineageError("A training run needs at least one dataset")
    model = model_id(_named(trains, "model"))
    default = (
        f"{model.removeprefix('model:')} on {', '.join(sorted(item.removeprefix('dataset:') for item in datasets))}"
    )
    node = run_id(_named(name or default, "run"))
    with store.commit(f"add {node}") as commit:
        if not commit.execute("select 1 from models where 'model:' || model = ?", [model]).fetchall():
            commit.insert("models", [{"model": model.removeprefix("model:")}])
        if not commit.execute("select 1 from runs where run_id = ?", [node]).fetchall():
            run = {"run_id": node, "kind": "training", "name": node.removeprefix("run:"), "started_at": started_at}
            commit.insert("runs", [run])
        commit.add_edges([(model, "wasGeneratedBy", node), *((node, "used", dataset) for dataset in datasets)])
    return node


def add_generation_set(commit: Commit, set_id: str, *, model: str | None, run: str | None = None) -> None:
    """Record, in a commit that registers a reference set, which model and generation run it came from.

    Args:
        commit: The commit that inserts the set into ``reference_sets``.
        set_id: The set.
        model: The model that wrote it; recorded by name if it is not known yet.
        run: Name of the generation run.
    """
    if model is not None and not commit.execute("select 1 from models where model = ?", [model]).fetchall():
        commit.insert("models", [{"model": model}])
    if model is not None:
        commit.add_edges([(set_id, "wasAttributedTo", model_id(model))])
    if run is not None:
        node = run_id(run)
        if not commit.execute("select 1 from runs where run_id = ?", [node]).fetchall():
            commit.insert("runs", [{"run_id": node, "kind": "generation", "name": run}])
        commit.add_edges([(set_id, "wasGeneratedBy", node)])
        if model is not None:
            commit.add_edges([(node, "used", model_id(model))])


def resolve(store: Store, name: str, kinds: Sequence[str] = ()) -> str:
    """Return the node id that a name (a dataset's may lack its version), an id, or a unique prefix of an id stands for.

    Args:
        store: The store.
        name: What the user typed.
        kinds: Node kinds to look among; all if empty.

    Raises:
        LineageError: If there is none, or more than one.
    """
    wanted = list(kinds) or None
    found = store.sql(
        "select distinct id, kind, id = $1 as by_id, name = $1 as by_name from lineage_nodes "
        "where ($2 is null or list_contains($2, kind)) "
        "and (id = $1 or name = $1 or starts_with(id, $1) or starts_with(name, $1 || '@')) order by id",
        [name, wanted],
    ).fetchall()
    for matching in ([row for row in found if row[2]], [row for row in found if row[3]], found):
        if len(matching) == 1:
            return str(matching[0][0])
        if matching:
            break
    what = " or ".join(kinds) or "node"
    if not found:
        raise LineageError(
            f"There is no {what.replace('_', ' ')} {name!r}",
            next_step='`provenance sql "from lineage_nodes"` lists them',
        )
    listed = ", ".join(f"{row[0]} ({row[1]})" for row in found[:5])
    raise LineageError(f"{name!r} can mean several things: {listed}", next_step="Give the id")


def _named(name: str, what: str) -> str:
    if not name or len(name) > 300 or not name.isprintable():
        raise LineageError(f"{name!r} cannot be the name of a {what}", next_step="Use up to 300 printable characters")
    return name


def _refuse_cycle(commit: Commit, subject: str, target: str, relations: Sequence[str]) -> None:
    """Raise if ``target`` already comes from ``subject`` by these relations."""
    parents: dict[str, list[str]] = {}
    for child, parent in commit.execute(
        "select distinct subject, object from edges where list_contains($1, relation) order by all", [list(relations)]
    ).fetchall():
        parents.setdefault(child, []).append(parent)
    path = {target: [target]}
    waiting = [target]
    for node in waiting:
        if node == subject:
            cycle = " -> ".join([subject, *path[node]])
            raise LineageError(
                f"This would make a cycle: {cycle}", next_step="Versions are ordered in time; check the names"
            )
        for parent in parents.get(node, ()):
            if parent not in path:
                path[parent] = [*path[node], parent]
                waiting.append(parent)
