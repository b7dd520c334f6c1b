"""The evidence that follows from other columns: its weights are bounded and a missing value weighs nothing."""

from __future__ import annotations

import json

import duckdb
import pytest

from provenance import evidence, policy


@pytest.fixture(scope="module")
def ask():
    connection = duckdb.connect()
    connection.execute(evidence.macros())
    settings = json.dumps(dict(policy.load().settings), default=str)
    connection.execute(f"create table policies as select $1::json::{policy.settings_type_sql()} as p", [settings])
    return lambda expression: connection.sql(f"select {expression} from policies").fetchall()[0][0]


@pytest.mark.parametrize(
    ("day", "share"),
    [
        ("1969-01-01", 0.0001),
        ("2018-12-31", 0.0001),
        ("2022-11-30", 0.01),
        ("2022-12-01", 0.05),
        ("2030-01-01", 0.4),
        (None, 0.4),
    ],
)
def test_the_prior_is_that_of_the_month_and_of_the_youngest_where_no_date_is_trusted(ask, day, share):
    assert ask(f"prior_share({f'timestamp {day!r}' if day else 'null'}, p)") == share


@pytest.mark.parametrize(
    ("origin", "recovered", "weight"),
    [("container", False, -9.0), ("column", False, -9.0), ("page", False, 0), ("container", True, 0), (None, False, 0)],
)
def test_an_early_date_weighs_only_where_the_policy_trusts_it(ask, origin, recovered, weight):
    origin = "null" if origin is None else f"'{origin}'"
    assert ask(f"dated_weight(timestamp '2010-05-05', {origin}, {recovered}, p)") == weight
    assert len(ask(f"dated_evidence(timestamp '2010-05-05', {origin}, {recovered}, p)")) == (weight != 0)


def test_a_match_weighs_fully_from_the_share_that_decides(ask):
    assert ask("matched_weight(0.25, null, p)") == ask("matched_weight(1, null, p)") == 9
    assert ask("matched_weight(0.125, null, p)") == pytest.approx(4.5)
    assert ask("matched_weight(null, 0.5, p)") == -9
    assert ask("matched_weight(null, null, p)") == 0


def test_style_is_capped_and_a_missing_score_weighs_nothing(ask):
    assert ask("style_weight(99, p)") == 6
    assert ask("style_weight(-99, p)") == -6
    assert ask("style_weight(1.5, p)") == 1.5
    assert ask("style_weight(null, p)") == 0
    assert ask("style_evidence(null, null, null, null, 'inconclusive', p)") == []
