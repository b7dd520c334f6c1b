"""The verbs, as functions: what the command line and the public API call. Each is loaded when it is first asked for."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

_NAMES: Final = {
    "compaction": "CompactResult compact_index",
    "dedup": "dedup",
    "detect": "Detector",
    "estimate": "Estimate estimate",
    "exchange": "export_lineage import_lineage write_text",
    "explain": "Explanation explain",
    "filter": "filter",
    "forget": "ForgetResult absent finish_forgetting forget",
    "gate": "FixResult check fix",
    "hindsight": "diff impact",
    "register": "register unregister",
    "rematch": "rematch",
    "results": "DedupResult FilterResult RegisterResult RematchResult ScanResult",
    "scan": "scan",
    "variety": "Budget Diversity budget diversity",
    "verbs": "add_dataset add_edge add_evaluation add_generation_run add_generations add_model add_run depth exposure "
    "loops node_names retag self_grading standing_matches status trace verify",
}
"""By module."""

_HOMES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    verb = getattr(module, "filter_records" if name == "filter" else name)
    globals()[name] = verb
    return verb


class _Verbs(ModuleType):
    """A package that shows a verb, and not the module of the same name that Python binds when that is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Verbs
