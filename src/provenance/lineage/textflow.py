"""The paths that text takes from models to datasets and on to models, in memory, to search a large graph."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from provenance.lineage.moment import ask_columns
from provenance.lineage.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterable

Pair = tuple[str, str]


class Path(NamedTuple):
    """A way of text, from what holds it to a model.

    Attributes:
        steps: Ids of its nodes.
        author: The first model of those that are related to the last one: who wrote the text.
        direct: Whether it passes through no other model's training.
    """

    steps: list[str]
    author: str
    direct: bool


_VERSIONS: Final = (
    "select distinct subject, object from lineage_edges "
    "where relation in ('successor_of', 'fine_tuned_from', 'distilled_from')"
)


@dataclass(frozen=True)
class TextFlow:
    """From each thing that holds text back to the models that wrote it, and from those to their relatives.

    Each model stands in the network three times: as what wrote a text, as a descendant of what wrote it, and as an
    ancestor. From the first place steps lead to the other two, and from these along the versions, downwards or upwards.
    So a model's text, or a relative's, is in a dataset if and only if the dataset leads to one of its two last places.

    Attributes:
        names: Ids of all nodes, sorted.
        models: Nodes that are models. They stand in the network a second time from ``len(names)`` on, as descendants,
            and a third time after that, as ancestors.
        every: All paths.
        direct: The paths that pass through no other model's training.
    """

    names: pa.Array
    models: NDArray[np.int32]
    every: Network
    direct: Network

    def reaches(self, pairs: Sequence[Pair], *, direct: bool = False) -> NDArray[np.bool_]:
        """Say for each (thing, model) whether text of the model or of a relative is in the thing.

        Args:
            pairs: Pairs of ids.
            direct: Only by a path through no other model's training.
        """
        things, models = self._places([thing for thing, _ in pairs]), self._kin([model for _, model in pairs])
        known = (things >= 0) & (models >= 0)
        answers = np.zeros(len(pairs), np.bool_)
        wanted = np.unique(models[known])
        ends = np.concatenate([wanted, wanted + len(self.models)]).astype(np.int32)
        answers[known] = (self.direct if direct else self.every).connected(
            things[known], models[known], ends, np.tile(wanted, 2)
        )
        return answers

    def paths(self, pairs: Sequence[Pair]) -> list[Path]:
        """Return one shortest path for each connected (thing, model)."""
        things, models = self._places([thing for thing, _ in pairs]), self._kin([model for _, model in pairs])
        offsets, nodes = self.every.paths(things, np.column_stack([models, models + np.int32(len(self.models))]))
        if not len(nodes):
            return []
        count = len(self.names)
        is_kin = nodes >= count
        named = np.where(is_kin, self.models[(nodes - count) % len(self.models)], nodes)
        is_model = np.isin(named, self.models)
        # The first of its later places repeats the model that wrote the text.
        again = np.flatnonzero(is_kin & ~np.concatenate([[False], is_kin[:-1]]))
        last = np.zeros(len(nodes), np.bool_)
        last[offsets[1:] - 1] = True
        trains = np.flatnonzero(is_model & ~last & ~np.concatenate([is_model[1:], [True]]))
        direct = np.ones(len(pairs), np.bool_)
        direct[np.searchsorted(offsets, trains, side="right") - 1] = False
        names = self.names.take(pa.array(np.delete(named, again), pa.int32())).to_pylist()
        authors = self.names.take(pa.array(named[again - 1], pa.int32())).to_pylist()
        begin = (offsets - np.arange(len(offsets))).tolist()
        steps = (names[first:end] for first, end in pairwise(begin))
        return [Path(*found) for found in zip(steps, authors, direct.tolist(), strict=True)]

    def _places(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the place of each name, -1 where it is not in the graph."""
        if not len(self.names) or not names:
            return np.full(len(names), -1, np.int32)
        found = pc.index_in(pa.array(names, pa.string()), self.names)
        return np.asarray(found.fill_null(-1), np.int32)

    def _kin(self, names: Sequence[str]) -> NDArray[np.int32]:
        """Return the place of each model among the descendants, -1 where it is no model of the graph."""
        place = self._places(names)
        found = np.searchsorted(self.models, place)
        known = (found < len(self.models)) & (place >= 0)
        known[known] = self.models[found[known]] == place[known]
        return np.where(known, len(self.names) + found, -1).astype(np.int32)


def load(connection: duckdb.DuckDBPyConnection, as_of: dt.datetime | None = None, more: Iterable[str] = ()) -> TextFlow:
    """Read the graph of a store.

    Args:
        connection: A snapshot.
        as_of: The moment to read it at; now if left out.
        more: Ids of nodes that may have no edge.
    """
    flow = ask_columns(connection, "select subject, object, trains from text_flow", as_of=as_of)
    versions = ask_columns(connection, _VERSIONS, as_of=as_of)
    columns = [table[name] for table in (flow, versions) for name in ("subject", "object")]
    chunks = [chunk.cast(pa.string()) for column in columns for chunk in column.chunks]
    coded = (
        pa.chunked_array([*chunks, pa.array(list(more), pa.string())], pa.string()).dictionary_encode().combine_chunks()
    )
    order = np.asarray(pc.sort_indices(coded.dictionary))
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    codes = rank[np.asarray(coded.indices)]
    ends = np.cumsum([len(column) for column in columns])
    subject, target, child, parent = np.split(codes[: ends[-1]], ends[:-1])
    names = coded.dictionary.take(pa.array(order))
    return _layered(names, subject, target, np.asarray(flow["trains"], np.bool_), child, parent)


def _layered(
    names: pa.Array,
    subject: NDArray[np.int32],
    target: NDArray[np.int32],
    trains: NDArray[np.bool_],
    child: NDArray[np.int32],
    parent: NDArray[np.int32],
) -> TextFlow:
    named = np.asarray(pc.starts_with(names, "model:"), np.bool_)
    models = np.union1d(np.flatnonzero(named), np.concatenate([child, parent])).astype(np.int32)
    down = len(names) + np.arange(len(models), dtype=np.int32)
    up = down + len(models)
    young, old = np.searchsorted(models, child), np.searchsorted(models, parent)
    kin_tails = np.concatenate([models, models, down[old], up[young]])
    kin_heads = np.concatenate([down, up, down[young], up[old]])
    places = len(names) + 2 * len(models)

    def network(kept: NDArray[np.bool_]) -> Network:
        return Network.of(places, np.concatenate([subject[kept], kin_tails]), np.concatenate([target[kept], kin_heads]))

    return TextFlow(names, models, network(np.ones(len(trains), np.bool_)), network(~trains))
