"""The gate: may this dataset train this model under this policy?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from provenance.lineage.graph import model_id, resolve
from provenance.lineage.loops import Loop, loops_for
from provenance.policy import Policy, settings_type_sql

if TYPE_CHECKING:
    from provenance.store import Store


@dataclass(frozen=True)
class CheckResult:
    """What the gate says.

    Attributes:
        allowed: Whether nothing is violated.
        dataset: Node id of the dataset.
        model: The model to be trained, as it was named, or None.
        policy: The policy's id.
        loops: Loops that the training would close.
        violations: One sentence for each limit that is passed, with the figure and the limit.
        remarks: What the reader should know that is no violation.
        figures: ``records``, ``words``, and shares: ``synthetic_share``, ``unknown_share``, ``human_share`` of words,
            ``opt_out_share`` of records.
    """

    allowed: bool
    dataset: str
    model: str | None
    policy: str
    loops: tuple[Loop, ...]
    violations: tuple[str, ...]
    figures: Mapping[str, float]
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**asdict(self), "figures": dict(self.figures)}


def check(
    store: Store, dataset: str, for_model: str | None, policy: Policy, successor_of: str | None = None
) -> CheckResult:
    """Say whether a dataset may train a model.

    Args:
        store: The store.
        dataset: Name or id of a dataset.
        for_model: The model to be trained. None checks the shares alone.
        policy: Its ``gate`` section has the limits; the tags are those it gives, whatever policy is current.
        successor_of: A recorded model that ``for_model`` comes from, if it is not recorded itself.

    Raises:
        LineageError: If there is no such dataset.
    """
    node = resolve(store, dataset, ("dataset",))
    loops = tuple(loops_for(store, node, for_model, successor_of)) if for_model is not None else ()
    figures = _figures(store, node, policy)
    limits = policy.settings
    violations = []
    if not limits["gate_loops"]:
        violations += [
            f"training {loop.model} on {loop.dataset} closes a loop: it holds text of {', '.join(loop.relatives)}"
            + (f" in {loop.records} records ({loop.words} words)" if loop.records else "")
            for loop in loops
        ]
    if figures["records"] == 0:
        violations.append("nothing is known of the records that the dataset holds")
    else:
        violations += [
            f"{what} is {figures[name]:.1%}, {bound} allowed is {limits[limit]:.1%}"
            for name, limit, what, bound, wrong in (
                ("synthetic_share", "gate_max_synthetic_share", "the synthetic share of its words", "the most", 1),
                ("unknown_share", "gate_max_unknown_share", "the unknown share of its words", "the most", 1),
                ("human_share", "gate_min_human_share", "the human share of its words", "the least", -1),
                ("opt_out_share", "gate_max_opt_out_share", "the share of records with rights reserved", "the most", 1),
            )
            if wrong * (figures[name] - limits[limit]) > 0
        ]
    remarks: tuple[str, ...] = ()
    if for_model is not None and successor_of is None and not _is_recorded(store, for_model):
        remarks = (
            f"the model {for_model!r} is not recorded: its ancestors are unknown, so only its own text was looked for "
            "(`provenance lineage add model` records it)",
        )
    return CheckResult(not violations, node, for_model, policy.policy_id, loops, tuple(violations), figures, remarks)


def _is_recorded(store: Store, model: str) -> bool:
    known = store.sql("select 1 from lineage_nodes where id = $1 and kind = 'model'", [model_id(model)])
    return bool(known.fetchall())


def _figures(store: Store, node: str, policy: Policy) -> dict[str, float]:
    query = resources.files(__package__).joinpath("gate.sql").read_text(encoding="utf-8")
    with store.read() as connection:
        connection.execute(f"create temp table gate_policy (settings {settings_type_sql()})")
        connection.execute(
            f"insert into gate_policy select $1::json::{settings_type_sql()}",
            [json.dumps(dict(policy.settings), default=str)],
        )
        found = connection.execute(query, [node])
        names = [column[0] for column in found.description]
        return dict(zip(names, found.fetchall()[0], strict=True))
