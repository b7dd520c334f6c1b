"""The verbs, as functions: what the command line and the public API call."""

from __future__ import annotations

from provenance.pipeline.compaction import CompactResult, compact_index
from provenance.pipeline.dedup import dedup
from provenance.pipeline.detect import Detector
from provenance.pipeline.estimate import Estimate, estimate
from provenance.pipeline.exchange import export_lineage, import_lineage, write_text
from provenance.pipeline.explain import Explanation, explain
from provenance.pipeline.filter import filter_records as filter
from provenance.pipeline.forget import ForgetResult, absent, finish_forgetting, forget
from provenance.pipeline.gate import FixResult, check, fix
from provenance.pipeline.hindsight import diff, impact
from provenance.pipeline.register import register, unregister
from provenance.pipeline.rematch import rematch
from provenance.pipeline.results import DedupResult, FilterResult, RegisterResult, RematchResult, ScanResult
from provenance.pipeline.scan import scan
from provenance.pipeline.variety import Budget, Diversity, budget, diversity
from provenance.pipeline.verbs import (
    add_dataset,
    add_edge,
    add_evaluation,
    add_generation_run,
    add_generations,
    add_model,
    add_run,
    depth,
    exposure,
    loops,
    node_names,
    retag,
    self_grading,
    standing_matches,
    status,
    trace,
    verify,
)

__all__ = [
    "Budget",
    "CompactResult",
    "DedupResult",
    "Detector",
    "Diversity",
    "Estimate",
    "Explanation",
    "FilterResult",
    "FixResult",
    "ForgetResult",
    "RegisterResult",
    "RematchResult",
    "ScanResult",
    "absent",
    "add_dataset",
    "add_edge",
    "add_evaluation",
    "add_generation_run",
    "add_generations",
    "add_model",
    "add_run",
    "budget",
    "check",
    "compact_index",
    "dedup",
    "depth",
    "diff",
    "diversity",
    "estimate",
    "explain",
    "export_lineage",
    "exposure",
    "filter",
    "finish_forgetting",
    "fix",
    "forget",
    "impact",
    "import_lineage",
    "loops",
    "node_names",
    "register",
    "rematch",
    "retag",
    "scan",
    "self_grading",
    "standing_matches",
    "status",
    "trace",
    "unregister",
    "verify",
    "write_text",
]
