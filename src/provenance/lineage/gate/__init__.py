"""The gate: may this dataset train this model under this policy, and what of it may if it may not?"""

from __future__ import annotations

from provenance.lineage.gate.check import CheckResult, Violation, check, judge, measured
from provenance.lineage.gate.choose import choose, weigh
from provenance.lineage.gate.members import Estimated, Estimator, Examination, estimate, examine, restrict

__all__ = [
    "CheckResult",
    "Estimated",
    "Estimator",
    "Examination",
    "Violation",
    "check",
    "choose",
    "estimate",
    "examine",
    "judge",
    "measured",
    "restrict",
    "weigh",
]
