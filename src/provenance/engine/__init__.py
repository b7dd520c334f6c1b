"""A generic executor of shards. It knows nothing of scanning: tasks go in, events come out."""

from __future__ import annotations

from provenance.engine.local import Crew, Done, Event, Failed, Watch, Yielded, run, serve
from provenance.engine.pulse import Phase, beat

__all__ = ["Crew", "Done", "Event", "Failed", "Phase", "Watch", "Yielded", "beat", "run", "serve"]
