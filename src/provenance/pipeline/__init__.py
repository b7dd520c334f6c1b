"""The verbs, as functions: what the command line and the public API call."""

from __future__ import annotations

from provenance.pipeline.detect import Detector
from provenance.pipeline.explain import Explanation, explain
from provenance.pipeline.filter import filter_records as filter
from provenance.pipeline.register import register, unregister
from provenance.pipeline.rematch import rematch
from provenance.pipeline.results import FilterResult, RegisterResult, RematchResult, ScanResult
from provenance.pipeline.scan import scan
from provenance.pipeline.verbs import (
    add_dataset,
    add_model,
    add_run,
    check,
    loops,
    node_names,
    retag,
    status,
    trace,
    verify,
)

__all__ = [
    "Detector",
    "Explanation",
    "FilterResult",
    "RegisterResult",
    "RematchResult",
    "ScanResult",
    "add_dataset",
    "add_model",
    "add_run",
    "check",
    "explain",
    "filter",
    "loops",
    "node_names",
    "register",
    "rematch",
    "retag",
    "scan",
    "status",
    "trace",
    "unregister",
    "verify",
]
