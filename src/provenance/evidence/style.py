"""Style: how the classifier's calibrated log-odds enter the evidence."""

from __future__ import annotations

from typing import Final

WEIGHT_CAP: Final = 6.0
"""No style weighs more, either way: beyond it the calibration sets hold too few documents to tell."""

NAME: Final = "classifier"
DETAIL: Final = "style score {score:+.1f} in {calibration_bin}: p_human {p_human:.4f}, p_synthetic {p_synthetic:.4f}"


def weight(style_score: float) -> float:
    """Weight of a style score: the score itself, capped. Measured on the model's calibration set."""
    return min(max(style_score, -WEIGHT_CAP), WEIGHT_CAP)
