"""Text that was on the web before a model's release is not the model's, wherever it turns up."""

from __future__ import annotations

import datetime as dt
import json
import random

import provenance as pv

WORDS = [f"word{number}" for number in range(4000)]


def text(seed: int, words: int = 200) -> str:
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(words))


def tags(tmp_path, rows):
    old, new = text(1), text(2)
    generations = tmp_path / "generations.jsonl"
    generations.write_text(json.dumps({"text": f"{old} {new}"}) + "\n")
    crawl = tmp_path / "crawl.jsonl"
    crawl.write_text("".join(json.dumps(row) + "\n" for row in rows(old, new)))
    store = tmp_path / "store"
    pv.register(generations, label="synthetic", model="m", released=dt.date(2023, 1, 1), store=store)
    pv.scan(crawl, store=store, jobs=1)
    return pv.Store(store).sql("select tag, reason, synthetic_words from records order by position").fetchall()


def test_a_passage_older_than_the_model_is_taken_out_of_its_generation(tmp_path):
    found = tags(
        tmp_path,
        lambda old, new: [
            {"text": old, "date": "2010-01-01"},
            {"text": old, "date": "2024-01-01"},
            {"text": new, "date": "2024-01-01"},
            {"text": f"{old} {new}", "date": "2024-01-01"},
        ],
    )
    assert found[0][:2] == ("human", "dated")
    assert found[1][0] == "unknown"
    assert found[1][2] == 0
    assert found[2] == ("synthetic", "match:passage", 200)
    assert found[3] == ("synthetic", "match:copy", 200)


def test_without_the_older_page_the_whole_generation_is_the_models(tmp_path):
    found = tags(tmp_path, lambda old, _: [{"text": old, "date": "2024-01-01"}])
    assert found == [("synthetic", "match:passage", 200)]


def test_a_page_that_only_claims_an_early_date_excuses_nothing(tmp_path):
    found = tags(
        tmp_path,
        lambda old, _: [{"text": old, "created": "2010-01-01"}, {"text": old, "created": "2024-01-01"}],
    )
    assert [row[2] for row in found] == [200, 200]
