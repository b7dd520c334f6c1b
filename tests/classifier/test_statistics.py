from __future__ import annotations

import math

import pytest

from provenance.classifier.statistics import incomplete_beta, student_quantile, upper_bound


def binomial_at_most(successes: int, trials: int, chance: float) -> float:
    return sum(math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(successes + 1))


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (1, 30), (7, 50), (49, 50), (3, 900)])
def test_upper_bound_leaves_five_per_cent_of_the_binomial_below(successes: int, trials: int) -> None:
    assert binomial_at_most(successes, trials, upper_bound(successes, trials)) == pytest.approx(0.05, abs=1e-9)


def test_upper_bound_at_the_edges() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(5, 5) == 1.0
    assert upper_bound(0, 598) < 0.005 < upper_bound(0, 590)


def test_upper_bound_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for successes, trials in [(0, 600), (2.5, 800), (31, 4000), (0.2, 12)]:
        assert upper_bound(successes, trials) == pytest.approx(
            stats.beta.ppf(0.95, successes + 1, trials - successes), rel=1e-8
        )


def test_student_quantiles_of_the_printed_tables() -> None:
    assert student_quantile(1) == pytest.approx(6.313752, abs=1e-5)
    assert student_quantile(5) == pytest.approx(2.015048, abs=1e-5)
    assert student_quantile(30) == pytest.approx(1.697261, abs=1e-5)


def test_incomplete_beta_is_symmetric() -> None:
    assert incomplete_beta(0.3, 2.0, 5.5) == pytest.approx(1 - incomplete_beta(0.7, 5.5, 2.0), abs=1e-12)
