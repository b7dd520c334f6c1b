"""Feedback loops: which datasets hold text that the models they train, or relatives of those, generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provenance.lineage.graph import model_id, resolve

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True)
class Loop:
    """One (model, dataset) pair.

    Attributes:
        model: Node id of the model that the dataset trains, or would train.
        dataset: Node id of the dataset.
        witness: Node ids of a shortest closed path from the model to itself: run, dataset, generation set, the
            model that generated it, and on to the model.
        relatives: Models whose text the dataset holds: the model itself, its ancestors and descendants.
        records: Member records that hold such text; 0 where only the dataset's making is known.
        words: Words of them in verified passages.
        share: ``words`` over the words of the dataset.
        record_share: ``records`` over the records of the dataset.
    """

    model: str
    dataset: str
    witness: tuple[str, ...]
    relatives: tuple[str, ...]
    records: int
    words: int
    share: float | None
    record_share: float | None


def feedback_loops(store: Store) -> list[Loop]:
    """Return every loop that recorded training runs close."""
    return [_loop(row) for row in store.sql("from feedback_loops").fetchall()]


def loops_for(store: Store, dataset: str, model: str, successor_of: str | None = None) -> list[Loop]:
    """Return the loop that training a model on a dataset would close, or nothing.

    Args:
        store: The store.
        dataset: Name or id.
        model: The model to be trained. It need not be recorded.
        successor_of: A recorded model that it comes from; needed only for one that is not recorded.

    Raises:
        LineageError: If the dataset is unknown.
    """
    node, target = resolve(store, dataset, ("dataset",)), model_id(model)
    query = (
        "select model, dataset_id, list_concat([model], tail), relatives, loop.records, loop.words, "
        "case when sealed.words > 0 then loop.words / sealed.words end, "
        "case when sealed.records > 0 then loop.records / sealed.records end "
        "from possible_loops as loop join datasets as sealed using (dataset_id) where dataset_id = $1 and model = $2"
    )
    found = store.sql(query, [node, target]).fetchall()
    if not found and successor_of is not None:
        kin = resolve(store, successor_of, ("model",))
        found = [
            (target, row[1], [target, *row[2][1:], target], row[3], *row[4:])
            for row in store.sql(query, [node, kin]).fetchall()
        ]
    return [_loop(row) for row in found]


def _loop(row: tuple[Any, ...]) -> Loop:
    model, dataset, witness, relatives, records, words, share, record_share = row
    return Loop(model, dataset, tuple(witness), tuple(relatives), records, words, share, record_share)
