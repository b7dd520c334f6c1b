"""Signs of model collapse: how varied texts are, and what of a baseline's variety they have lost."""

from __future__ import annotations

from provenance.diversity.compare import Comparison, Interval, compare
from provenance.diversity.measures import MEASURES, Texts, measure

__all__ = ["MEASURES", "Comparison", "Interval", "Texts", "compare", "measure"]
