"""Matched: how a verified finding against the references is weighed and worded."""

from __future__ import annotations

from typing import Final

WEIGHT: Final = 9.0
"""Log likelihood ratio of a record wholly covered by a synthetic reference; assumed: one false match in about
eight thousand."""

NAME_COPY: Final = "copy"
NAME_PASSAGE: Final = "passage"
NAME_HUMAN: Final = "human-reference"
DETAIL: Final = "{percent} % of the words are in {set_id}{model}, {tier}"


def weight(share: float, *, human: bool = False) -> float:
    """Weight of a match that covers ``share`` (0 to 1) of the record: proportional, negative for a human reference."""
    covered = min(max(share, 0.0), 1.0)
    return -WEIGHT * covered if human else WEIGHT * covered
