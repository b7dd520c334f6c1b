"""Generation depth, exposure, and who can have written a record: what the graph says about what text goes back to."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from provenance.errors import LineageError
from provenance.lineage.moment import ask
from provenance.lineage.names import resolve_kind
from provenance.store import definitions

if TYPE_CHECKING:
    from provenance.store import Store

_DEEP: Final = ("dataset", "model", "generation_set", "human_set")


@dataclass(frozen=True)
class Depth:
    """How many models text has passed through.

    Attributes:
        id: Node id, or record id.
        kind: Node kind, or ``record``.
        max_depth: The greatest; None where any of the text's depth is unknown.
        mean_depth: Mean over its words; None likewise.
        at_least: What is certain of the greatest.
        known_share: Share of words whose depth is known; None where the number of words is not.
        known_mean: Mean over those.
    """

    id: str
    kind: str
    max_depth: int | None
    mean_depth: float | None
    at_least: int
    known_share: float | None
    known_mean: float | None


@dataclass(frozen=True)
class Exposure:
    """A part of what a model was trained on.

    Attributes:
        origin: ``self``, ``relative``, ``other`` (a model that is no relative), ``unattributed`` (a model whose name is
            not known), ``unknown`` or ``human``.
        generation: Depth of that text; None where unknown.
        models: Who wrote it.
        words: Words; None where members are not known.
        share: Of all its training words; None where those are not known.
        verified_words: Those of them in verified passages of registered generations, or declared.
    """

    origin: str
    generation: int | None
    models: tuple[str, ...]
    words: int | None
    share: float | None
    verified_words: int


@dataclass(frozen=True)
class Candidate:
    """A model that can have written a record.

    Attributes:
        model: Its name.
        developer: Who made it.
        family: Its family.
        released: Day of its release; None for a recorded model of which nobody said it: it can't be ruled out.
        released_from: ``given`` or ``catalogue``.
        recorded: Whether the store has it, or only the catalogue of known models.
        trained_on_synthetic: Whether the catalogue says that it was trained on text of models; None where unknown.
        depth_at_least: Generation depth that a text of it has at least.
    """

    model: str
    developer: str | None
    family: str | None
    released: dt.date | None
    released_from: str | None
    recorded: bool
    trained_on_synthetic: bool | None
    depth_at_least: int


def generation_depth(store: Store, name: str | None = None, *, as_of: dt.datetime | None = None) -> list[Depth]:
    """Return the generation depth of a dataset, model, reference set or record; without a name of all but records.

    Args:
        store: The store.
        name: Name or id of a node, or a record id.
        as_of: The moment (UTC) whose graph is asked; now if left out.

    Raises:
        LineageError: If there is nothing of this name that has a depth.
    """
    if name is None:
        rows = ask(store, "from generation_depth where kind <> 'record' order by kind, id", as_of=as_of)
        return [Depth(*row) for row in rows]
    if ask(store, "select 1 from observations where record_id = $1 limit 1", [name]):
        wanted, kinds = name, ("record",)
    else:
        wanted, kind = resolve_kind(store, name, _DEEP)
        kinds = (kind,)
    rows = ask(store, "from generation_depth where id = $1 and kind = $2", [wanted, kinds[0]], as_of)
    if not rows:
        raise LineageError(
            f"Nothing is known of the depth of {name!r}" + (f" as of {as_of}" if as_of is not None else ""),
            next_step="`provenance lineage depth` lists what is known",
        )
    return [Depth(*row) for row in rows]


def exposure(store: Store, model: str, *, as_of: dt.datetime | None = None) -> list[Exposure]:
    """Return what the training text of a model consisted of, by origin and generation.

    Args:
        store: The store.
        model: Name or id of a recorded model.
        as_of: The moment (UTC) whose graph is asked; now if left out.

    Raises:
        LineageError: If the model is not recorded.
    """
    node, _ = resolve_kind(store, model, ("model",))
    query = "select origin, generation, models, words, share, verified_words from exposure($1)"
    if as_of is not None:
        query = f"select origin, generation, models, words, share, verified_words from ({definitions.body('exposure')})"  # noqa: S608
        query = query.replace("which", "$1::varchar")
    rows = ask(store, query, [node], as_of)
    return [Exposure(origin, depth, tuple(models or ()), *rest) for origin, depth, models, *rest in rows]


def can_have_written(store: Store, captured: dt.datetime | dt.date) -> list[Candidate]:
    """Return the models that were out when a record was captured, the newest first."""
    return [Candidate(*row) for row in ask(store, "from can_have_written($1)", [captured])]
