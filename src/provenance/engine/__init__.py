"""A generic executor of shards. It knows nothing of scanning: tasks go in, events come out."""

from __future__ import annotations

from provenance.engine.local import Done, Event, Failed, Yielded, run

__all__ = ["Done", "Event", "Failed", "Yielded", "run"]
