"""Impact and diff, by hand: what a set, policy or day touched, and how tags differ."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from provenance import lineage, policy, schema
from provenance.errors import LineageError, UsageError
from provenance.lineage.diff import Side, diff
from provenance.lineage.impact import Impact, impact
from provenance.store import Store, write_part

SYNTHETIC = {"style_score": 6.0, "p_human": 0.004, "p_synthetic": 0.9, "calibration_bin": "en:100"}
HUMAN = {"style_score": -3.0, "p_human": 0.9, "p_synthetic": 0.02, "calibration_bin": "en:100"}


@pytest.fixture
def world(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> Store:
    """Dataset d trained m1, from which t was tuned and z from t; r1 holds words of the set g, which no tag shows."""
    with store.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": "g", "name": "gen", "label": "synthetic", "model": "x"}])
    fill(store, observations("s", "r1", "r2"), [match("s", "r1", "g", (0, 8))])
    lineage.add_dataset(store, "d", scans=["s"])
    lineage.add_dataset(store, "whole", derived_from=["d"])
    lineage.seal_dataset(store, "clean", ["r2"], derived_from=["s"])
    lineage.add_run(store, trains="m1", on=["d"], name="run")
    for name, parent, relation in (("t", "m1", "fine-tune"), ("z", "t", "distilled"), ("m2", "m1", "successor")):
        lineage.add_model(store, name, parent=parent, relation=relation)
    return store


def by_id(found: list[Impact]) -> dict[str, Impact]:
    return {item.id: item for item in found}


def turned(store: Store, **more: Any) -> dt.datetime:
    """Enter a change of d, as a commit of its own."""
    row = {
        "cause": "register",
        "cause_id": "g",
        "subject_kind": "dataset",
        "subject": "dataset:d",
        "tag_before": "human",
    }
    with store.commit("turn") as commit:
        commit.insert("changes", [{**row, "tag_after": "synthetic", "records": 3, "words": 30, **more}])
        return commit.recorded_at


def test_what_holds_the_text_is_touched_though_no_tag_changed(world: Store) -> None:
    found = by_id(impact(world, "gen"))
    assert list(found) == ["s", "dataset:d", "dataset:whole", "run:run", "model:m1", "model:t", "model:z"]
    assert [item.how for item in found.values()] == ["direct"] * 5 + ["indirect"] * 2
    assert (found["model:z"].through, found["model:m1"].through) == ("model:m1", None)
    assert {(item.held_records, item.held_words) for item in found.values() if item.how == "direct"} == {(1, 8)}
    assert all(item.changes == item.effects == () for item in found.values())
    assert set(by_id(impact(world, "x"))) == set(found)


def test_changes_are_given_with_their_cause_and_time(world: Store) -> None:
    first = turned(world)
    second = turned(world, tag_before="unknown", cause_id="another")
    found = by_id(impact(world, "g"))["dataset:d"]
    assert found.since == first
    assert [(c["cause"], c["cause_id"], c["tag_before"], c["records"], c["recorded_at"]) for c in found.changes] == [
        ("register", "g", "human", 3, first)
    ]
    assert [c["recorded_at"] for c in by_id(impact(world))["dataset:d"].changes] == [first, second]
    assert [c["recorded_at"] for c in by_id(impact(world, second))["dataset:d"].changes] == [second]
    assert impact(world, second + dt.timedelta(days=1)) == []


def test_changes_that_were_taken_back_cancel_out(world: Store) -> None:
    turned(world)
    turned(world, cause="rematch", cause_id=None, tag_before="synthetic", tag_after="human", records=2, words=20)
    assert by_id(impact(world))["dataset:d"].net_changes == (
        {"tag_before": "human", "tag_after": "synthetic", "records": 1, "words": 10},
    )
    turned(world, cause="retag", cause_id="p", tag_before="synthetic", tag_after="human", records=1, words=10)
    assert by_id(impact(world))["dataset:d"].net_changes == ()


def test_what_a_set_makes_of_records_is_told_as_of_now(
    world: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> None:
    """Those of a later scan count as well; one that two scans saw counts once in a dataset."""
    turned(world)  # what was entered then says nothing of now
    fill(world, observations("t", "r1", "r9"), [match("t", "r1", "g", (0, 90)), match("t", "r9", "g", (0, 90))])
    lineage.seal_dataset(world, "new", ["r1", "r9"], derived_from=["t"])
    found = by_id(impact(world, "gen"))
    assert {name: item.effects for name, item in found.items() if item.effects} == {
        "t": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 2, "words": 200},),
        "dataset:d": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 1, "words": 100},),
        "dataset:whole": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 1, "words": 100},),
        "dataset:new": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 2, "words": 200},),
        "run:run": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 1, "words": 100},),
        "model:m1": ({"tag_before": "unknown", "tag_after": "synthetic", "records": 1, "words": 100},),
    }
    assert (found["s"].held_records, found["s"].held_words) == (1, 8)
    assert (found["t"].held_records, found["t"].held_words) == (2, 180)


def test_what_was_trained_later_is_touched_since_then(world: Store) -> None:
    turned(world)
    lineage.add_run(world, trains="m5", on=["d"], name="later")
    ((recorded,),) = world.sql("select recorded_at from lineage_nodes where id = 'run:later'").fetchall()
    found = by_id(impact(world, "g"))
    assert found["run:later"].since == recorded > found["dataset:d"].since


def test_a_policy_is_a_cause(world: Store) -> None:
    strict = policy.load("strict")
    with world.commit("policy") as commit:
        commit.add_policy(strict)
    turned(world, cause="retag", cause_id=strict.policy_id)
    found = by_id(impact(world, "strict"))
    assert found["dataset:d"].changes[0]["cause"] == "retag"
    assert (found["dataset:d"].held_records, found["dataset:d"].effects) == (0, None)


def test_what_is_unknown_or_can_mean_several_is_said(world: Store) -> None:
    with pytest.raises(LineageError, match="no reference set, policy or model 'nothing'"):
        impact(world, "nothing")
    lineage.add_model(world, "gen")
    with pytest.raises(LineageError, match="several things"):
        impact(world, "gen")
    assert by_id(impact(world, "g"))


def rows(found: Any, *, reasons: bool = False) -> list[tuple[Any, ...]]:
    more = [(row.reason_before, row.reason_after) if reasons else () for row in found]
    return [
        (row.tag_before, row.tag_after, *extra, row.records, row.words) for row, extra in zip(found, more, strict=True)
    ]


@pytest.fixture
def styled(store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]) -> Store:
    """Scans s and t of the same records, t with one more that s lacks and another score for one; `half` holds two."""
    fill(store, pa.concat_tables([observations("s", "a", "b", **HUMAN), observations("s", "c", **SYNTHETIC)]))
    fill(store, pa.concat_tables([observations("t", "a", **HUMAN), observations("t", "b", "c", "e", **SYNTHETIC)]))
    lineage.seal_dataset(store, "half", ["a", "b"], derived_from=["s"])
    return store


def test_policies_are_compared_on_a_scan(styled: Store) -> None:
    lenient, strict = policy.load("lenient"), policy.load("strict")
    found = diff(styled, Side("s", lenient), Side("s", strict), reasons=True)
    assert rows(found, reasons=True) == [
        ("human", "unknown", "style", "inconclusive", 2, 200),
        ("unknown", "synthetic", "inconclusive", "style", 1, 100),
    ]
    current = diff(styled, Side("s"), Side("s", strict))
    assert rows(current) == [("human", "unknown", 2, 200), ("synthetic", "synthetic", 1, 100)]


def test_detectors_are_compared_by_two_scans_of_the_same_sources(styled: Store) -> None:
    assert rows(diff(styled, Side("s"), Side("t"))) == [
        ("human", "human", 1, 100),
        ("human", "synthetic", 1, 100),
        ("synthetic", "synthetic", 1, 100),
        ("absent", "synthetic", 1, 100),
    ]
    of_datasets = diff(styled, Side("s"), Side("t"), by_dataset=True)
    assert [(row.dataset, row.tag_after, row.records) for row in of_datasets if row.dataset] == [
        ("dataset:half", "human", 1),
        ("dataset:half", "synthetic", 1),
    ]
    lineage.seal_dataset(styled, "other", ["e"], derived_from=["t"])
    with pytest.raises(UsageError, match="no record in common"):
        diff(styled, Side("s"), Side("other"))


def test_moments_are_compared_by_what_was_known(styled: Store, match: Callable[..., dict[str, Any]]) -> None:
    ((before,),) = styled.sql("select max(recorded_at) from commits").fetchall()
    table = pa.Table.from_pylist([match("s", "a", "g", (0, 60))], schema=schema.MATCHES)
    part = write_part(styled.root, "matches", "s", "1", table)
    with styled.commit("register") as commit:
        commit.insert("reference_sets", [{"set_id": "g", "name": "g", "label": "synthetic", "model": "x"}])
        commit.add_part(part)
    assert rows(diff(styled, Side("s", as_of=before), Side("s"))) == [
        ("human", "human", 1, 100),
        ("human", "synthetic", 1, 100),
        ("synthetic", "synthetic", 1, 100),
    ]
    # `b` was seen last in scan t, which calls it synthetic already.
    assert rows(diff(styled, Side("half", as_of=before), Side("half"))) == [
        ("human", "human", 1, 100),
        ("synthetic", "synthetic", 1, 100),
    ]
