"""The catalogue of known models: its entries, and what the store makes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import networkx
import pyarrow as pa
import pytest

from provenance import lineage
from provenance.store import Store
from provenance.store.known_models import rows

MODELS, CLAIMS = rows()


def keys(store: Store) -> dict[str, list[str]]:
    return dict(store.sql("select model, keys from known_models").fetchall())


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-3.5", "gpt-4", "gpt-4o", "o1", "claude-3", "claude-3.5-sonnet", "gemini-1.0", "gemini-1.5"),
        *(
            "gemma-1",
            "gemma-2",
            "gemma-3",
            "llama-2",
            "llama-3",
            "llama-3.1",
            "phi-3",
            "phi-4",
            "grok-1",
            "palmyra-x-004",
        ),
        *("mistral-7b", "mistral-large", "qwen-2", "qwen-2.5", "deepseek-v3", "deepseek-r1", "command-r"),
    ],
)
def test_the_models_that_matter_are_there(name: str) -> None:
    assert name in {entry["model"] for entry in MODELS}


def test_dates_are_those_of_fluent_models_and_predecessors_came_before() -> None:
    released = {entry["model"]: entry["released"] for entry in MODELS}
    assert len(released) == len(MODELS)
    for entry in MODELS:
        assert dt.date(2019, 2, 14) <= entry["released"] < dt.date(2027, 1, 1)
        if entry["predecessor"] is not None:
            assert released[entry["predecessor"]] <= entry["released"]
    line = networkx.DiGraph([(entry["model"], entry["predecessor"]) for entry in MODELS if entry["predecessor"]])
    assert networkx.is_directed_acyclic_graph(line)


def test_claims_have_a_source_or_none_and_say_whose_they_are() -> None:
    names = {entry["model"] for entry in MODELS}
    for claim in CLAIMS:
        assert set(claim) <= {"model", "about", "claim", "synthetic", "stage", "said_by", "source"}
        assert claim["model"] in names
        assert claim["about"] in ("release", "training data")
        assert claim["said_by"] in ("developer", "press", "third party")
        assert claim.get("stage") in (None, "pre-training", "post-training")
        assert claim.get("source") is None or claim["source"].startswith("https://")
        assert claim["claim"].endswith(".")
        if claim.get("synthetic") is not None:
            assert claim.get("source"), claim


def test_no_two_models_share_a_name(store: Store) -> None:
    seen: dict[str, str] = {}
    for model, names in keys(store).items():
        for name in names:
            assert seen.setdefault(name, model) == model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("GPT-4o", "gpt-4o"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt 3.5 turbo", "gpt-3.5"),
        ("claude-3-5-sonnet-20240620", "claude-3.5-sonnet"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1"),
        ("mistral-large-2407", "mistral-large-2"),
        ("Mistral_Large", "mistral-large"),
        ("my-gpt-4o", None),
    ],
)
def test_a_recorded_model_is_found_by_each_of_its_names(store: Store, name: str, model: str | None) -> None:
    lineage.add_model(store, name)
    ((known, source),) = store.sql(
        "select known_model, released_from from model_facts where model = $1", [name]
    ).fetchall()
    assert (known, source) == (model, "catalogue" if model else None)


def test_the_catalogue_fills_in_a_date_and_never_replaces_the_users(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> None:
    with store.commit("register") as commit:
        row = {"set_id": "g", "name": "g", "label": "synthetic", "model": "gpt-4o"}
        commit.insert("reference_sets", [row])
    early = observations("s", "r", captured_at=dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
    fill(store, early, [match("s", "r", "g", (0, 100))])
    assert store.sql("select admissible from findings").fetchall() == [(False,)]
    lineage.add_model(store, "gpt-4o", released=dt.date(2024, 4, 1))
    assert store.sql("select admissible from findings").fetchall() == [(True,)]
    facts = store.sql("select released, released_from, developer from model_facts").fetchall()
    assert facts == [(dt.date(2024, 4, 1), "given", "OpenAI")]


def test_who_can_have_written_a_record_of_june_2023(store: Store) -> None:
    lineage.add_model(store, "own-early", released=dt.date(2023, 6, 1))
    lineage.add_model(store, "own-late", released=dt.date(2023, 7, 1))
    lineage.add_model(store, "own-undated")
    lineage.add_model(store, "OpenAI/gpt-4")
    found = {item.model: item for item in lineage.can_have_written(store, dt.date(2023, 6, 30))}
    assert {"gpt-3.5", "claude-1", "OpenAI/gpt-4", "own-early", "own-undated", "phi-1"} <= set(found)
    assert not {"claude-2", "llama-2", "gpt-4", "gpt-4o", "own-late"} & set(found)
    assert (found["phi-1"].trained_on_synthetic, found["phi-1"].depth_at_least) == (True, 2)
    assert (found["gpt-3"].trained_on_synthetic, found["gpt-3"].depth_at_least) == (False, 1)
    assert (found["own-undated"].released, found["own-undated"].depth_at_least) == (None, 1)
    assert [item.model for item in lineage.can_have_written(store, dt.datetime(2018, 1, 1))] == ["own-undated"]
