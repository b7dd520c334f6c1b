"""Exact binomial bounds without SciPy: the incomplete beta function and quantiles by bisection."""

from __future__ import annotations

import math

_TINY = 1e-300


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Lentz's evaluation of the continued fraction of the incomplete beta function (DLMF 8.17.22)."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    value = d
    for step in range(1, 2000):
        for coefficient in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1.0 + coefficient * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + coefficient / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return value


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function: the chance that a Beta(a, b) variable is at most ``x``."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1.0 - x, b, a) / b


def upper_bound(successes: float, trials: float, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson upper bound of a proportion.

    Args:
        successes: Observed count; a fraction is allowed where rows stand for fewer documents.
        trials: Number of documents.
        confidence: Of the bound.

    Returns:
        The proportion under which so few successes have a chance of ``1 - confidence``; 1 without trials.
    """
    if trials <= 0 or successes >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if incomplete_beta(middle, successes + 1.0, trials - successes) < confidence:
            low = middle
        else:
            high = middle
    return high


def student_quantile(degrees: int, confidence: float = 0.95) -> float:
    """Quantile of Student's t distribution for a confidence above one half."""
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = 0.5 * (low + high)
        tail = 0.5 * incomplete_beta(degrees / (degrees + middle * middle), degrees / 2.0, 0.5)
        if 1.0 - tail < confidence:
            low = middle
        else:
            high = middle
    return high
