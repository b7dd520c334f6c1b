"""The command of the gate: may this dataset train this model, and what of it may?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import output
from provenance.cli.options import DEFAULT_STORE, AsOfOption, JsonOption, PolicyOption, StoreOption, StyleModelOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from provenance.lineage import CheckResult
    from provenance.pipeline import FixResult


def check(
    dataset: Annotated[str, typer.Argument(metavar="DATASET")],
    for_model: Annotated[
        str | None, typer.Option("--for-model", metavar="MODEL", help="The model to be trained.")
    ] = None,
    successor_of: Annotated[
        str | None,
        typer.Option(
            "--successor-of", metavar="MODEL", help="What the model comes from, if it is not recorded itself."
        ),
    ] = None,
    policy: PolicyOption = "default",
    as_of: AsOfOption = None,
    records: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the records concerned: .parquet, .jsonl[.gz|.zst] or .csv."),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a subset that passes, and seal it: .parquet or .jsonl[.gz|.zst]."),
    ] = None,
    fixed_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the subset; DATASET-fixed if left out.")
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="With --fix: write a weight to sample each record by, no subset.")
    ] = False,
    style_model: StyleModelOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> int:
    """The gate: may this dataset train this model? Exits with 1 if not."""
    from provenance import pipeline
    from provenance.errors import UsageError

    if fix is None and (weights or fixed_name is not None):
        raise UsageError("--weights and --fixed-name belong to --fix", next_step="Add --fix FILE")
    if fix is not None and as_of is not None:
        raise UsageError("What passed then need not pass now: --fix and --as-of exclude each other")
    result = pipeline.check(
        dataset,
        for_model,
        policy,
        as_of=as_of,
        records=records,
        successor_of=successor_of,
        store=store,
        style_model=style_model,
    )
    fixed = None
    if fix is not None and not result.allowed:
        fixed = pipeline.fix(
            dataset,
            for_model,
            policy,
            out=fix,
            fixed_name=fixed_name,
            weights=weights,
            successor_of=successor_of,
            store=store,
            style_model=style_model,
        )
    if json:
        more = {} if fixed is None else {"fixed": fixed.as_dict()}
        output.emit_json({**result.as_dict(), **more})
    else:
        _print(result, dataset, for_model, pipeline.node_names(store=store))
        if fixed is not None:
            _print_fixed(fixed)
        elif fix is not None:
            output.emit(f"it passes as it is: {output.safe(fix)} is not written")
    return 0 if result.allowed else 1


def _print(result: CheckResult, dataset: str, for_model: str | None, names: Callable[[str], str]) -> None:
    from provenance.cli.lineage import path

    verdict = "passes" if result.allowed else "REFUSED"
    purpose = f" for training {output.safe(for_model)}" if for_model else ""
    moment = f" as of {result.as_of}" if result.as_of is not None else ""
    output.emit(f"{verdict}: dataset {output.safe(dataset)}{purpose} under policy {output.safe(result.policy)}{moment}")
    for violation in result.violations:
        output.emit(f"  violation: {output.safe(violation)}")
    for remark in result.remarks:
        output.note(f"note: {output.safe(remark)}")
    for loop in result.loops:
        output.emit(f"  loop: {path(loop.witness, names)}")
    counted = result.figures
    tags = ", ".join(f"{counted[f'{tag}_records']:,} {tag}" for tag in ("human", "unknown", "synthetic"))
    output.emit(f"{counted['records']:,} records ({tags}), {counted['words']:,} words")
    output.table(("limit", "found", "allowed"), [_limit(*limit) for limit in result.limits])
    if "style_share" in counted:
        ends = f"{counted['style_share_low']:.1%} to {counted['style_share_high']:.1%}"
        output.emit(
            f"by style, {counted['style_share']:.1%} ({ends}) of {counted['style_words']:,} scored words are "
            f"synthetic; the lower end counts. By tags, {counted['tagged_synthetic_share']:.1%} of all words are"
        )
    if result.records is not None:
        output.emit(f"the records concerned are listed in {output.safe(result.records)}")


def _limit(name: str, found: float, allowed: float) -> tuple[str, str, str]:
    if name in ("depth", "licence"):
        return name, f"{found:,}", f"at most {allowed:,}"
    return name, f"{found:.2%}", f"at {'least' if name == 'human' else 'most'} {allowed:.2%}"


def _print_fixed(fixed: FixResult) -> None:
    if fixed.dataset is None:
        output.emit(
            f"{fixed.kept:,} records have a weight above zero in {output.safe(fixed.path)}, {fixed.dropped:,} have not"
        )
        return
    listed = f"(listed in {output.safe(fixed.dropped_list)})"
    output.emit(f"{fixed.kept:,} records kept in {output.safe(fixed.path)}, {fixed.dropped:,} dropped {listed}")
    verdict = "passes" if fixed.check.allowed else "does not pass"
    output.emit(f"dataset {output.safe(fixed.dataset)} {verdict}")
