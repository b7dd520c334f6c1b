"""The gate: what it counts, what it refuses, and the part of a dataset that passes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import lineage, policy
from provenance.errors import GateError, LineageError
from provenance.lineage import gate
from provenance.store import Store

HUMAN = {"style_score": -3.0, "p_human": 0.9, "p_synthetic": 0.01, "calibration_bin": "en:100"}
STYLED = {"style_score": 6.0, "p_human": 0.001, "p_synthetic": 0.9, "calibration_bin": "en:100"}
MARKER = {"kind": "marker", "name": "oaicite", "detail": "", "weight": 9.0, "measured": True, "decides": True}


@pytest.fixture
def world(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None], match: Callable[..., dict[str, Any]]
) -> Store:
    """m2 succeeds m1; the scan's r1 holds 40 words of m1's text and r2 10 of another's; r3 is nobody's."""
    lineage.add_model(store, "m2", parent="m1")
    add_sets(store, ("g1", "m1"), ("gx", "x"))
    fill(store, observations("s", "r1", "r2", "r3"), [match("s", "r1", "g1", (0, 40)), match("s", "r2", "gx", (0, 10))])
    lineage.add_dataset(store, "d", scans=["s"])
    return store


def add_sets(store: Store, *sets: tuple[str, str]) -> None:
    with store.commit("register") as commit:
        commit.insert(
            "reference_sets", [{"set_id": s, "name": s, "label": "synthetic", "model": model} for s, model in sets]
        )


def under(**limits: Any) -> policy.Policy:
    """A policy that allows everything but what is named."""
    allow = {
        "loops": "true", "max_synthetic_share": 1.0, "max_unknown_share": 1.0, "min_human_share": 0.0, "max_depth": 99,
        "max_unverified_share": 1.0, "max_self_graded_share": 1.0, "max_opt_out_share": 1.0,
    }  # fmt: skip
    lines = [f"{key} = {value}" for key, value in {**allow, **limits}.items()]
    return policy.parse("\n".join(['name = "test"', "[gate]", *lines]))


def limits(result: lineage.CheckResult) -> list[str]:
    return [violation.limit for violation in result.violations]


def test_check_refuses_and_says_what_and_by_how_much(world: Store) -> None:
    result = lineage.check(world, "d", "m2", policy.load("default"))
    assert not result.allowed
    assert result.loops[0].model == "model:m2"
    assert limits(result) == ["own", "synthetic", "unknown", "human", "unverified"]
    said = [str(violation) for violation in result.violations]
    assert "closes a loop" in said[0]
    assert "model:m1 in 1 records (40 words)" in said[0]
    assert said[1] == "the synthetic share of its words is 33.3%, the most allowed is 10.0%"
    assert said[3] == "the human share of its words is 0.0%, the least allowed is 30.0%"
    assert (result.figures["records"], result.figures["words"], result.figures["own_words"]) == (3, 300, 40)
    assert result.figures["synthetic_share"] == pytest.approx(1 / 3)
    assert result.figures["unknown_share"] == pytest.approx(2 / 3)
    assert result.as_dict()["allowed"] is False
    assert result.remarks == ()
    assert "'m9' is not recorded" in lineage.check(world, "d", "m9", policy.load("default")).remarks[0]
    with pytest.raises(GateError, match="closes a loop"):
        result.require()


def test_check_passes_a_human_dataset_and_judges_by_the_policy_it_is_given(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("s", "r1", "r2", rights={"licence": None, "opt_out": ["tdm-reservation"]}, **HUMAN))
    lineage.add_dataset(store, "d", scans=["s"])
    result = lineage.check(store, "d", "m1", policy.load("default"))
    assert (result.allowed, result.violations, result.figures["human_share"]) == (True, (), 1.0)
    assert result.require() is result
    careful = policy.parse('name = "careful"\n[style]\nbeta = 0.001\n[gate]\nmax_opt_out_share = 0.5\n')
    assert limits(lineage.check(store, "d", None, careful)) == ["unknown", "human", "opt-out"]


def test_check_does_not_pass_what_it_knows_nothing_of(store: Store) -> None:
    lineage.seal_dataset(store, "d", [])
    assert "nothing is known" in str(lineage.check(store, "d", None, policy.load("lenient")).violations[0])
    with pytest.raises(LineageError, match="no dataset"):
        lineage.check(store, "e", None, policy.load("default"))


def test_members_that_no_scan_has_seen_are_unknown(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("s", "r1", **HUMAN))
    lineage.seal_dataset(store, "d", ["r1", "seen by nobody", "nor this"])
    result = lineage.check(store, "d", None, policy.load("default"))
    assert limits(result) == ["unobserved"]
    assert result.figures["unobserved_share"] == pytest.approx(2 / 3)


def test_a_record_in_two_scans_counts_once_as_it_was_seen_last(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    fill(store, observations("s", "r1"))
    fill(store, observations("t", "r1", words=70))
    lineage.add_dataset(store, "d", scans=["s", "t"])
    figures = lineage.check(store, "d", None, policy.load("default")).figures
    assert (figures["records"], figures["words"]) == (1, 70)


@pytest.mark.parametrize(("allowed", "refused"), [(0.1, ["own"]), (0.1334, []), (0.0, ["own"])])
def test_a_tolerated_share_of_own_words_is_a_decision(world: Store, allowed: float, refused: list[str]) -> None:
    result = lineage.check(world, "d", "m2", under(loops="false", max_own_share=allowed))
    assert limits(result) == refused
    assert result.figures["own_share"] == pytest.approx(40 / 300)
    assert len(result.loops) == 1


def test_a_loop_by_the_way_it_was_made_is_refused_whatever_share_is_tolerated(world: Store) -> None:
    lineage.add_dataset(world, "made", derived_from=["g1", "d"])
    result = lineage.check(world, "made", "m2", under(loops="false", max_own_share=1.0))
    lineage.add_dataset(world, "of the set", derived_from=["g1"])
    assert limits(lineage.check(world, "of the set", "m2", under(loops="false", max_own_share=1.0)))[0] == "loop"
    assert result.allowed


def test_a_successor_that_is_not_recorded_is_judged_by_what_it_comes_from(world: Store) -> None:
    strict = under(loops="false")
    assert limits(lineage.check(world, "d", "m3", strict)) == []
    result = lineage.check(world, "d", "m3", strict, successor_of="m2")
    assert limits(result) == ["own"]
    assert result.figures["own_words"] == 40


def half(counted: pa.Table, scans: Any) -> gate.Estimated:
    """An estimate that calls half of the scored words at the highest scores synthetic."""
    assert scans == ["s"]
    assert set(counted["bin"].to_pylist()) == {"en:100"}
    cells = counted.group_by(["bin", "cell"]).aggregate([("words", "sum")])
    top = max(cells["cell"].to_pylist())
    chances = [0.5 if cell == top else 0.0 for cell in cells["cell"].to_pylist()]
    table = pa.table({"bin": cells["bin"], "cell": cells["cell"].cast(pa.int32()), "chance": chances})
    return gate.Estimated(400, 0.2, 0.125, 0.4, table)


def test_style_counts_by_the_lower_limit_and_what_is_decided_exactly(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    rows = [
        observations("s", "h1", "h2", "h3", **HUMAN),
        observations("s", "style", **STYLED),
        observations("s", "marked", evidence=[MARKER], **STYLED),
        observations("s", "unscored"),
    ]
    fill(store, pa.concat_tables(rows))
    lineage.add_dataset(store, "d", scans=["s"])
    strict = under(max_synthetic_share=0.24)
    by_tags = lineage.check(store, "d", None, strict)
    assert by_tags.figures["synthetic_share"] == by_tags.figures["tagged_synthetic_share"] == pytest.approx(2 / 6)
    estimated = lineage.check(store, "d", None, strict, estimator=half)
    assert estimated.figures["synthetic_share"] == pytest.approx(1.5 / 6)
    assert estimated.figures["decided_synthetic_share"] == pytest.approx(1 / 6)
    assert (estimated.figures["style_share_low"], estimated.figures["style_share_high"]) == (0.125, 0.4)
    assert "is 25.0% (33.3% by tags), the most allowed is 24.0%" in str(estimated.violations[0])
    counting = under(max_synthetic_share=0.24, estimate="false")
    assert lineage.check(store, "d", None, counting, estimator=half).figures == by_tags.figures


def test_depth_verification_and_self_grading_have_limits(world: Store) -> None:
    lineage.add_dataset(world, "older", derived_from=["gx"])
    lineage.add_run(world, trains="m1", on=["older"], name="first")
    assert limits(lineage.check(world, "d", None, under(max_depth=1))) == ["depth"]
    assert limits(lineage.check(world, "d", None, under(max_depth=2))) == []
    careful = under(max_unverified_share=0.3, max_self_graded_share=0.3)
    assert limits(lineage.check(world, "d", None, careful)) == ["unverified"]
    lineage.add_evaluation(world, "by a stranger", of="g1", grader="x", relation="verified_by")
    assert limits(lineage.check(world, "d", None, careful)) == []
    lineage.add_evaluation(world, "by its successor", of="g1", grader="m2", relation="verified_by")
    result = lineage.check(world, "d", None, careful)
    assert limits(result) == ["unverified", "self-graded"]
    assert result.figures["self_graded_share"] == pytest.approx(1 / 3)


def test_licences_may_be_forbidden(
    store: Store, observations: Callable[..., pa.Table], fill: Callable[..., None]
) -> None:
    licences = ("CC-BY-4.0", "CC-BY-NC-4.0", None)
    rows = [
        observations("s", f"r{n}", rights={"licence": name, "opt_out": []}, **HUMAN) for n, name in enumerate(licences)
    ]
    fill(store, pa.concat_tables(rows))
    lineage.add_dataset(store, "d", scans=["s"])
    result = lineage.check(store, "d", None, under(forbidden_licences='["cc-by-nc*"]'))
    assert [str(v) for v in result.violations] == ["1 records have a licence that is not allowed (cc-by-nc*)"]


def test_the_records_concerned_are_listed_with_the_limits_that_they_count_towards(world: Store) -> None:
    default = policy.load("default")
    with gate.examine(world, "dataset:d", default, ["m2"]) as examined:
        result = gate.judge(world, examined, "m2")
        rows = examined.concerned(limits(result)).read_all().to_pylist()
        only_own = examined.concerned(["own"]).read_all().to_pylist()
    assert [(row["record_id"], row["violations"]) for row in rows] == [
        ("r1", ["own", "synthetic", "human", "unverified"]),
        ("r2", ["unknown", "human"]),
        ("r3", ["unknown", "human"]),
    ]
    assert rows[0] | {"violations": None} == {
        "record_id": "r1", "scan": "scan of s", "uri": "a.warc", "position": 0, "tag": "synthetic",
        "reason": "match:passage", "words": 100, "own_words": 40, "synthetic_words": 100.0, "violations": None,
    }  # fmt: skip
    assert [row["record_id"] for row in only_own] == ["r1"]


def test_as_of_judges_by_what_was_known_then(
    world: Store, match: Callable[..., dict[str, Any]], fill: Callable[..., None], observations: Callable[..., pa.Table]
) -> None:
    ((before,),) = world.sql("select max(recorded_at) from commits").fetchall()
    lineage.add_model(world, "m9", parent="m2")
    add_sets(world, ("late", "m2"))
    loops = under(loops="false")
    now = lineage.check(world, "d", "m9", loops)
    then = lineage.check(world, "d", "m9", loops, as_of=before)
    assert (limits(now), limits(then)) == (["own"], [])
    assert "not recorded" in then.remarks[0]
    assert then.as_of == before


COLUMNS = (
    "words",
    "own",
    "synthetic",
    "unknown",
    "human",
    "unverified",
    "self_graded",
    "deep",
    "reserved",
    "forbidden",
)


def judged(
    opened: gate.Examination, rows: list[dict[str, Any]], judged_by: policy.Policy
) -> tuple[gate.Examination, list[dict[str, Any]]]:
    """Put rows where the view `judged` would have them."""
    table = pa.Table.from_pylist(
        [
            {
                "record_id": f"{n:05}", "score": row["score"], "tag": row["tag"], "words": row["words"],
                "own_words": row["own"], "synthetic": row["synthetic"], "tagged": 0, "exact": row["synthetic"],
                "unknown": row["words"] if row["tag"] == "unknown" else 0,
                "human": row["words"] if row["tag"] == "human" else 0,
                "unverified": row["synthetic"], "self_graded": 0.0, "deep": False, "reserved": row["reserved"],
                "forbidden": False,
            }
            for n, row in enumerate(rows)
        ]
    )  # fmt: skip
    opened.connection.register("given", table)
    opened.connection.execute("create or replace temp view judged as from given")
    return replace(opened, policy=judged_by), table.to_pylist()


def kept_limits(rows: list[dict[str, Any]], weights: list[float], strict: policy.Policy) -> bool:
    """Whether weighted rows keep every limit, counted here by hand."""
    words = sum(w * row["words"] for row, w in zip(rows, weights, strict=True))

    def share(name: str) -> float:
        return sum(w * row[name] for row, w in zip(rows, weights, strict=True)) / words if words else 0.0

    bound = strict.settings
    reserved = sum(w for row, w in zip(rows, weights, strict=True) if row["reserved"]) / (sum(weights) or 1.0)
    return (
        share("own_words") <= bound["gate_max_own_share"] + 1e-6
        and share("synthetic") <= bound["gate_max_synthetic_share"] + 1e-6
        and share("unknown") <= bound["gate_max_unknown_share"] + 1e-6
        and share("human") >= bound["gate_min_human_share"] - 1e-6
        and reserved <= bound["gate_max_opt_out_share"] + 1e-6
    )


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "words": st.integers(1, 300),
            "own": st.just(0) | st.integers(0, 1),
            "tag": st.sampled_from(["human", "human", "unknown", "synthetic"]),
            "score": st.floats(0, 1, width=32),
            "synthetic": st.just(0),
            "reserved": st.booleans(),
        }
    ),
    min_size=1,
    max_size=25,
)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gate.Examination]:
    store = Store.create(tmp_path_factory.mktemp("gate") / "store")
    lineage.seal_dataset(store, "d", ["none"])
    with gate.examine(store, "dataset:d", policy.load("default"), []) as examined:
        yield examined


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_the_subset_passes_and_nothing_can_be_added_to_it(opened: gate.Examination, rows: list[dict[str, Any]]) -> None:
    strict = under(
        loops="false", max_synthetic_share=0.2, max_unknown_share=0.4, min_human_share=0.5, max_opt_out_share=0.6
    )
    rows = [row | {"synthetic": row["words"] if row["tag"] == "synthetic" else 0} for row in rows]
    found, table = judged(opened, rows, strict)
    try:
        gate.choose(found, for_model=True)
    except GateError:
        assert not any(
            kept_limits(table, [float(n == m) for m in range(len(table))], strict) for n in range(len(table))
        )
        return
    kept = {record for (record,) in found.connection.execute("select record_id from kept").fetchall()}
    inside = [row["record_id"] in kept for row in table]
    assert kept_limits(table, [float(i) for i in inside], strict)
    for place in (n for n, i in enumerate(inside) if not i):
        assert not kept_limits(table, [float(i or n == place) for n, i in enumerate(inside)], strict)
    gate.weigh(found, for_model=True)
    weights = dict(found.connection.execute("select record_id, weight from weighed").fetchall())
    assert all(0 <= weight <= 1 for weight in weights.values())
    assert any(weights.values())
    assert kept_limits(table, [weights[row["record_id"]] for row in table], strict)


def test_the_best_go_in_first(opened: gate.Examination) -> None:
    human = [{"words": 100, "own": 0, "tag": "human", "score": 0.1, "synthetic": 0, "reserved": False}] * 10
    unknown = [human[0] | {"tag": "unknown", "score": 0.1 * n} for n in range(1, 7)]
    synthetic = [human[0] | {"tag": "synthetic", "synthetic": 100, "score": 0.9}] * 2
    own = [human[0] | {"own": 20}]
    rows = [*synthetic, *own, *unknown, *human]
    random.Random(1).shuffle(rows)
    strict = under(loops="false", max_synthetic_share=0.1, max_unknown_share=0.2)
    found, table = judged(opened, rows, strict)
    assert gate.choose(found, for_model=True) == 13
    kept = {record for (record,) in found.connection.execute("select record_id from kept").fetchall()}
    left = sorted((row["tag"], row["score"], row["own_words"]) for row in table if row["record_id"] not in kept)
    assert left == [
        ("human", 0.1, 20), ("synthetic", 0.9, 0), *(("unknown", pytest.approx(0.1 * n), 0) for n in (3, 4, 5, 6)),
    ]  # fmt: skip


def test_nothing_that_passes_is_said_with_the_reason(world: Store) -> None:
    with gate.examine(world, "dataset:d", policy.load("default"), ["m2"]) as examined:
        for choose in (gate.choose, gate.weigh):
            with pytest.raises(GateError, match="no record is human"):
                choose(examined, for_model=True)


def test_stricter_gates_are_stricter() -> None:
    strict, default, lenient = (policy.load(name).settings for name in ("strict", "default", "lenient"))
    for looser, tighter in itertools.pairwise((lenient, default, strict)):
        for name in ("own", "synthetic", "unknown", "unverified", "self_graded", "opt_out"):
            assert tighter[f"gate_max_{name}_share"] <= looser[f"gate_max_{name}_share"]
        assert tighter["gate_max_depth"] < looser["gate_max_depth"]
        assert tighter["gate_min_human_share"] > looser["gate_min_human_share"]
    assert not any(settings["gate_loops"] for settings in (strict, default, lenient))
