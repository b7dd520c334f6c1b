"""PROV-JSON (W3C member submission of 24 April 2013), written and read.

Runs are activities. Everything else is an entity: a scan too, as the collection of what it read. A model is an agent
besides, because texts are attributed to it. Relations that PROV has no word for are written as the PROV relation
that contains them, with their own name as ``prov:type``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

from provenance.errors import LineageError
from provenance.lineage.export.document import ACTIVITIES, Edge, Graph, Node, Scalar
from provenance.schema import NODE_KINDS, RELATIONS

NAMESPACE: Final = "urn:provenance:"
"""What the prefix ``pv`` stands for: ids of nodes, names of kinds and of attributes."""

_PREFIXES: Final = {"pv": NAMESPACE, "xsd": "http://www.w3.org/2001/XMLSchema#", "prov": "http://www.w3.org/ns/prov#"}

_ENDS: Final = {
    "used": ("prov:activity", "prov:entity"),
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity"),
    "wasAttributedTo": ("prov:entity", "prov:agent"),
    "hadMember": ("prov:collection", "prov:entity"),
    "wasInfluencedBy": ("prov:influencee", "prov:influencer"),
}
"""Names of the two ends of each relation that is written or read."""

_NUMBERS: Final[Mapping[str, Callable[[str], Scalar]]] = {
    **dict.fromkeys(("int", "integer", "long", "short", "nonNegativeInteger"), int),
    **dict.fromkeys(("double", "float", "decimal"), float),
    "boolean": lambda text: text in ("true", "1"),
}
"""How literals are read, by the local name of their XSD type."""

_WIDER: Final = {
    "trained_on": "wasDerivedFrom",
    "successor_of": "wasDerivedFrom",
    "fine_tuned_from": "wasDerivedFrom",
    "distilled_from": "wasDerivedFrom",
    "graded_by": "wasInfluencedBy",
    "verified_by": "wasInfluencedBy",
}
"""The PROV relation that contains each relation of our own."""


def to_prov(graph: Graph) -> dict[str, Any]:
    """Return a graph as a PROV-JSON document; the same graph gives the same document."""
    document: dict[str, Any] = {"prefix": dict(_PREFIXES), "entity": {}, "activity": {}, "agent": {}}
    for _, node in sorted(graph.nodes.items()):
        described = _described(node)
        document["activity" if node.kind in ACTIVITIES else "entity"][_qualified(node.id)] = described
        if node.kind == "model":
            document["agent"][_qualified(node.id)] = {"prov:type": _name("prov:SoftwareAgent")}
    for number, edge in enumerate(sorted(graph.edges), start=1):
        relation = _written_as(edge, graph)
        subject, target = _ENDS[relation]
        described = {subject: _qualified(edge.subject), target: _qualified(edge.object)}
        if relation != edge.relation:
            described["prov:type"] = _name(f"pv:{edge.relation}")
        if edge.detail:
            described["pv:detail"] = edge.detail
        document.setdefault(relation, {})[f"_:e{number}"] = described
    return {key: value for key, value in document.items() if value}


def from_prov(document: Any) -> Graph:
    """Read a PROV-JSON document, bundles included, of this system or any other.

    An id of another system becomes its full IRI. What has no place in the graph (people, communications between
    activities …) is counted in ``left_out``.

    Raises:
        LineageError: If it is no PROV-JSON.
    """
    nodes: dict[str, Node] = {}
    edges: set[Edge] = set()
    left_out: Counter[str] = Counter()
    for part, prefixes in _parts(document):
        _read_nodes(part, prefixes, nodes, left_out)
        _read_edges(part, prefixes, edges, left_out)
    known = {edge for edge in edges if edge.subject in nodes and edge.object in nodes}
    left_out["relation without its ends"] += len(edges) - len(known)
    return Graph(nodes, frozenset(known), +left_out)


def _described(node: Node) -> dict[str, Any]:
    described: dict[str, Any] = {"prov:label": node.name, "prov:type": [_name(f"pv:{node.kind}")]}
    if node.kind in ("dataset", "scan", "generation_set", "human_set"):
        described["prov:type"].append(_name("prov:Collection"))
    for key, value in sorted(node.attributes.items()):
        if key == "started_at" and node.kind in ACTIVITIES:
            described["prov:startTime"] = value
        else:
            described[f"pv:{key}"] = value
    return described


def _written_as(edge: Edge, graph: Graph) -> str:
    """Return the PROV relation that says this edge without saying more than PROV allows of its ends."""
    relation = _WIDER.get(edge.relation, edge.relation)
    subject, target = graph.nodes.get(edge.subject), graph.nodes.get(edge.object)
    if relation == "wasDerivedFrom" and any(node is not None and node.kind in ACTIVITIES for node in (subject, target)):
        return "wasInfluencedBy"
    return relation if relation in _ENDS else "wasInfluencedBy"


def _name(qualified: str) -> dict[str, str]:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}


def _qualified(node_id: str) -> str:
    # Percent signs, not the backslashes of PROV-N: every reader of JSON takes them as they are.
    return f"pv:{quote(node_id, safe='')}"


def _parts(document: Any) -> Iterator[tuple[Mapping[str, Any], Mapping[str, str]]]:
    if not isinstance(document, Mapping) or not {"entity", "activity", "agent", "bundle", "prefix"} & set(document):
        raise LineageError("This is no PROV-JSON document", next_step="Give a JSON object with entities or activities")
    prefixes = {**_PREFIXES, **_mapping(document.get("prefix", {}), "prefix")}
    yield document, prefixes
    for bundle in _mapping(document.get("bundle", {}), "bundle").values():
        inner = _mapping(bundle, "bundle")
        yield inner, {**prefixes, **_mapping(inner.get("prefix", {}), "prefix")}


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise LineageError("This is no PROV-JSON document: an object is wanted", place=place)
    return value


def _read_nodes(
    part: Mapping[str, Any], prefixes: Mapping[str, str], nodes: dict[str, Node], left_out: Counter[str]
) -> None:
    for section in ("entity", "activity", "agent"):
        for name, described in _each(part, section):
            node_id = _node_id(name, prefixes)
            kind = _kind(section, described, prefixes)
            if kind is None:
                left_out[section] += 1
            elif node_id not in nodes:
                nodes[node_id] = _node(node_id, kind, described)


def _node(node_id: str, kind: str, described: Mapping[str, Any]) -> Node:
    attributes: dict[str, Scalar] = {}
    for key, value in described.items():
        plain = _plain(value)
        if key in ("prov:type", "prov:label") or plain is None:
            continue
        attributes["started_at" if key == "prov:startTime" else key.removeprefix("pv:")] = plain
    label = _plain(described.get("prov:label"))
    return Node(node_id, kind, node_id if label is None else str(label), attributes)


def _kind(section: str, described: Mapping[str, Any], prefixes: Mapping[str, str]) -> str | None:
    types = set(_types(described, prefixes))
    for said in types:
        if said.startswith(NAMESPACE) and said.removeprefix(NAMESPACE) in NODE_KINDS:
            return said.removeprefix(NAMESPACE)
    if section == "activity":
        return "run"
    if section == "agent":
        return "model" if f"{_PREFIXES['prov']}SoftwareAgent" in types else None
    return "dataset" if f"{_PREFIXES['prov']}Collection" in types else "source"


def _read_edges(part: Mapping[str, Any], prefixes: Mapping[str, str], edges: set[Edge], left_out: Counter[str]) -> None:
    for section in part:
        if section in ("prefix", "entity", "activity", "agent", "bundle"):
            continue
        for _, described in _each(part, section):
            ends = _ENDS.get(section)
            if ends is None or not all(end in described for end in ends):
                left_out[section] += 1
                continue
            types = {said.removeprefix(NAMESPACE) for said in _types(described, prefixes)}
            own = sorted(types & set(RELATIONS))
            relation = own[0] if own else section
            detail = _plain(described.get("pv:detail"))
            for target in _listed(described[ends[1]]):
                edges.add(
                    Edge(
                        _node_id(str(described[ends[0]]), prefixes),
                        relation,
                        _node_id(str(target), prefixes),
                        "" if detail is None else str(detail),
                    )
                )


def _each(part: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the members of a section; PROV-JSON lets one name stand for several."""
    for name, value in _mapping(part.get(section, {}), section).items():
        for described in value if isinstance(value, list) else [value]:
            yield name, _mapping(described, f"{section} {name}")


def _types(described: Mapping[str, Any], prefixes: Mapping[str, str]) -> Iterator[str]:
    for value in _listed(described.get("prov:type", [])):
        plain = value.get("$") if isinstance(value, Mapping) else value
        if isinstance(plain, str):
            yield _iri(plain, prefixes)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> Scalar | None:
    if isinstance(value, Mapping) and "$" in value:
        value = _typed(value["$"], str(value.get("type", "")))
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, sort_keys=True)


def _typed(value: Any, said: str) -> Any:
    read = _NUMBERS.get(said.partition(":")[2])
    try:
        return value if read is None or not isinstance(value, str) else read(value)
    except ValueError:
        return value


def _iri(name: str, prefixes: Mapping[str, str]) -> str:
    prefix, colon, local = name.partition(":")
    return f"{prefixes[prefix]}{local}" if colon and prefix in prefixes else name


def _node_id(name: str, prefixes: Mapping[str, str]) -> str:
    """Return the id that a qualified name stands for: our own as the store knows it, any other as a full IRI."""
    iri = _iri(name, prefixes)
    return unquote(iri.removeprefix(NAMESPACE)) if iri.startswith(NAMESPACE) else iri
