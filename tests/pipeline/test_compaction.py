"""Compacting the reference index of a store: the same is found, withdrawn sets are gone, a kill leaves old or new."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

import provenance as pv
from provenance.errors import StoreError
from provenance.index.build import parameters
from provenance.index.segment import open_segment
from provenance.pipeline import catalogue, compaction

KILLED = """
import os, sys
from provenance.index import segment
from provenance.pipeline import compaction
place = sys.argv[2]
if place == "commit":
    compaction._replace = lambda *_: os._exit(9)
else:
    write = segment.SegmentWriter.append
    segment.SegmentWriter.append = lambda self, name, values: (
        os._exit(9) if name == place else write(self, name, values)
    )
compaction.compact_index(store=sys.argv[1])
"""


@pytest.fixture
def registered(tmp_path, corpus):
    """A store with three sets in segments of their own."""
    store = tmp_path / "s"
    pv.register(corpus / "one.jsonl", store=store, label="synthetic", model="m1", prompt_column="prompt")
    pv.register(corpus / "two.jsonl", store=store, label="synthetic", model="m2", name="two")
    pv.register(corpus / "people.jsonl", store=store, label="human")
    return store


def tags(store, corpus):
    pv.scan(corpus / "crawl", store=store, jobs=1)
    query = (
        "select uri, position, tag, reason, synthetic_words from records join sources using (source_id) order by all"
    )
    return pv.Store(store).sql(query).fetchall()


def test_scans_find_the_same_afterwards(registered, corpus, tmp_path):
    compacted = tmp_path / "compacted"
    shutil.copytree(registered, compacted)
    result = compaction.compact_index(store=compacted)
    assert (result.segments, result.dropped) == (4, 0)
    assert compaction.compact_index(store=compacted).segments == 0
    assert tags(compacted, corpus) == tags(registered, corpus)
    report = pv.pipeline.verify(store=compacted)
    assert report.sound
    assert report.segments == 1


def test_withdrawn_sets_are_dropped(registered, corpus):
    pv.pipeline.unregister("two", store=registered)
    result = compaction.compact_index(store=registered)
    assert result.dropped > 0
    assert tags(registered, corpus)
    (name,), withdrawn = catalogue.live_segments(pv.Store(registered))
    assert len(withdrawn) == 1
    folder = catalogue.index_folder(pv.Store(registered))
    assert not {entry.set_id for entry in open_segment(folder, name, parameters()).sets} & set(withdrawn)


@pytest.mark.parametrize("place", ["tokens", "reference_sets", "commit"])
def test_a_kill_leaves_the_index_as_it_was(registered, place):
    before = catalogue.live_segments(pv.Store(registered))
    done = subprocess.run([sys.executable, "-c", KILLED, str(registered), place], check=False, capture_output=True)
    assert done.returncode == 9, done.stderr.decode()
    assert catalogue.live_segments(pv.Store(registered)) == before
    report = pv.pipeline.verify(store=registered, repair=True)
    assert report.sound
    assert len([name for name in report.swept if name.startswith("index/segments/")]) == 1
    assert compaction.compact_index(store=registered).segments == 4


def test_a_segment_replaced_meanwhile_is_noticed(registered, monkeypatch):
    def replaced(folder, segments, withdrawn):
        with pv.Store(registered).commit("meanwhile") as commit:
            commit.execute("update segments set withdrawn_at = now() where segment_id = ?", [segments[0]])
        return compaction.Index.open(folder, segments, withdrawn).shelves[0].segment

    monkeypatch.setattr(compaction, "compact", replaced)
    with pytest.raises(StoreError, match="was replaced"):
        compaction.compact_index(store=registered)
