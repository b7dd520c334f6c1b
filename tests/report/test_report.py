"""A report stands alone, says what the store says, and shows what crawls wrote as text."""

from __future__ import annotations

import datetime as dt
import html.parser
import json
import re

import pyarrow as pa
import pytest

from provenance import schema
from provenance.cli import run
from provenance.errors import UsageError
from provenance.pipeline.drift import Drift
from provenance.report import figures, page
from provenance.store import write_part

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\"'&"


class Seen(html.parser.HTMLParser):
    """Tags that a browser would make, the text it would show, and which are still open."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data + "\n"


@pytest.fixture
def scan(store, fill, observations, match):
    """A scan of five records, two of them copies of what m1 wrote, of which one source could not be read."""
    with store.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": "g", "name": HOSTILE, "label": "synthetic", "model": "m1",
                                          "reference_count": 2, "words": 9}])  # fmt: skip
    rows = observations("s", "aaaa", "bbbb", "cccc", "dddd", "eeee", host="h.example")
    fill(store, rows, [match("s", record, "g", (0, 100), tier="copy", share=1.0) for record in ("aaaa", "bbbb")])
    reject = {"source_id": "src", "scan_id": "s", "position": 7, "reason": "truncated", "detail": HOSTILE}
    rejects = pa.Table.from_pylist([{**{f.name: None for f in schema.REJECTS}, **reject}], schema=schema.REJECTS)
    part = write_part(store.root, "rejects", "s", "0", rejects)
    with store.commit("more") as commit:
        commit.add_part(part)
        lost = {"source_id": "lost", "scan_id": "s", "uri": HOSTILE, "read": 0, "error": f"gone ({HOSTILE})"}
        commit.insert("sources", [{**lost, "records": 0, "rejects": 0, "skipped": 0}])
    return store.root


def test_the_figures_are_those_of_the_store(scan):
    found = figures("scan of s", store=scan)
    assert sum(row["records"] for row in found.tags) == 5
    assert {row["tag"]: row["records"] for row in found.tags} == {"synthetic": 2, "unknown": 3}
    assert found.totals["rejects_by_reason"] == {"truncated": 1}
    assert [row["uri"] for row in found.left_out] == [HOSTILE]
    assert [(row["set_id"], row["records"]) for row in found.reference_sets] == [("g", 2)]
    assert json.loads(json.dumps(found.as_dict(), default=str))["scan"]["scan_id"] == "s"
    with pytest.raises(UsageError, match="no scan"):
        figures("nothing", store=scan)


def test_a_page_loads_and_runs_nothing_and_shows_hostile_names(scan):
    text = page(figures("s", store=scan))
    seen = Seen(text)
    assert seen.open == []
    assert {tag for tag, _ in seen.tags} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert not {name for _, attributes in seen.tags for name in attributes} - {
        *("lang", "charset", "http-equiv", "content", "name", "class", "style", "title")
    }
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"[\x1b\u202e]", text)
    assert seen.text.count("<script>alert(1)</script>\\u202e\\u001b[31m\"'&") == 3  # set, source, error
    assert "40.0 %" in seen.text
    assert "truncated" in seen.text


def test_a_drift_alarm_stands_at_the_top(scan):
    found = figures("s", store=scan)
    alarm = Drift("scan of s", "en", 900, 90, 0.1, 0.005, 1e-9, None, None, True)
    calm = Drift("scan of s", "de", 900, 1, 0.001, 0.005, 0.9, 0.001, 0.0, False)
    seen = Seen(page(type(found)(**{**vars(found), "drift": (alarm, calm)})))
    assert ("p", {"class": "alarm"}) in seen.tags
    assert "DRIFT in scan of s (en)" in seen.text.partition("Tags\n")[0]
    assert "DRIFT" not in Seen(page(found)).text


def test_long_lists_are_cut_and_counted(scan):
    found = figures("s", store=scan)
    node = {"id": "dataset:d", "kind": "dataset", "name": "d", "distance": 1, "relation": "derived_from"}
    lists = {
        "left_out": list(found.left_out) * 150,
        "descendants": [node] * 130,
        "reference_sets": list(found.reference_sets) * 101,
    }
    text = Seen(page(type(found)(**{**vars(found), **lists}))).text
    assert "And 50 other sources." in text
    assert "And 30 other nodes." in text
    assert "And 1 other set." in text


def test_the_command_writes_the_page(scan, tmp_path, capsys):
    out = tmp_path / "r.html"
    assert run(["report", "s", "--out", str(out), "--json", "--store", str(scan)]) == 0
    assert json.loads(capsys.readouterr().out)["no_estimate"] == ""
    assert run(["report", "s", "--out", "-", "--store", str(scan)]) == 0
    assert capsys.readouterr().out == out.read_text()
    assert run(["report", "s", "--store", str(scan)]) == 2
    assert "--out FILE.html" in capsys.readouterr().err


def test_a_scan_that_another_model_scored_has_no_estimate(scan, store):
    with store.commit("other model") as commit:
        commit.execute('update scan_log set versions = \'{"style": "style-0"}\'')
    found = figures("s", store=scan)
    assert found.estimate is None
    assert "scored by the style model style-0" in Seen(page(found)).text


def test_the_alarm_is_that_of_status(store, fill, observations, capsys):
    """Of texts older than language models, style would tag one in ten synthetic."""
    old = {"captured_at": dt.datetime(2014, 5, 1, tzinfo=dt.UTC), "p_synthetic": 1.0}
    names = [f"{number:08d}" for number in range(300)]
    tagged = observations("s", *names[:30], p_human=0.001, **old)
    fill(store, pa.concat_tables([tagged, observations("s", *names[30:], p_human=0.5, **old)]))
    assert run(["status", "--store", str(store.root)]) == 0
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("DRIFT")]
    assert "of 300 texts" in said
    assert run(["report", "s", "--out", "-", "--store", str(store.root)]) == 0
    shown = Seen(capsys.readouterr().out).text
    assert said in shown.partition("Tags\n")[0]
    assert run(["report", "s", "--json", "--store", str(store.root)]) == 0
    assert [row["alarm"] for row in json.loads(capsys.readouterr().out)["drift"]] == [True]


def test_a_scan_that_has_only_begun_has_a_page(store):
    with store.commit("begin") as commit:
        commit.insert("scans", [{"scan_id": "s", "name": "web", "state": "running", "started_at": NOW}])
    shown = Seen(page(figures("web", store=store.root))).text
    assert "(not ended)" in shown
    assert "None" not in shown
    assert "0 records, 0 rejects and 0 units without text of their own, from 0 sources" in shown


def test_one_of_a_kind_is_no_plural(scan):
    found = figures("s", store=scan)
    shown = Seen(page(found)).text
    assert "5 records, 1 reject and 0 units" in shown
    assert "from 1 source (" in shown
    assert "; 1 source left out" in shown
