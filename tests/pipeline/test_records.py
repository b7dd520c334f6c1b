"""Asking about records: retag, explain, and the same tags for texts in memory."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

import provenance as pv
from provenance import pipeline
from provenance.errors import UsageError


@pytest.fixture(scope="module")
def scanned(sample, tmp_path_factory):
    store = tmp_path_factory.mktemp("asked") / "s"
    pv.register(sample / "generations.jsonl", label="synthetic", model="demo-1", prompt_column="prompt", store=store)
    pv.scan([sample / "crawl.warc.gz", sample / "dataset.jsonl"], store=store, jobs=1, name="web")
    return store


def test_retag_needs_no_source(tmp_path, jsonl, text):
    path = jsonl(tmp_path / "a.jsonl", [{"text": text(n), "date": "2010-01-01"} for n in range(3)])
    store = tmp_path / "s"
    assert pv.scan(path, store=store, jobs=1, name="web").tags == {"human": 3}
    path.unlink()
    assert pv.retag("web", policy="strict", store=store) == {"unknown": 3}
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "mine"\n[dated]\nbefore = 2009-01-01\n')
    assert pv.retag("web", policy=mine, store=store) == {"unknown": 3}
    assert pv.retag("web", store=store) == {"human": 3}
    with pytest.raises(UsageError, match="The scans are: web"):
        pv.retag("wbe", store=store)


def test_the_detector_tags_as_the_scan_does(scanned, sample):
    with (sample / "dataset.jsonl").open(encoding="utf-8") as file:
        import json

        rows = [json.loads(line) for line in file]
    columns = (
        "tag, reason, score, language, words, style_score, p_human, p_synthetic, synthetic_words, match_share, model"
    )
    expected = pv.Store(scanned).sql(
        f"select {columns} from records join sources using (source_id) where uri = 'dataset.jsonl' order by position"
    )
    tagged = pv.Detector(store=scanned).tag(
        [row["text"] for row in rows],
        captured_at=[row.get("date") for row in rows],
        url=[row.get("url") for row in rows],
    )
    assert tagged.select(columns.split(", ")).to_pylist() == expected.to_arrow_table().to_pylist()
    assert tagged.column_names == pv.Store(scanned).sql("select * from records limit 0").columns


def test_the_detector_takes_any_texts_and_dates():
    detector = pv.Detector()
    assert detector.tag([]).num_rows == 0
    assert detector.tag(["x"], captured_at="2015-01-01").column("reason").to_pylist() == ["dated"]
    tagged = detector.tag(pa.chunked_array([["a", None], [""]]), captured_at=[None, "2018-12-31T23:59:59-01:00", None])
    assert tagged.column("tag").to_pylist() == ["unknown"] * 3  # with its zone, that time is in 2019
    assert tagged.column("position").to_pylist() == [0, 1, 2]
    for wrong in ({"captured_at": ["2015-01-01"] * 2}, {"captured_at": "soon"}, {"url": ["u"] * 3}):
        with pytest.raises(UsageError):
            detector.tag(["x"], **wrong)
    for not_texts in (pa.array([[1]]), [1], ["\ud800"], [b"x", 2]):
        with pytest.raises(UsageError, match="Texts are wanted"):
            detector.tag(not_texts)
    with pytest.raises(UsageError, match="not one text"):
        detector.tag("x")


def test_threads_that_share_a_detector_get_their_own_answers():
    detector, answers = pv.Detector(), {}

    def ask(count):
        answers[count] = [detector.tag(["x"] * count).num_rows for _ in range(2)]

    threads = [threading.Thread(target=ask, args=(count,)) for count in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {1: [1, 1], 2: [2, 2], 3: [3, 3]}


def test_explain_every_kind_of_record(scanned):
    chosen = pv.Store(scanned).sql("select any_value(record_id), reason from records group by reason order by reason")
    decided = {}
    for record, reason in chosen.fetchall():
        found = pv.explain(record[:12], store=scanned)
        assert found.record["record_id"] == record
        assert found.excerpt or not found.record["chars"]
        assert all(piece["detail"] for piece in found.evidence)
        decided[reason] = found.decided
    assert "None" not in " ".join(decided.values())
    assert len(set(decided.values())) == len(decided)
    assert "demo-1" in decided["match:passage"]
    assert "2019-01-01" in decided["dated"]


def test_explain_says_what_would_change_it(scanned):
    ((record,),) = pv.Store(scanned).sql("select record_id from records where reason = 'dated' limit 1").fetchall()
    told = pv.explain(f"web/{record}", store=scanned)
    assert told.as_dict()["record"]["tag"] == "human"
    assert any("date were not trusted" in line for line in told.would_change)


@pytest.mark.parametrize(("record", "message"), [("ab", "at least 4"), ("zzzz", "no record"), ("none/abcd", "no scan")])
def test_explain_of_no_record(scanned, record, message):
    with pytest.raises(UsageError, match=message):
        pv.explain(record, store=scanned)


def test_status_counts_what_is_there(scanned):
    found = pipeline.status(store=scanned)
    assert found["records"] == found["scans"][0]["records"] > 30
    assert {row["label"] for row in found["reference_sets"]} == {"synthetic", "prompt"}
    assert pipeline.verify(store=scanned).problems == []
