"""Tell which records of a web crawl a person wrote and which a language model wrote, and keep the lineage.

>>> import provenance as pv
>>> result = pv.scan("crawl/", store="provenance-store")            # doctest: +SKIP
>>> pv.Store("provenance-store").sql("select tag, count(*) from records group by 1")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenance import fingerprint
    from provenance.pipeline.dedup import dedup
    from provenance.pipeline.detect import Detector
    from provenance.pipeline.estimate import estimate
    from provenance.pipeline.explain import explain
    from provenance.pipeline.filter import filter_records as filter
    from provenance.pipeline.gate import check, fix
    from provenance.pipeline.register import register, unregister
    from provenance.pipeline.rematch import rematch
    from provenance.pipeline.scan import scan
    from provenance.pipeline.verbs import retag
    from provenance.store import Store

_HOMES = {
    **dict.fromkeys(
        (
            *("Detector", "check", "dedup", "estimate", "explain", "filter", "fix", "register", "rematch", "retag"),
            *("scan", "unregister"),
        ),
        "provenance.pipeline",
    ),
    "Store": "provenance.store",
}

__all__ = [
    "Detector",
    "Store",
    "check",
    "dedup",
    "estimate",
    "explain",
    "filter",
    "fingerprint",
    "fix",
    "register",
    "rematch",
    "retag",
    "scan",
    "unregister",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for, so that `import provenance` costs next to nothing."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "fingerprint":
        return importlib.import_module("provenance.fingerprint")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names."""
    return __all__


def _watch_for_polars() -> None:
    from provenance.integrations.watch import watch

    watch()


_watch_for_polars()
