"""Priors by month, as the default policy has them."""

from __future__ import annotations

import datetime as dt
import tomllib
from importlib import resources

import pytest

from provenance.evidence import dated, matched, style


def test_the_default_policy_holds_the_same_steps() -> None:
    policy = tomllib.loads((resources.files("provenance") / "policies" / "default.toml").read_text())
    assert tuple((step["from"], step["share"]) for step in policy["prior"]) == dated.PRIOR_BY_MONTH
    assert policy["weights"] == {"dated": dated.WEIGHT, "matched": matched.WEIGHT, "style_cap": style.WEIGHT_CAP}


@pytest.mark.parametrize(
    ("day", "share"),
    [
        (dt.date(1969, 1, 1), 0.0001),
        (dt.date(2018, 12, 31), 0.0001),
        (dt.date(2022, 11, 30), 0.01),
        (dt.date(2022, 12, 1), 0.05),
        (dt.date(2030, 1, 1), 0.4),
        (None, 0.4),
    ],
)
def test_prior(day: dt.date | None, share: float) -> None:
    assert dated.prior(day) == share


def test_weights_are_bounded() -> None:
    assert matched.weight(2.0) == matched.WEIGHT == -matched.weight(1.0, human=True)
    assert style.weight(99) == style.WEIGHT_CAP == -style.weight(-99)
