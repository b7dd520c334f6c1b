"""The pulse of a worker: what it is at, said so cheaply that it can be said for every record.

A function that the engine runs calls `beat` when it begins with a unit of its work. In a worker process that
writes to memory the parent reads: a worker that stands still for too long, or dies, has left the name of the unit
that did it there. In the parent's own process it is noted for the same purpose.
"""

from __future__ import annotations

import enum
from ctypes import Array, c_int64
from typing import Final, NamedTuple

_Memory = Array[c_int64]


class Phase(enum.IntEnum):
    """What kind of work a worker is at."""

    WAITING = 0
    """For a task, or for the parent to take what it yielded. That takes as long as it takes."""
    BETWEEN = 1
    """At work, on no unit in particular."""
    UNIT = 2
    """At one unit, named by a place."""
    BATCH = 3
    """At several units at once, the first of which is named."""


class Beat(NamedTuple):
    """One reading of a pulse: the number of the beat, the phase, and the place of the unit."""

    number: int
    phase: Phase
    place: int


NO_BEAT: Final = Beat(-1, Phase.BETWEEN, 0)
"""What is known of a process that never began."""


def new_memory() -> _Memory:
    """Memory for a pulse in this process."""
    return (c_int64 * 3)()


_memory: _Memory = new_memory()


def share(memory: _Memory) -> None:
    """Let `beat` write to this memory from now on."""
    global _memory
    _memory = memory


def beat(place: int = 0, phase: Phase = Phase.UNIT) -> None:
    """Say what this process is at. A place is any number that the tasks' author understands."""
    _memory[2] = place
    _memory[1] = phase
    _memory[0] += 1


def read(memory: _Memory | None = None) -> Beat:
    """Read a pulse; this process's own if no memory is given."""
    number, phase, place = (memory or _memory)[:]
    return Beat(number, Phase(phase), place)
