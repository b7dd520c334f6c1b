"""The graph of sources, scans, datasets, runs, models and generations, and what it forbids."""

from __future__ import annotations

from provenance.lineage.gate import CheckResult, check
from provenance.lineage.graph import (
    add_dataset,
    add_generation_set,
    add_model,
    add_run,
    dataset_id,
    model_id,
    resolve,
    run_id,
    seal_dataset,
)
from provenance.lineage.loops import Loop, feedback_loops, loops_for
from provenance.lineage.trace import trace

__all__ = [
    "CheckResult",
    "Loop",
    "add_dataset",
    "add_generation_set",
    "add_model",
    "add_run",
    "check",
    "dataset_id",
    "feedback_loops",
    "loops_for",
    "model_id",
    "resolve",
    "run_id",
    "seal_dataset",
    "trace",
]
