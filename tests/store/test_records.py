"""The views `match_summary`, `records` and `records_as_of`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from provenance import policy
from provenance.store import Store

CONTRACT = (
    *("record_id", "content_id", "scan_id", "source_id", "position", "url", "host", "captured_at", "language", "chars"),
    *("words", "tag", "reason", "score", "style_score", "p_human", "p_synthetic", "calibration_bin", "synthetic_words"),
    *("match_share", "model_family", "attribution_score", "rights", "recovered", "evidence"),
)

Rows = Callable[..., pa.Table]
Fill = Callable[..., None]
Match = Callable[..., dict[str, Any]]


def register(store: Store, set_id: str, label: str = "synthetic", **more: Any) -> None:
    with store.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": set_id, "name": f"set {set_id}", "label": label, **more}])


def summary(store: Store) -> dict[str, Any]:
    found = store.sql("from match_summary").to_arrow_table().to_pylist()
    assert len(found) == 1
    return found[0]


def test_records_begins_with_the_columns_of_the_contract(store: Store) -> None:
    relation = store.sql("from records")
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    assert tuple(relation.columns[: len(CONTRACT)]) == CONTRACT
    assert types["position"] == "BIGINT"
    assert types["captured_at"] == "TIMESTAMP"
    assert (types["words"], types["synthetic_words"], types["match_share"]) == ("INTEGER", "INTEGER", "DOUBLE")
    assert types["rights"] == "STRUCT(licence VARCHAR, opt_out VARCHAR[])"
    assert types["evidence"].startswith("STRUCT(kind VARCHAR, detail VARCHAR, weight DOUBLE, measured BOOLEAN")


def test_covers_of_several_references_are_united_once(
    store: Store, observations: Rows, fill: Fill, match: Match
) -> None:
    register(store, "a", model="m1")
    register(store, "b", model="m2")
    fill(store, observations("s", "r"), [match("s", "r", "a", (0, 40)), match("s", "r", "b", (20, 50))])
    assert (summary(store)["synthetic_words"], summary(store)["match_share"]) == (50, 0.5)
    assert (summary(store)["match_set"], summary(store)["model"]) == ("a", "m1")
    assert store.sql("select tag, reason, synthetic_words from records").fetchall() == [
        ("synthetic", "match:passage", 50)
    ]


@pytest.mark.parametrize("label", ["human", "prompt"])
def test_words_of_people_and_prompts_are_not_the_models(
    store: Store, observations: Rows, fill: Fill, match: Match, label: str
) -> None:
    register(store, "a", model="m1")
    register(store, "h", label)
    fill(store, observations("s", "r"), [match("s", "r", "a", (0, 40)), match("s", "r", "h", (10, 90))])
    assert summary(store)["synthetic_words"] == 10
    assert summary(store)["human_share"] == (0.8 if label == "human" else 0.0)


@pytest.mark.parametrize(
    ("observed", "counts"),
    [
        ({}, True),
        ({"captured_at": dt.datetime(2023, 1, 1, tzinfo=dt.UTC)}, False),
        ({"captured_at": dt.datetime(2023, 1, 1, tzinfo=dt.UTC), "date_origin": "column"}, False),
        ({"captured_at": dt.datetime(2023, 1, 1, tzinfo=dt.UTC), "date_origin": "page"}, True),
        ({"captured_at": dt.datetime(2023, 1, 1, tzinfo=dt.UTC), "recovered": True}, True),
        ({"captured_at": None}, True),
        ({"captured_at": dt.datetime(2023, 3, 14, tzinfo=dt.UTC)}, True),
    ],
)
@pytest.mark.parametrize("known_by", ["set", "model"])
def test_a_record_older_than_the_model_is_no_copy_of_it(
    store: Store, observations: Rows, fill: Fill, match: Match, observed: dict[str, Any], counts: bool, known_by: str
) -> None:
    released = dt.date(2023, 3, 14)
    register(store, "a", model="m1", released=released if known_by == "set" else None)
    with store.commit("model") as commit:
        commit.insert("models", [{"model": "m1", "family": "M", "released": released if known_by == "model" else None}])
    fill(store, observations("s", "r", **observed), [match("s", "r", "a", (0, 100), tier="exact")])
    assert summary(store)["synthetic_words"] == (100 if counts else 0)
    assert summary(store)["inadmissible"] == (0 if counts else 1)
    tag, reason, family, share = store.sql(
        "select tag, reason, model_family, attribution_score from records"
    ).fetchall()[0]
    assert (reason == "match:copy") == counts
    assert (family, share) == (("M", 1.0) if counts else (None, None))
    assert (tag == "synthetic") == counts


def test_unverified_words_count_apart_and_only_where_nothing_is_verified(
    store: Store, observations: Rows, fill: Fill, match: Match
) -> None:
    register(store, "a", model="m1")
    fill(store, observations("s", "r"), [match("s", "r", "a", (0, 60), verified=False), match("s", "r", "a", (0, 20))])
    assert (summary(store)["synthetic_words"], summary(store)["unverified_words"]) == (20, 40)


def test_a_withdrawn_set_matches_nothing(store: Store, observations: Rows, fill: Fill, match: Match) -> None:
    register(store, "a", model="m1")
    fill(store, observations("s", "r"), [match("s", "r", "a", (0, 100))])
    with store.commit("unregister") as commit:
        commit.execute("update reference_sets set withdrawn_at = ? where set_id = 'a'", [commit.recorded_at])
    assert store.sql("from match_summary").fetchall() == []
    assert store.sql("select synthetic_words from records").fetchall() == [(0,)]


def test_a_cover_of_the_wrong_length_is_left_out(store: Store, observations: Rows, fill: Fill, match: Match) -> None:
    register(store, "a", model="m1")
    fill(
        store,
        observations("s", "r"),
        [match("s", "r", "a", (0, 30)), match("s", "r", "a", (0, 10), of=20), match("s", "r", "a", (0, 9), cover=b"")],
    )
    assert summary(store)["synthetic_words"] == 30


def test_the_same_record_in_two_scans_is_matched_in_each(
    store: Store, observations: Rows, fill: Fill, match: Match
) -> None:
    register(store, "a", model="m1")
    fill(store, observations("s", "r"), [match("s", "r", "a", (0, 40))])
    fill(store, observations("t", "r"))
    assert store.sql("select scan_id, synthetic_words from records order by 1").fetchall() == [("s", 40), ("t", 0)]


def test_another_policy_retags_without_new_observations(store: Store, observations: Rows, fill: Fill) -> None:
    more = {"style_score": 4.0, "p_human": 0.003, "p_synthetic": 0.9, "calibration_bin": "en:100"}
    fill(store, observations("s", "r", **more))
    assert store.sql("select tag, reason from records").fetchall() == [("synthetic", "style")]
    careful = policy.parse('name = "careful"\n[style]\nalpha = 0.001\n')
    with store.commit("retag") as commit:
        commit.insert("scan_policies", [{"scan_id": "s", "policy_id": commit.add_policy(careful)}])
    assert store.sql("select tag, policy_id from records").fetchall() == [("unknown", careful.policy_id)]


def test_as_of_answers_as_the_store_would_have_then(store: Store, observations: Rows, fill: Fill, match: Match) -> None:
    def now() -> dt.datetime:
        return dt.datetime.now(dt.UTC).replace(tzinfo=None)

    def then(moment: dt.datetime) -> list[Any]:
        return store.sql(
            "select record_id, synthetic_words, policy_id from records_as_of($1) order by 1", [moment]
        ).fetchall()

    empty = now()
    fill(store, observations("s", "r", captured_at=None))
    scanned = now()
    register(store, "a", model="m1")
    registered = now()
    fill(store, observations("t", "q"), [match("s", "r", "a", (0, 50)), match("t", "q", "a", (0, 50))])
    matched = now()
    careful = policy.parse('name = "careful"\n')
    with store.commit("retag, then unregister") as commit:
        commit.insert("scan_policies", [{"scan_id": "s", "policy_id": commit.add_policy(careful)}])
        commit.execute("update reference_sets set withdrawn_at = ?", [commit.recorded_at])
    default = policy.load("default").policy_id
    assert then(empty) == []
    assert then(scanned) == then(registered) == [("r", 0, default)]
    assert then(matched) == [("q", 50, default), ("r", 50, default)]
    assert then(now()) == [("q", 0, default), ("r", 0, careful.policy_id)]
    assert then(now()) == store.sql("select record_id, synthetic_words, policy_id from records order by 1").fetchall()
