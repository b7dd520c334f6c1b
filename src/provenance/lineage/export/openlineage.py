"""OpenLineage events (spec 2-0-2), written and read.

OpenLineage knows jobs whose runs read and write datasets. A training, generation or evaluation run is such a run; a
scan or a dataset that was made of others is the run of a job that made it. What a node is here goes into a facet of
its own, ``provenance_node``; relations between models go into it too, since no run stands between them.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from provenance.errors import LineageError
from provenance.lineage.export.document import ACTIVITIES, Edge, Graph, Node, Scalar
from provenance.schema import NODE_KINDS, RELATIONS

SCHEMA_URL: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACET: Final = "provenance_node"
_FACET_SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/BaseFacet"
_MADE: Final = "make "
"""Before the name of a thing: the job that made it of others, where no run is recorded."""


def to_openlineage(
    graph: Graph, *, event_time: str, producer: str, namespace: str = "provenance"
) -> list[dict[str, Any]]:
    """Return a graph as completed runs, one event each; the same graph gives the same events.

    Args:
        graph: The graph.
        event_time: Time of the events (ISO 8601) where a run has none of its own.
        producer: URI of the program that says so.
        namespace: Namespace of its jobs and datasets.
    """
    inputs: dict[str, set[str]] = defaultdict(set)
    outputs: dict[str, set[str]] = defaultdict(set)
    between: dict[str, list[Edge]] = defaultdict(list)
    for edge in sorted(graph.edges):
        done = graph.nodes[edge.subject].kind in ACTIVITIES
        made = graph.nodes[edge.object].kind in ACTIVITIES
        if edge.relation == "used" and done:
            inputs[edge.subject].add(edge.object)
        elif edge.relation == "wasGeneratedBy" and made and not done:
            outputs[edge.object].add(edge.subject)
        elif edge.relation == "wasDerivedFrom" and not done and not made:
            inputs[_MADE + edge.subject].add(edge.object)
            outputs[_MADE + edge.subject].add(edge.subject)
        else:
            between[edge.subject].append(edge)
            continue
        if edge.detail:
            between[edge.subject].append(edge)

    def facet(node: Node) -> dict[str, Any]:
        said: dict[str, Any] = {"_producer": producer, "_schemaURL": _FACET_SCHEMA, "id": node.id, "kind": node.kind}
        said |= {"name": node.name, "attributes": dict(node.attributes)}
        if between[node.id]:
            said["edges"] = [
                {"relation": edge.relation, "object": edge.object, "detail": edge.detail} for edge in between[node.id]
            ]
        return {FACET: said}

    def dataset(node_id: str) -> dict[str, Any]:
        return {"namespace": namespace, "name": node_id, "facets": facet(graph.nodes[node_id])}

    activities = {node.id for node in graph.nodes.values() if node.kind in ACTIVITIES}
    alone = set(graph.nodes) - activities - set().union(*inputs.values(), *outputs.values())
    events = []
    for key in sorted({*activities, *inputs, *outputs}):
        node = graph.nodes.get(key)
        run: dict[str, Any] = {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}:{key}"))}
        if node is not None:
            run["facets"] = facet(node)
        events.append(
            {
                "eventType": "COMPLETE",
                "eventTime": _time(node, event_time),
                "producer": producer,
                "schemaURL": SCHEMA_URL,
                "run": run,
                "job": {"namespace": namespace, "name": key},
                "inputs": [dataset(item) for item in sorted(inputs[key])],
                "outputs": [dataset(item) for item in sorted(outputs[key])],
            }
        )
    events += [
        {
            "eventTime": event_time,
            "producer": producer,
            "schemaURL": SCHEMA_URL.replace("RunEvent", "DatasetEvent"),
            "dataset": dataset(item),
        }
        for item in sorted(alone)
    ]
    return events


def from_openlineage(events: Iterable[Any]) -> Graph:
    """Read OpenLineage events, of this system or any other.

    Another system's run becomes a ``run`` named after its job, and its datasets become datasets; events of one run are
    put together. A run that failed or was aborted made nothing.

    Raises:
        LineageError: If an event is malformed.
    """
    nodes: dict[str, Node] = {}
    edges: set[Edge] = set()
    left_out: Counter[str] = Counter()
    for number, event in enumerate(events):
        if not isinstance(event, Mapping):
            raise _malformed(number, "an object is wanted")
        if "dataset" in event:
            _dataset(event["dataset"], number, nodes, edges)
        elif "run" not in event or "job" not in event:
            left_out["event without a run"] += 1
        elif event.get("eventType") in ("FAIL", "ABORT"):
            left_out["failed run"] += 1
        else:
            _run(event, number, nodes, edges)
    # Inputs and outputs repeat bare what a facet says in detail.
    detailed = {(edge.subject, edge.relation, edge.object) for edge in edges if edge.detail}
    edges = {edge for edge in edges if edge.detail or (edge.subject, edge.relation, edge.object) not in detailed}
    known = {edge for edge in edges if edge.subject in nodes and edge.object in nodes}
    left_out["relation without its ends"] += len(edges) - len(known)
    return Graph(nodes, frozenset(known), +left_out)


def _time(node: Node | None, event_time: str) -> str:
    started = node.attributes.get("started_at") if node is not None else None
    return str(started) if started else event_time


def _run(event: Mapping[str, Any], number: int, nodes: dict[str, Node], edges: set[Edge]) -> None:
    job = _name_of(event["job"], number)
    run = event["run"] if isinstance(event["run"], Mapping) else {}
    read = [_dataset(item, number, nodes, edges) for item in _list(event, "inputs", number)]
    written = [_dataset(item, number, nodes, edges) for item in _list(event, "outputs", number)]
    own = _own_facet(run)
    if own is None and job[1] == _MADE + (written[0] if len(written) == 1 else ""):
        edges |= {Edge(written[0], "wasDerivedFrom", item) for item in read}
        return
    if own is None:
        if not isinstance(run.get("runId"), str):
            raise _malformed(number, "its run has no runId")
        started = event.get("eventTime")
        node = Node(f"run:{run['runId']}", "run", job[1], {"started_at": started} if isinstance(started, str) else {})
        before = nodes.get(node.id)
        node = before if before is not None else node
    else:
        node = _of_facet(own, number, edges)
    nodes[node.id] = node
    edges |= {Edge(node.id, "used", item) for item in read}
    edges |= {Edge(item, "wasGeneratedBy", node.id) for item in written}


def _dataset(said: Any, number: int, nodes: dict[str, Node], edges: set[Edge]) -> str:
    namespace, name = _name_of(said, number)
    own = _own_facet(said)
    node = (
        _of_facet(own, number, edges) if own else Node(f"dataset:{namespace}/{name}", "dataset", f"{namespace}/{name}")
    )
    if own or node.id not in nodes:
        nodes[node.id] = node
    return node.id


def _of_facet(said: Mapping[str, Any], number: int, edges: set[Edge]) -> Node:
    node_id, kind, name, attributes = (said.get(key) for key in ("id", "kind", "name", "attributes"))
    if not (isinstance(node_id, str) and isinstance(name, str) and kind in NODE_KINDS):
        raise _malformed(number, f"its facet {FACET} names no node")
    for edge in said.get("edges", ()):
        if not (
            isinstance(edge, Mapping) and edge.get("relation") in RELATIONS and isinstance(edge.get("object"), str)
        ):
            raise _malformed(number, f"its facet {FACET} holds an edge that is none")
        edges.add(Edge(node_id, edge["relation"], edge["object"], str(edge.get("detail") or "")))
    plain: dict[str, Scalar] = {
        str(key): value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True)
        for key, value in (attributes.items() if isinstance(attributes, Mapping) else ())
        if value is not None
    }
    return Node(node_id, kind, name, plain)


def _own_facet(said: Any) -> Mapping[str, Any] | None:
    facets = said.get("facets") if isinstance(said, Mapping) else None
    own = facets.get(FACET) if isinstance(facets, Mapping) else None
    return own if isinstance(own, Mapping) else None


def _name_of(said: Any, number: int) -> tuple[str, str]:
    if isinstance(said, Mapping) and isinstance(said.get("namespace"), str) and isinstance(said.get("name"), str):
        return said["namespace"], said["name"]
    raise _malformed(number, "a job or dataset has no namespace or name")


def _list(event: Mapping[str, Any], key: str, number: int) -> Sequence[Any]:
    found = event.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise _malformed(number, f"its {key} are no list")
    return found


def _malformed(number: int, why: str) -> LineageError:
    return LineageError(f"This is no OpenLineage event: {why}", place=f"event {number}")
