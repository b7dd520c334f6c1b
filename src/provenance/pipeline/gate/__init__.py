"""The gate as verbs: check a dataset, and write what of it passes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Final

from provenance import policy as policies
from provenance.classifier import StyleModel
from provenance.errors import GateError, LineageError, StoreError
from provenance.lineage import CheckResult, gate, resolve, seal_dataset
from provenance.pipeline import catalogue, sinks
from provenance.pipeline.gate import files, then
from provenance.pipeline.gate.style import estimator
from provenance.policy import Policy
from provenance.store import Store

_TRIES: Final = 4


@dataclass(frozen=True)
class FixResult:
    """What of a dataset passes the gate.

    Attributes:
        path: The file: rows of the subset, or weights.
        kept: Records in the subset, or with a weight above zero.
        dropped: Members that are not.
        dataset: Node id of the subset, sealed; None for weights.
        dropped_list: The file beside that lists the dropped ones; None for weights.
        check: What the gate says of the subset; of the whole dataset, for weights.
    """

    path: str
    kept: int
    dropped: int
    dataset: str | None
    dropped_list: str | None
    check: CheckResult

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**asdict(self), "check": self.check.as_dict()}


def check(
    dataset: str,
    for_model: str | None = None,
    policy: str | Path = "default",
    *,
    as_of: dt.datetime | dt.date | None = None,
    records: str | Path | None = None,
    successor_of: str | None = None,
    store: str | Path = "provenance-store",
    style_model: str | Path | None = None,
) -> CheckResult:
    """The gate: may this dataset train this model under this policy?

    Args:
        dataset: Name or id of a dataset.
        for_model: The model to be trained; without it, only what the dataset holds is judged.
        policy: A named policy or a file. It is recorded, so that ``as_of`` can apply it later.
        as_of: Judge as the gate would have judged at this moment (UTC): by the tags, matches, graph and policy of then.
        records: A Parquet, JSONL or CSV file for the records that count towards violated limits.
        successor_of: A recorded model that ``for_model`` comes from, if it is not recorded itself.
        store: Folder of the store.
        style_model: The model file that the records were scored with, if it is not the one that ships.

    Returns:
        The answer; ``check(...).require()`` raises a `GateError` if it is no.

    Raises:
        LineageError: If the dataset is not recorded, or was not then.
        PolicyError: If the policy is malformed, or the store did not know it then.
        UsageError: If the moment is before the store's first commit or in the future, or the file for the records is a
            source of a scan.
    """
    target = None if records is None else Path(records)
    if target is not None:
        files.require_writable(target)
    opened = Store.open(store)
    if target is not None:
        catalogue.refuse_to_overwrite(opened, target)
    with _examined(opened, dataset, for_model, policy, as_of, successor_of, style_model) as (examined, result):
        if target is None or result.allowed:
            return result
        files.write_table(target, examined.concerned([violation.limit for violation in result.violations]))
        return replace(result, records=str(target))


def fix(
    dataset: str,
    for_model: str | None = None,
    policy: str | Path = "default",
    *,
    out: str | Path,
    fixed_name: str | None = None,
    weights: bool = False,
    successor_of: str | None = None,
    store: str | Path = "provenance-store",
    style_model: str | Path | None = None,
) -> FixResult:
    """Write a part of a dataset that passes the gate: as much as a greedy search finds, or weights to sample it by.

    Args:
        dataset: Name or id of a dataset.
        for_model: The model to be trained.
        policy: A named policy or a file.
        out: A Parquet or JSONL file for the rows, as `filter` writes them; of weights, a table (also ``.csv``).
        fixed_name: Name under which the subset is sealed; that of the dataset with ``-fixed`` if left out.
        weights: Write a weight from 0 to 1 for each record instead of a subset: sampled so, all limits are met.
        successor_of: A recorded model that ``for_model`` comes from, if it is not recorded itself.
        store: Folder of the store.
        style_model: The model file that the records were scored with, if it is not the one that ships.

    Raises:
        GateError: If no part that passes was found.
        LineageError: If the dataset is not recorded, or there is another one of the subset's name.
        UsageError: If a source is gone or has changed, or the output would overwrite one.
    """
    target = Path(out)
    if weights:
        files.require_writable(target)
    else:
        sinks.form_of(target)
    opened = Store.open(store)
    catalogue.refuse_to_overwrite(opened, target)
    with (
        opened.session(),
        _examined(opened, dataset, for_model, policy, None, successor_of, style_model) as (examined, result),
    ):
        connection = examined.connection
        if weights:
            gate.weigh(examined, for_model=for_model is not None)
            files.write_table(target, connection.sql(_sql("weights")).to_arrow_reader(8192))
            ((kept,),) = connection.execute("select count(*) from weighed where weight > 0").fetchall()
            return FixResult(str(target), kept, examined.listed - kept, None, None, result)
        kept = _chosen(examined, for_model, estimator(opened, _model(style_model)))
        node = "dataset:" + (fixed_name or result.dataset.removeprefix("dataset:") + "-fixed").removeprefix("dataset:")
        _refuse_if_sealed(connection, node)
        files.write_rows(opened, connection, target)
        beside = target.with_name(target.name.removesuffix(sinks.form_of(target).suffix) + ".dropped.parquet")
        files.write_table(beside, connection.sql(_sql("dropped")).to_arrow_reader(8192))
        seal_dataset(
            opened,
            node,
            connection.sql("select record_id from kept").to_arrow_reader(122_880),
            derived_from=[result.dataset],
            location=str(target.resolve()),
        )
    again = check(node, for_model, policy, successor_of=successor_of, store=store, style_model=style_model)
    return FixResult(str(target), kept, examined.listed - kept, node, str(beside), again)


@contextmanager
def _examined(
    store: Store,
    dataset: str,
    for_model: str | None,
    policy: str | Path,
    as_of: dt.datetime | dt.date | None,
    successor_of: str | None,
    style_model: str | Path | None,
) -> Iterator[tuple[gate.Examination, CheckResult]]:
    """Open the gate on a dataset, now or at a moment."""
    node = resolve(store, dataset, ("dataset",))
    remarks: tuple[str, ...] = ()
    if as_of is None:
        moment = None
        judged_by = policies.load(policy)
        remarks = (*_forgotten(store, node), *_recorded(store, judged_by))
    else:
        moment = then.moment(store, as_of)
        then.require_known(store, node, moment)
        judged_by = then.policy(store, policy, moment)
    models = [model for model in (for_model, successor_of) if model is not None]
    estimating = estimator(store, _model(style_model))
    with gate.examine(store, node, judged_by, models, as_of=moment, estimator=estimating) as examined:
        result = gate.judge(store, examined, for_model, successor_of)
        yield examined, replace(result, remarks=(*result.remarks, *remarks))


def _model(path: str | Path | None) -> StyleModel:
    return StyleModel.load(None if path is None else Path(path))


def _forgotten(store: Store, node: str) -> tuple[str, ...]:
    """Say that records of a dataset were erased: nobody judges them, and its file may hold them still."""
    query = (
        "select coalesce(sum(rows), 0)::bigint as records from tombstones "
        "where kind = 'dataset_records' and dataset_id = $1"
    )
    records = catalogue.rows(store, query, [node])[0]["records"]
    if not records:
        return ()
    return (f"{records:,} of its records were forgotten and are not judged: a file that holds them still is another",)


def _recorded(store: Store, policy: Policy) -> tuple[str, ...]:
    """Record a policy that the store does not know; a store that can't be written is no reason not to check."""
    if catalogue.rows(store, "select 1 as known from policy_log where policy_id = $1", [policy.policy_id]):
        return ()
    try:
        with store.commit(f"policy {policy.policy_id}") as commit:
            commit.add_policy(policy)
    except StoreError as error:
        return (f"the policy could not be recorded, so `--as-of` can't apply it later: {error.cause}",)
    return ()


def _chosen(examined: gate.Examination, for_model: str | None, estimating: gate.Estimator) -> int:
    """Choose a subset, and see to it that it passes by its own estimate, too."""
    for attempt in range(_TRIES):
        kept = gate.choose(examined, for_model=for_model is not None, slack=0.5**attempt)
        gate.restrict(examined, estimating)
        left = gate.measured(examined.figures(), examined.policy)
        if not left:
            return kept
        examined.connection.execute("create or replace temp view present as from member")
        gate.estimate(examined, estimating)
    raise GateError("No subset that passes was found: " + "; ".join(map(str, left)), place=examined.dataset)


def _refuse_if_sealed(connection: Any, node: str) -> None:
    """Raise before anything is written: else the file would not be the dataset that bears its name."""
    ((differing,),) = connection.execute(
        "select count(*) from kept full join (select record_id from dataset_records where dataset_id = $1) as known "
        "on known.record_id = kept.record_id where (kept.record_id is null or known.record_id is null) "
        "and exists (select 1 from datasets where dataset_id = $1)",
        [node],
    ).fetchall()
    if differing:
        raise LineageError(
            "The dataset is sealed with other members", place=node, next_step="Give it another name with --fixed-name"
        )


def _sql(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
