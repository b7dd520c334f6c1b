"""A generic executor of shards. It knows nothing of scanning: tasks go in, events come out."""

from __future__ import annotations

from provenance.engine.local import Done, Event, Failed, Watch, Yielded, run, serve
from provenance.engine.pulse import Phase, beat

__all__ = ["Done", "Event", "Failed", "Phase", "Watch", "Yielded", "beat", "run", "serve"]
