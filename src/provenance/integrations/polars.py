"""The Polars namespace: ``df.provenance.tag("text")`` on data frames and lazy frames."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from provenance.pipeline import Detector

ADDED = pl.Schema({"tag": pl.String, "reason": pl.String, "score": pl.Float64})
"""Columns that `tag` adds."""


@lru_cache(maxsize=4)
def _detector(policy: str, store: str | None) -> Detector:
    from provenance.pipeline import Detector

    return Detector(policy, store)


def _tag(
    frame: pl.DataFrame, text: str, captured_at: str | None, url: str | None, policy: str, store: str | None
) -> pl.DataFrame:
    tagged = _detector(policy, store).tag(
        frame.get_column(text).cast(pl.String).to_arrow(),
        captured_at=frame.get_column(captured_at).to_list() if captured_at else None,
        url=frame.get_column(url).to_list() if url else None,
    )
    added = pl.DataFrame({name: tagged.column(name).to_pylist() for name in ADDED}, schema=ADDED)
    return frame.with_columns(added.get_columns())


@pl.api.register_dataframe_namespace("provenance")
class FrameNamespace:
    """Tags for the rows of a data frame."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def tag(
        self,
        text: str,
        *,
        captured_at: str | None = None,
        url: str | None = None,
        policy: str = "default",
        store: str | None = None,
    ) -> pl.DataFrame:
        """Add the columns ``tag``, ``reason`` and ``score``.

        Args:
            text: Column of the texts.
            captured_at: Column of the capture times.
            url: Column of the URLs.
            policy: A named policy or a TOML file.
            store: Folder of a store whose reference sets are matched.
        """
        return _tag(self._frame, text, captured_at, url, policy, store)


@pl.api.register_lazyframe_namespace("provenance")
class LazyNamespace:
    """The same for a lazy frame."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def tag(
        self,
        text: str,
        *,
        captured_at: str | None = None,
        url: str | None = None,
        policy: str = "default",
        store: str | None = None,
    ) -> pl.LazyFrame:
        """Add the columns ``tag``, ``reason`` and ``score`` when the frame is collected; see `FrameNamespace.tag`."""
        schema = pl.Schema({**self._frame.collect_schema(), **ADDED})
        return self._frame.map_batches(
            lambda frame: _tag(frame, text, captured_at, url, policy, store),
            schema=schema,
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
        )
