"""The lineage of a real store in other systems' forms, and back into another store."""

from __future__ import annotations

import json

import mlcroissant
import pytest

import provenance as pv
from provenance import lineage, pipeline
from provenance.cli import run
from provenance.errors import LineageError, UsageError
from provenance.store import Store


@pytest.fixture(scope="module")
def world(tmp_path_factory, text, jsonl):
    """A store with a registered set, a scan that copies from it, a clean dataset and a model trained on it."""
    folder = tmp_path_factory.mktemp("world")
    generations = jsonl(folder / "generated.jsonl", [{"text": text(n)} for n in range(3)])
    crawl = jsonl(
        folder / "crawl.jsonl",
        [{"text": text(n), "url": f"http://{n}.example/", "date": "2024-05-01"} for n in (0, 10, 11, 12)],
    )
    store = folder / "s"
    pv.register(generations, label="synthetic", model="m1", store=store)
    pv.scan(crawl, store=store, name="web", jobs=1)
    pv.filter("web", keep={"human", "unknown"}, out=folder / "clean.jsonl", dataset="clean", store=store)
    opened = Store(store)
    lineage.add_dataset(opened, "all", scans=["web"])
    lineage.add_model(opened, "m2", parent="m1", family="Demo")
    lineage.add_run(opened, trains="m2", on=["all"])
    return folder


@pytest.mark.parametrize("form", ["prov", "openlineage"])
def test_a_graph_comes_through_another_store_unchanged(world, tmp_path, form):
    text = pipeline.export_lineage(form, store=world / "s")
    (tmp_path / "graph").write_text(text)
    brought = pipeline.import_lineage(tmp_path / "graph", store=tmp_path / "t")
    assert brought.nodes > 5
    assert brought.edges > 5
    assert not brought.left_out
    again = pipeline.export_lineage(form, store=tmp_path / "t")
    if form == "prov":
        assert json.loads(again) == json.loads(text)
    else:
        timeless = [[{**json.loads(line), "eventTime": None} for line in each.splitlines()] for each in (again, text)]
        assert timeless[0] == timeless[1]
    loops = [lineage.feedback_loops(Store(store))[0].witness for store in (world / "s", tmp_path / "t")]
    assert loops[0][0] == loops[1][0] == "model:m2"
    assert pipeline.import_lineage(tmp_path / "graph", store=tmp_path / "t").nodes == 0
    assert pipeline.verify(store=tmp_path / "t").problems == []


def test_only_what_hangs_on_a_node(world):
    whole, part = (json.loads(pipeline.export_lineage("prov", node, store=world / "s")) for node in (None, "clean"))
    assert set(part["entity"]) < set(whole["entity"])
    assert "pv:dataset%3Aclean" in part["entity"]
    assert "pv:dataset%3Aall" not in part["entity"]


def test_a_cycle_is_refused_and_nothing_is_kept(world, tmp_path):
    document = json.loads(pipeline.export_lineage("prov", store=world / "s"))
    document["wasDerivedFrom"]["_:x"] = {
        "prov:generatedEntity": "pv:model%3Am1",
        "prov:usedEntity": "pv:model%3Am2",
        "prov:type": {"$": "pv:successor_of", "type": "prov:QUALIFIED_NAME"},
    }
    (tmp_path / "graph.json").write_text(json.dumps(document))
    with pytest.raises(LineageError, match="cycle: model:m"):
        pipeline.import_lineage(tmp_path / "graph.json", store=tmp_path / "t")
    assert Store(tmp_path / "t").sql("select count(*) from lineage_nodes").fetchall() == [(0,)]


def test_a_dataset_is_described(world, tmp_path):
    document = json.loads(pipeline.export_lineage("croissant", "clean", url="https://example.org/", store=world / "s"))
    assert document["description"].startswith("3 records of 360 words")
    assert [file["name"] for file in document["distribution"]] == ["clean.jsonl"]
    (tmp_path / "clean.jsonl").write_bytes((world / "clean.jsonl").read_bytes())
    (tmp_path / "croissant.json").write_text(json.dumps(document))
    assert mlcroissant.Dataset(str(tmp_path / "croissant.json")).metadata.name == "clean"
    card = pipeline.export_lineage("card", "all", store=world / "s")
    assert "| synthetic | 1 | 120 |" in card
    assert "| m1 | 120 |" in card


def test_the_command_line_writes_and_reads_files(world, tmp_path, capsys):
    out = tmp_path / "graph.json"
    assert run(["lineage", "export", "prov", "--out", str(out), "--store", str(world / "s")]) == 0
    capsys.readouterr()
    assert run(["lineage", "import", str(out), "--json", "--store", str(tmp_path / "t")]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"] > 5
    assert run(["lineage", "export", "prov", "--out", str(tmp_path / "no" / "x"), "--store", str(world / "s")]) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds nothing"),
        ("[]", "holds nothing"),
        ("{", "no JSON"),
        ("3", "no OpenLineage"),
        ('{"a": 1}', "no PROV-JSON"),
    ],
)
def test_what_is_neither_is_refused(tmp_path, content, said):
    (tmp_path / "x").write_text(content)
    with pytest.raises(LineageError, match=said):
        pipeline.import_lineage(tmp_path / "x", store=tmp_path / "t")


def test_wrong_use_is_said(world, tmp_path):
    with pytest.raises(UsageError, match="one dataset's"):
        pipeline.export_lineage("card", store=world / "s")
    with pytest.raises(UsageError, match="no form"):
        pipeline.export_lineage("dot", store=world / "s")
    with pytest.raises(UsageError, match="can't be read"):
        pipeline.import_lineage(tmp_path / "none", store=tmp_path / "t")
