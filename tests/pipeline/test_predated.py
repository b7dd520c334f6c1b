"""Text that a web archive held before a model's release is not the model's, wherever it turns up."""

from __future__ import annotations

import datetime as dt
import json
import random

import pytest

import provenance as pv

WORDS = [f"word{number}" for number in range(4000)]


def text(seed: int, words: int = 200) -> str:
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(words))


OLD, NEW = text(1), text(2)


def archived(body: str, date: str) -> bytes:
    payload = body.encode()
    header = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{date}-{len(payload)}>\r\n"
        f"WARC-Target-URI: https://a.example/\r\nWARC-Date: {date}T00:00:00Z\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    )
    return header.encode() + payload + b"\r\n\r\n"


@pytest.fixture
def store(tmp_path):
    generations = tmp_path / "generations.jsonl"
    generations.write_text(json.dumps({"text": f"{OLD} {NEW}"}) + "\n")
    pv.register(generations, label="synthetic", model="m", released=dt.date(2023, 1, 1), store=tmp_path / "store")
    return tmp_path / "store"


def tags(store, source):
    pv.scan(source, store=store, jobs=1)
    return pv.Store(store).sql("select tag, reason, synthetic_words from records order by position").fetchall()


def test_a_passage_older_than_the_model_is_taken_out_of_its_generation(tmp_path, store):
    crawl = tmp_path / "crawl.warc.wet"
    pages = [(OLD, "2010-01-01"), (OLD, "2024-01-01"), (NEW, "2024-01-02"), (f"{OLD} {NEW}", "2024-01-03")]
    crawl.write_bytes(b"".join(archived(*page) for page in pages))
    found = tags(store, crawl)
    assert found[0][:2] == ("human", "dated")
    assert found[1][0] == "unknown"
    assert found[1][2] == 0
    assert found[2] == ("synthetic", "match:passage", 200)
    assert found[3] == ("synthetic", "match:copy", 200)


def test_without_the_older_page_the_whole_generation_is_the_models(tmp_path, store):
    crawl = tmp_path / "crawl.warc.wet"
    crawl.write_bytes(archived(OLD, "2024-01-01"))
    assert tags(store, crawl) == [("synthetic", "match:passage", 200)]


@pytest.mark.parametrize(("column", "first"), [("date", ("human", "dated", 0)), ("created", None)])
def test_a_date_that_no_archive_vouches_for_excuses_no_other_record(tmp_path, store, column, first):
    crawl = tmp_path / "crawl.jsonl"
    rows = [{"text": OLD, column: "2010-01-01"}, {"text": OLD, column: "2024-01-01"}]
    crawl.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = tags(store, crawl)
    assert found[0] == (first or ("synthetic", "match:passage", 200))
    assert found[1] == ("synthetic", "match:passage", 200)
