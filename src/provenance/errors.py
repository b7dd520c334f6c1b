"""Errors that users meet: each says what is wrong, where, and what to try next."""

from __future__ import annotations


class ProvenanceError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        cause: What is wrong, in one sentence.
        place: Where: a file, byte, row, column, table or option.
        next_step: What the user can do about it.
    """

    def __init__(self, cause: str, *, place: str = "", next_step: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.place = place
        self.next_step = next_step

    def __str__(self) -> str:
        parts = [self.cause.rstrip(".")]
        if self.place:
            parts[0] += f" ({self.place})"
        if self.next_step:
            parts.append(self.next_step.rstrip("."))
        if "\n" in parts[0]:  # as where a database shows the place in a query: nothing may stand beside that
            return "\n".join([parts[0], *(f"{part}." for part in parts[1:])])
        return ". ".join(parts) + "."


class UsageError(ProvenanceError):
    """The call itself is wrong: an unknown column, a contradictory option, a missing file."""


class SourceError(ProvenanceError):
    """A source can't be read at all (as opposed to one bad record, which is a reject)."""


class PolicyError(ProvenanceError):
    """A policy is malformed or has values out of range."""


class ModelError(ProvenanceError):
    """A style model file is damaged, of another version or not what its checksum says."""


class StoreError(ProvenanceError):
    """The store is missing, damaged, of another version or can't be written."""


class SegmentError(StoreError):
    """A segment of the reference index is damaged or of another normaliser version."""


class LineageError(ProvenanceError):
    """The graph would become inconsistent: an unknown node, a cycle among versions."""


class GateError(ProvenanceError):
    """The gate refuses a dataset, or finds no part of it that passes."""
