"""The graph in other systems' words: what is written can be read back, by us and by their own libraries."""

from __future__ import annotations

import hashlib
import json

import mlcroissant
import prov.model
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openlineage.client import event_v2

from provenance.errors import LineageError
from provenance.lineage.export.card import to_card
from provenance.lineage.export.croissant import to_croissant
from provenance.lineage.export.described import DataFile, DescribedDataset
from provenance.lineage.export.document import ACTIVITIES, Edge, Graph, Node
from provenance.lineage.export.openlineage import from_openlineage, to_openlineage
from provenance.lineage.export.prov import from_prov, to_prov
from provenance.schema import NODE_KINDS

TIME = "2026-01-01T00:00:00+00:00"
THINGS = [kind for kind in NODE_KINDS if kind not in ACTIVITIES]
names = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
attributes = st.dictionaries(
    st.sampled_from(["family", "digest", "records", "words", "share"]),
    st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=8), st.floats(0.1, 10), st.booleans()),
    max_size=3,
)


@st.composite
def graphs(draw):
    """Any nodes; edges that a store can hold between their kinds."""
    chosen = draw(st.lists(st.tuples(names, st.sampled_from(NODE_KINDS), attributes), min_size=1, max_size=8))
    nodes = {f"{kind}:{name}": Node(f"{kind}:{name}", kind, name, more) for name, kind, more in chosen}
    edges = set()
    for one, other in draw(
        st.lists(st.tuples(st.sampled_from(list(nodes)), st.sampled_from(list(nodes))), max_size=12)
    ):
        done = nodes[one].kind in ACTIVITIES, nodes[other].kind in ACTIVITIES
        relation = {
            (True, False): "used",
            (False, True): draw(st.sampled_from(["wasGeneratedBy", "graded_by", "verified_by"])),
            (False, False): draw(
                st.sampled_from(["wasDerivedFrom", "wasAttributedTo", "hadMember", "successor_of", "distilled_from"])
            ),
            (True, True): "verified_by",
        }[done]
        if relation != "wasAttributedTo" or nodes[other].kind == "model":
            edges.add(Edge(one, relation, other, draw(st.sampled_from(["", '{"bytes": 3}']))))
    unique = {(edge.subject, edge.relation, edge.object): edge for edge in sorted(edges)}
    return Graph(nodes, frozenset(unique.values()))


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_prov_json_comes_back_as_it_went(graph):
    document = json.loads(json.dumps(to_prov(graph)))
    assert from_prov(document) == graph
    assert to_prov(from_prov(document)) == document


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_the_prov_library_reads_and_writes_the_same_graph(graph):
    theirs = prov.model.ProvDocument.deserialize(content=json.dumps(to_prov(graph)), format="json")
    assert len(list(theirs.get_records(prov.model.ProvElement))) >= len(graph.nodes)
    back = from_prov(json.loads(theirs.serialize(format="json")))
    assert back.edges == graph.edges
    assert {node.id: (node.kind, node.name) for node in back.nodes.values()} == {
        node.id: (node.kind, node.name) for node in graph.nodes.values()
    }


def test_prov_of_other_systems_is_read_and_what_has_no_place_is_counted():
    found = from_prov(
        {
            "prefix": {"ex": "http://example.org/"},
            "entity": {
                "ex:data": {"prov:type": {"$": "prov:Collection", "type": "prov:QUALIFIED_NAME"}, "ex:rows": 3},
                "ex:page": [{"prov:label": {"$": "a page", "lang": "en"}}],
            },
            "activity": {"ex:training": {"prov:startTime": "2024-05-01T00:00:00"}},
            "agent": {"ex:someone": {"prov:type": "prov:Person"}},
            "used": {"_:a": {"prov:activity": "ex:training", "prov:entity": "ex:data"}},
            "wasDerivedFrom": {
                "_:b": [
                    {"prov:generatedEntity": "ex:data", "prov:usedEntity": "ex:page"},
                    {"prov:generatedEntity": "ex:data", "prov:usedEntity": "ex:nowhere"},
                ]
            },
            "wasAssociatedWith": {"_:c": {"prov:activity": "ex:training", "prov:agent": "ex:someone"}},
            "bundle": {"ex:b": {"prefix": {"in": "http://in.example/"}, "entity": {"in:x": {}}}},
        }
    )
    assert {node.id: (node.kind, node.name) for node in found.nodes.values()} == {
        "http://example.org/data": ("dataset", "http://example.org/data"),
        "http://example.org/page": ("source", "a page"),
        "http://example.org/training": ("run", "http://example.org/training"),
        "http://in.example/x": ("source", "http://in.example/x"),
    }
    assert found.edges == {
        Edge("http://example.org/training", "used", "http://example.org/data"),
        Edge("http://example.org/data", "wasDerivedFrom", "http://example.org/page"),
    }
    assert found.nodes["http://example.org/training"].attributes == {"started_at": "2024-05-01T00:00:00"}
    assert dict(found.left_out) == {"agent": 1, "wasAssociatedWith": 1, "relation without its ends": 1}


@pytest.mark.parametrize("document", [None, [], "x", {}, {"entity": []}, {"entity": {"a": 3}}, {"bundle": {"a": 1}}])
def test_what_is_no_prov_json_is_refused(document):
    with pytest.raises(LineageError, match="no PROV-JSON"):
        from_prov(document)


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_openlineage_comes_back_as_it_went(graph):
    events = json.loads(json.dumps(to_openlineage(graph, event_time=TIME, producer="https://example.org/p")))
    assert from_openlineage(events) == graph
    for event in events:
        if "run" in event:
            run = event_v2.Run(event["run"]["runId"])
            job = event_v2.Job(event["job"]["namespace"], event["job"]["name"])
            event_v2.RunEvent(
                eventTime=event["eventTime"],
                producer=event["producer"],
                eventType=event_v2.RunState(event["eventType"]),
                run=run,
                job=job,
            )


def test_openlineage_of_other_systems():
    job, run = {"namespace": "air", "name": "train"}, {"runId": "0190a0ff-4b2f-7000-8000-000000000000"}
    events = [
        {"eventType": "START", "eventTime": TIME, "run": run, "job": job, "inputs": [{"namespace": "s3", "name": "a"}]},
        {
            "eventType": "COMPLETE",
            "eventTime": TIME,
            "run": run,
            "job": job,
            "outputs": [{"namespace": "s3", "name": "m"}],
        },
        {"eventType": "FAIL", "eventTime": TIME, "run": {**run, "runId": "x"}, "job": job},
        {"eventTime": TIME, "job": job},
    ]
    found = from_openlineage(events)
    node = f"run:{run['runId']}"
    assert found.nodes[node] == Node(node, "run", "train", {"started_at": TIME})
    assert found.edges == {Edge(node, "used", "dataset:s3/a"), Edge("dataset:s3/m", "wasGeneratedBy", node)}
    assert dict(found.left_out) == {"failed run": 1, "event without a run": 1}


@pytest.mark.parametrize(
    "event",
    [3, {"run": {}, "job": {}}, {"run": {}, "job": {"namespace": "n", "name": "j"}}, {"dataset": {"name": "x"}},
     {"run": {"runId": "1"}, "job": {"namespace": "n", "name": "j"}, "inputs": {}}],
)  # fmt: skip
def test_what_is_no_event_is_refused(event):
    with pytest.raises(LineageError, match="event 0"):
        from_openlineage([event])


@pytest.fixture
def described(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], "n": [1, 2]}), tmp_path / "clean.parquet")
    checksum = hashlib.sha256((tmp_path / "clean.parquet").read_bytes()).hexdigest()
    return DescribedDataset(
        name="clean|<b>&",
        version="1.0.0",
        digest="ab" * 16,
        records=2,
        words=10,
        sealed_at=TIME,
        policy="default@1",
        tags={"human": (1, 6), "unknown": (1, 4)},
        reasons={"dated": 1, "inconclusive": 1},
        languages={"en": 1, "und": 1},
        licences={"https://creativecommons.org/licenses/by/4.0/": 1},
        opt_out=0,
        models={"evil\n| [x](javascript:1)": 2},
        origins=[("wasDerivedFrom", "scan", "web")],
        files=[DataFile("clean.parquet", (tmp_path / "clean.parquet").stat().st_size, checksum, "application/x-parquet",
                        [("text", "string"), ("n", "int64")])],
    )  # fmt: skip


def test_croissant_loads_in_its_own_library(described, tmp_path):
    document = to_croissant(described, url="https://example.org/clean", licence="CC0-1.0")
    (tmp_path / "croissant.json").write_text(json.dumps(document))
    loaded = mlcroissant.Dataset(str(tmp_path / "croissant.json"))
    assert loaded.metadata.name == described.name
    assert [dict(row) for row in loaded.records("records")] == [
        {"records/text": b"a", "records/n": 1},
        {"records/text": b"b", "records/n": 2},
    ]


def test_a_card_is_yaml_and_plain_text(described):
    card = to_card(described)
    _, front, body = card.split("---\n", 2)
    said = yaml.safe_load(front)
    assert said["pretty_name"] == described.name
    assert (said["language"], said["size_categories"]) == (["en"], ["n<1K"])
    assert "60.0% human" in body
    assert "<b>" not in body
    assert "[x](" not in body
    assert all(line.count("|") - line.count("\\|") in (0, 3, 4) for line in body.splitlines())
