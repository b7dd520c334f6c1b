"""What a command says of the tags that it changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from provenance.cli import output

if TYPE_CHECKING:
    from provenance.pipeline.changes import Change


def changes_as_json(changes: Sequence[Change]) -> list[dict[str, object]]:
    """Return entries as JSON-ready values."""
    return [dict(vars(change)) for change in changes]


def print_changes(changes: Sequence[Change]) -> None:
    """Print a line for each scan, dataset, run and model, such as ``dataset news: 40 records human -> synthetic``."""
    for (kind, name), group in groupby(changes, key=lambda change: (change.subject_kind, change.name)):
        turned = "; ".join(
            f"{change.records:,} {'record' if change.records == 1 else 'records'} "
            f"{change.tag_before} -> {change.tag_after}"
            for change in group
        )
        trained = " it was trained on" if kind in ("run", "model") else ""
        output.emit(f"{kind} {output.safe(name)}:{trained} {turned}")
