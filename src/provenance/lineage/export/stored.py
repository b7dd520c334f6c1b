"""Between the store and the graph that is exchanged."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from provenance.errors import LineageError
from provenance.lineage.cycles import refuse_cycles
from provenance.lineage.export.document import ACTIVITIES, Edge, Graph, Node, Scalar
from provenance.lineage.names import checked
from provenance.schema import NODE_KINDS, RELATIONS

if TYPE_CHECKING:
    from provenance.store import Commit, Store

_ATTRIBUTES: Final = (
    """select 'model:' || model as id, family, developer, released, predecessor from models
    qualify row_number() over (partition by model order by recorded_at desc, rowid desc) = 1""",
    """select dataset_id as id, version, digest, records, words, sealed_at, location from datasets
    qualify row_number() over (partition by dataset_id order by recorded_at desc, rowid desc) = 1""",
    """select run_id as id, started_at from runs
    qualify row_number() over (partition by run_id order by recorded_at desc, rowid desc) = 1""",
    """select set_id as id, label, model, released, reference_count, words, withdrawn_at from reference_sets
    qualify row_number() over (partition by set_id order by recorded_at desc, rowid desc) = 1""",
    "select scan_id as id, state, records, rejects, skipped, bytes, started_at, finished_at from scans",
    """select 'source:' || source_id as id, bytes, digest, format from sources
    qualify row_number() over (partition by source_id order by recorded_at desc, rowid desc) = 1""",
)
"""What the store's own tables say of nodes, newest first; null says nothing."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought.

    Attributes:
        nodes: Nodes that were not known before.
        edges: Edges that were not known before.
        left_out: What the document held that the graph has no words for, by its name there.
    """

    nodes: int
    edges: int
    left_out: Mapping[str, int]


def read_graph(store: Store, nodes: Collection[str] | None = None) -> Graph:
    """Return the store's graph, or the part of it between these nodes.

    Records are not in it, but which reference sets' text a dataset's records hold is.
    """
    attributes: dict[str, dict[str, Scalar]] = defaultdict(dict)
    with store.read() as connection:
        known = connection.execute(
            "select id, kind, min(name) from lineage_nodes group by id, kind order by id"
        ).fetchall()
        edges = connection.execute(
            "select distinct edge.subject, edge.relation, edge.object, own.detail from lineage_edges as edge "
            "left join edges as own using (subject, relation, object)"
        ).fetchall()
        # What datasets hold by their records is said of them as a whole, for those who don't have the records.
        known_edges = {tuple(edge[:3]) for edge in edges}
        edges += [
            (dataset, "hadMember", origin, json.dumps({"records": records, "words": words}))
            for dataset, origin, records, words in connection.execute("from held_text order by all").fetchall()
            if (dataset, "hadMember", origin) not in known_edges
        ]
        for query in _ATTRIBUTES:
            answer = connection.execute(query)
            names = [column[0] for column in answer.description][1:]
            for node_id, *values in answer.fetchall():
                attributes[node_id] |= {
                    name: _scalar(value) for name, value in zip(names, values, strict=True) if value is not None
                }
        for node_id, said in connection.execute(
            "select id, attributes from foreign_nodes order by recorded_at"
        ).fetchall():
            attributes[node_id] |= json.loads(said)
    wanted = None if nodes is None else set(nodes)
    chosen = {
        node_id: Node(node_id, kind, name, attributes.get(node_id, {}))
        for node_id, kind, name in known
        if wanted is None or node_id in wanted
    }
    return Graph(
        chosen,
        frozenset(
            Edge(subject, relation, target, detail or "")
            for subject, relation, target, detail in edges
            if subject in chosen and target in chosen
        ),
    )


def write_graph(store: Store, graph: Graph, note: str) -> Imported:
    """Add a graph to the store's, in one commit. What is known already is left as it is.

    Members of datasets don't travel with a graph: an imported dataset is one whose records are not known.

    Raises:
        LineageError: If models or datasets would come from themselves, or a node or edge is of no known kind.
    """
    for node in graph.nodes.values():
        checked(node.id, "node")
        if node.kind not in NODE_KINDS:
            raise LineageError(f"There is no kind of node {node.kind!r}", place=node.id)
    for edge in graph.edges:
        if edge.relation not in RELATIONS:
            raise LineageError(f"There is no relation {edge.relation!r}", place=edge.subject)
    with store.commit(note) as commit:
        known = {row[0] for row in commit.execute("select id from lineage_nodes").fetchall()}
        before = commit.execute("select count(*) from edges").fetchall()[0][0]
        new = [node for _, node in sorted(graph.nodes.items()) if node.id not in known]
        for node in new:
            _insert(commit, node)
        commit.add_edges([_edge(edge) for edge in sorted(graph.edges)])
        refuse_cycles(commit)
        after = commit.execute("select count(*) from edges").fetchall()[0][0]
    return Imported(len(new), after - before, dict(graph.left_out))


def _edge(edge: Edge) -> tuple[str, str, str, Mapping[str, Any] | None]:
    try:
        detail = json.loads(edge.detail) if edge.detail else None
    except ValueError:
        detail = {"note": edge.detail}
    return edge.subject, edge.relation, edge.object, detail


def _insert(commit: Commit, node: Node) -> None:
    """Give a node a row of its own table, where an import may write one, and keep all that was said of it."""
    said = node.attributes
    if node.kind == "model" and node.id.startswith("model:"):
        row = {name: said.get(name) for name in ("family", "developer", "predecessor")}
        commit.insert(
            "models", [{"model": node.id.removeprefix("model:"), "released": _day(said.get("released")), **row}]
        )
    elif node.kind in ACTIVITIES:
        kind = {"run": "training", "generation_run": "generation"}.get(node.kind, node.kind)
        run = {"run_id": node.id, "kind": kind, "name": node.name, "started_at": _moment(said.get("started_at"))}
        commit.insert("runs", [run])
    commit.insert(
        "foreign_nodes",
        [{"id": node.id, "kind": node.kind, "name": node.name, "attributes": dict(said)}],
    )


def _scalar(value: Any) -> Scalar:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool) else str(value)


def _day(value: object) -> dt.date | None:
    moment = _moment(value)
    return None if moment is None else moment.date()


def _moment(value: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
