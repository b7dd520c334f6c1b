"""The graph of sources, scans, datasets, runs, models and generations, and what it forbids."""

from __future__ import annotations

from provenance.lineage.cycles import refuse_cycles
from provenance.lineage.datasets import add_dataset, seal_dataset
from provenance.lineage.depth import Candidate, Depth, Exposure, can_have_written, exposure, generation_depth
from provenance.lineage.gate import CheckResult, Violation, check
from provenance.lineage.graph import (
    add_edge,
    add_evaluation,
    add_generation_run,
    add_generation_set,
    add_generations,
    add_model,
    add_run,
)
from provenance.lineage.loops import Loop, SelfGrading, feedback_loops, loops_for, self_grading
from provenance.lineage.names import dataset_id, model_id, resolve, run_id
from provenance.lineage.trace import trace

__all__ = [
    "Candidate",
    "CheckResult",
    "Depth",
    "Exposure",
    "Loop",
    "SelfGrading",
    "Violation",
    "add_dataset",
    "add_edge",
    "add_evaluation",
    "add_generation_run",
    "add_generation_set",
    "add_generations",
    "add_model",
    "add_run",
    "can_have_written",
    "check",
    "dataset_id",
    "exposure",
    "feedback_loops",
    "generation_depth",
    "loops_for",
    "model_id",
    "refuse_cycles",
    "resolve",
    "run_id",
    "seal_dataset",
    "self_grading",
    "trace",
]
