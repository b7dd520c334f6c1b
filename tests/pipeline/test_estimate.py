"""Shares of scans, from stored scores whose truth is known because the test drew them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provenance import pipeline
from provenance.classifier import StyleModel
from provenance.classifier.populations import populations
from provenance.errors import UsageError
from provenance.pipeline.estimate import Estimate
from provenance.store import Store

BINS = ("en:50-99", "en:100+")
MIDDLES = ((-3.4, 1.8), (-3.0, 2.2), (-2.6, 2.6), (-2.8, 3.0))
OLD = dt.datetime(2014, 5, 1, tzinfo=dt.UTC)
NEW = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
SEEN = dt.datetime(2025, 4, 1, tzinfo=dt.UTC)


def drawn(draw: np.random.Generator, synthetic: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    middles = np.array(MIDDLES)[draw.integers(0, len(MIDDLES), len(synthetic)), synthetic.astype(int)]
    return draw.normal(middles, 1.5)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in for a style model: what an estimate asks of one."""
    draw = np.random.default_rng(1)
    found: list[Any] = []
    for bin_ in BINS:
        for number, middles in enumerate(MIDDLES):
            values = draw.normal(np.repeat(middles, 1500), 1.5)
            names = [f"set{number}"] * 3000
            found += populations(bin_, values, np.arange(3000) >= 1500, names, names, np.arange(3000))
    bins = tuple(SimpleNamespace(name=name, language="en") for name in BINS)
    made = SimpleNamespace(
        version="style-test", languages=("en",), arrays=SimpleNamespace(bins=bins, populations=tuple(found))
    )
    monkeypatch.setattr(StyleModel, "load", lambda *_: made)
    return made


@pytest.fixture
def rows(observations: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
    """A maker of scored observations: one for each entry of ``synthetic``."""

    def make(scan: str, synthetic: np.ndarray[Any, Any], first: int = 0, seed: int = 2, **more: Any) -> pa.Table:
        draw = np.random.default_rng(seed)
        score = drawn(draw, synthetic)
        names = [f"{first + number:08d}" for number in range(len(synthetic))]
        table = observations(scan, *names, style_score=0.0, p_human=1.0, p_synthetic=1.0, **more)
        values = {
            "style_score": score,
            "p_human": np.where(score > 1.5, 0.001, 0.5),
            "p_synthetic": np.where(score < -3.0, 0.01, 0.5),
            "calibration_bin": [BINS[number] for number in draw.integers(0, 2, len(score))],
        }
        if "host" not in more:
            values["host"] = [f"h{number}.example" for number in draw.integers(0, 40, len(score))]
        for name, value in values.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), pa.array(value, table.schema.field(place).type))
        return table

    return make


def ask(store: Store, **more: Any) -> Estimate:
    return pipeline.estimate("scan of s", store=store.root, **more)


def shuffled(share: float, count: int = 3000) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).permutation(np.arange(count) < share * count)


def test_the_share_of_a_scan_is_found(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(store, rows("s", shuffled(0.3), captured_at=NEW))
    found = ask(store)
    assert found.resampled == "host"
    assert found.total.synthetic is not None
    assert abs(found.total.synthetic.share - 0.3) < 0.02
    assert found.total.synthetic.low < 0.3 < found.total.synthetic.high
    assert found.total.synthetic_words is not None
    assert abs(found.total.synthetic_words.share - 0.3) < 0.02
    assert found.total.scored == found.total.records == 3000


def test_what_is_decided_counts_as_it_is(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    """A thousand dated records are human whatever their style; a thousand declared ones synthetic."""
    synthetic = shuffled(0.2, 1000)
    declared = [{"kind": "declared", "name": "x", "detail": "x", "weight": 9.0, "measured": False, "decides": True}]
    fill(
        store,
        pa.concat_tables(
            [
                rows("s", np.ones(1000, bool), captured_at=OLD),
                rows("s", np.zeros(1000, bool), first=1000, captured_at=NEW, evidence=declared),
                rows("s", synthetic, first=2000, captured_at=NEW),
            ]
        ),
    )
    total = ask(store).total
    assert total.decided == {"human": 1000, "synthetic": 1000}
    assert total.scored == 1000
    assert total.synthetic is not None
    assert abs(total.synthetic.share - (1000 + 200) / 3000) < 0.02


def test_what_has_no_score_is_named_and_in_no_share(
    store: Store, fill: Any, rows: Any, observations: Any, model: SimpleNamespace
) -> None:
    short = observations("s", *(f"x{n}" for n in range(500)), words=12, captured_at=NEW)
    foreign = observations("s", *(f"y{n}" for n in range(200)), language="fi", captured_at=NEW)
    fill(store, pa.concat_tables([rows("s", shuffled(0.5, 1000), captured_at=NEW), short, foreign]))
    total = ask(store).total
    assert total.not_estimated == {"too-short": 500, "language-not-calibrated": 200}
    assert total.records == 1700
    assert total.synthetic is not None
    assert abs(total.synthetic.share - 0.5) < 0.03


def test_a_scan_without_scores_has_no_share(store: Store, fill: Any, observations: Any, model: SimpleNamespace) -> None:
    fill(store, observations("s", "a", "b", words=12, captured_at=NEW))
    total = ask(store).total
    assert (total.synthetic, total.right, total.scored) == (None, None, 0)


def test_months_have_their_own_shares(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(
        store,
        pa.concat_tables(
            [
                rows("s", shuffled(0.05, 1500), captured_at=NEW),
                rows("s", shuffled(0.6, 1500), first=1500, captured_at=SEEN),
                rows("s", shuffled(0.0, 20), first=3000, captured_at=None, date_origin=None),
            ]
        ),
    )
    found = {pile.name: pile for pile in ask(store, by="month").piles}
    assert set(found) == {"2025-03", "2025-04", "(no trusted date)"}
    assert found["2025-03"].synthetic is not None
    assert found["2025-04"].synthetic is not None
    assert abs(found["2025-03"].synthetic.share - 0.05) < 0.03
    assert abs(found["2025-04"].synthetic.share - 0.6) < 0.05
    assert found["(no trusted date)"].not_estimated == {"too-few-texts": 20}


def test_hosts_rank_by_what_is_sure(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    """A large host that is half synthetic outranks a clean one, and one of few texts is not ranked at all."""
    fill(
        store,
        pa.concat_tables(
            [
                rows("s", shuffled(0.0, 400), host="clean.example", captured_at=NEW),
                rows("s", shuffled(0.9, 400), first=400, host="full.example", captured_at=NEW, seed=5),
                rows("s", shuffled(0.5, 400), first=800, host="half.example", captured_at=NEW, seed=6),
                rows("s", shuffled(1.0, 10), first=1200, host="tiny.example", captured_at=NEW, seed=7),
            ]
        ),
    )
    found = ask(store, by="host", top=2)
    assert [pile.name for pile in found.piles] == ["full.example", "half.example"]
    assert found.left_out == 2
    lows = [pile.synthetic.low for pile in found.piles if pile.synthetic]
    assert lows == sorted(lows, reverse=True)
    assert lows[1] > 0.1


def test_tags_are_right_as_often_as_said(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    synthetic = shuffled(0.05, 4000)
    table = rows("s", synthetic, captured_at=NEW)
    fill(store, table)
    tagged = table["p_human"].to_numpy() < 0.005
    truth = synthetic[tagged].mean()
    total = ask(store).total
    assert total.tagged == tagged.sum()
    assert total.right is not None
    assert total.right.low <= truth <= total.right.high
    assert abs(total.right.share - truth) < 0.08


def test_scores_of_another_model_are_refused(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(store, rows("s", shuffled(0.1, 100), captured_at=NEW))
    with store.commit("finished") as commit:
        commit.insert(
            "scans", [{"scan_id": "s", "name": "scan of s", "state": "finished", "versions": {"style": "old"}}]
        )
    with pytest.raises(UsageError, match="old"):
        ask(store)


def test_a_model_without_histograms_can_not_estimate(
    store: Store, fill: Any, rows: Any, model: SimpleNamespace
) -> None:
    fill(store, rows("s", shuffled(0.1, 100), captured_at=NEW))
    model.arrays.populations = ()
    with pytest.raises(UsageError, match="histograms"):
        ask(store)


def test_an_unknown_grouping_is_refused(store: Store, model: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="planet"):
        ask(store, by="planet")


def test_a_dataset_has_a_share(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(store, rows("s", shuffled(0.4, 1000), captured_at=NEW))
    pipeline.add_dataset("d", scans=["scan of s"], store=store.root)
    found = pipeline.estimate("d", store=store.root)
    assert found.of == "d"
    assert found.total.synthetic is not None
    assert abs(found.total.synthetic.share - 0.4) < 0.04


def test_the_same_store_gives_the_same_numbers(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(store, rows("s", shuffled(0.2, 1000), captured_at=NEW))
    assert ask(store, by="language").as_dict() == ask(store, by="language").as_dict()


def drifts(store: Store) -> list[dict[str, Any]]:
    return list(pipeline.status(store=store.root)["drift"])


def test_status_is_silent_without_enough_dated_text(store: Store, fill: Any, rows: Any, model: SimpleNamespace) -> None:
    fill(store, rows("s", np.ones(150, bool), captured_at=OLD))
    assert drifts(store) == []


def test_human_text_that_reads_as_human_raises_no_alarm(
    store: Store, fill: Any, rows: Any, model: SimpleNamespace
) -> None:
    table = rows("s", np.zeros(2000, bool), captured_at=OLD)
    place = table.schema.get_field_index("p_human")
    values = np.where(np.arange(2000) < 8, 0.001, 0.5)
    fill(store, table.set_column(place, table.schema.field(place), pa.array(values)))
    (found,) = drifts(store)
    assert (found["texts"], found["tagged"], found["alarm"]) == (2000, 8, False)
    assert found["estimated"] < 0.005


def test_human_text_that_reads_as_synthetic_raises_the_alarm(
    store: Store, fill: Any, rows: Any, model: SimpleNamespace
) -> None:
    fill(store, rows("s", shuffled(0.05, 2000), captured_at=OLD))
    (found,) = drifts(store)
    assert found["alarm"]
    assert found["tagged"] > 50
    assert 0.03 < found["estimated"] < 0.07
    assert "DRIFT" in found["sentence"]


@pytest.mark.parametrize(
    ("tagged", "texts", "rate"), [(0, 300, 0.005), (3, 300, 0.005), (9, 900, 0.01), (40, 900, 0.01)]
)
def test_the_chance_of_so_many_errors_is_exact(store: Store, tagged: int, texts: int, rate: float) -> None:
    binom = pytest.importorskip("scipy.stats").binom
    query = "select chance_of_at_least(?, ?, ?)"
    with store.read() as connection:
        (found,) = connection.execute(query, [tagged, texts, rate]).fetchall()[0]
    assert found == pytest.approx(float(binom.sf(tagged - 1, texts, rate)), abs=1e-9)
