"""Small inputs made of random words, and what a store says of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import provenance as pv

WORDS = [f"{a}{b}" for a in ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti") for b in range(500)]


@pytest.fixture(scope="session")
def text() -> Callable[..., str]:
    def make(seed: int, words: int = 120) -> str:
        chosen = random.Random(seed)
        return " ".join(chosen.choice(WORDS) for _ in range(words))

    return make


@pytest.fixture(scope="session")
def jsonl() -> Callable[..., Path]:
    def write(path: Path, rows: list[dict[str, Any]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, list[tuple[Any, ...]]]]:
    """What a store says, without times of recording."""

    def read(store: Path) -> dict[str, list[tuple[Any, ...]]]:
        opened = pv.Store(store)
        queries = {
            "records": "select * from records order by scan_id, record_id",
            "matches": "select * exclude (recorded_at) from matches order by all",
            "rejects": "select * from rejects order by all",
            "sources": "select source_id, scan_id, uri, bytes, digest, records, rejects, skipped, read, error "
            "from sources order by all",
        }
        return {name: opened.sql(query).fetchall() for name, query in queries.items()}

    return read


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, text: Any, jsonl: Any) -> Path:
    """A folder of three sources and, apart from it, two sets of generations and one of known human text.

    Some records copy a generation whole, some hold a part of one, one holds what two of them say, one copies a person.
    """
    folder = tmp_path_factory.mktemp("corpus")
    generation, other, human, prompt = text(1), text(2), text(3), text(4, 40)
    page = [
        {"text": generation},
        {"text": f"{text(11)} {generation[:400]} {text(12)}"},
        {"text": f"{generation} {other}"},
        {"text": human},
        {"text": text(13), "url": "https://a.example/13", "date": "2012-01-01"},
        {"text": f"{prompt} {text(14, 30)}"},
        {"text": text(15, 8)},
        {"text": other, "date": "2009-01-01"},
    ]
    jsonl(folder / "crawl" / "a.jsonl", page)
    jsonl(folder / "crawl" / "deep" / "b.jsonl", [{"text": text(seed)} for seed in range(20, 30)])
    jsonl(folder / "crawl" / "c.jsonl", [{"text": f"{text(31)} {other}"}, {"text": ""}])
    with (folder / "crawl" / "c.jsonl").open("a") as file:
        file.write("{broken\n")
    jsonl(
        folder / "one.jsonl", [{"text": f"{prompt} {generation}", "prompt": prompt}, {"text": text(41), "prompt": ""}]
    )
    jsonl(folder / "two.jsonl", [{"text": other}, {"text": human}, {"text": text(42, 6)}])
    jsonl(folder / "people.jsonl", [{"text": human}])
    return folder
