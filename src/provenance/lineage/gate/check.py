"""What the gate says of a dataset: its figures, held against the limits of a policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from provenance.errors import GateError
from provenance.lineage.gate.members import Estimator, Examination, examine
from provenance.lineage.loops import Loop, loops_for
from provenance.lineage.moment import ask
from provenance.lineage.names import model_id, resolve
from provenance.policy import Policy

if TYPE_CHECKING:
    from provenance.store import Store

_ROUNDING: Final = 1e-8


@dataclass(frozen=True)
class Violation:
    """A limit that is passed.

    Attributes:
        limit: ``loop``, ``own``, ``synthetic``, ``unknown``, ``human``, ``unverified``, ``self-graded``, ``depth``,
            ``opt-out``, ``licence`` or ``unobserved``.
        figure: What was found: a share, or a number of records or models.
        allowed: The policy's limit.
        sentence: The same in words.
    """

    limit: str
    figure: float
    allowed: float
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class CheckResult:
    """What the gate says.

    Attributes:
        allowed: Whether nothing is violated.
        dataset: Node id of the dataset.
        model: The model to be trained, as it was named, or None.
        policy: The policy's id.
        loops: Loops that the training would close.
        violations: One for each limit that is passed.
        figures: ``records`` and ``words``; ``..._share`` of words, but ``opt_out_share`` of records.
            ``synthetic_share`` is what counts: what is decided, and style by the lower limit of its estimate;
            ``tagged_synthetic_share`` is by tags.
        remarks: What the reader should know that is no violation.
        limits: Every limit with what was found and what is allowed; ``human`` is the only one that is a minimum.
        as_of: The moment (UTC) that is judged at; None for now.
        records: The file that lists the records concerned, if one was asked for.
    """

    allowed: bool
    dataset: str
    model: str | None
    policy: str
    loops: tuple[Loop, ...]
    violations: tuple[Violation, ...]
    figures: Mapping[str, float]
    remarks: tuple[str, ...] = ()
    limits: tuple[tuple[str, float, float], ...] = ()
    as_of: dt.datetime | None = None
    records: str | None = None

    def require(self) -> CheckResult:
        """Return this result if the dataset may be used: the line to put before a training.

        Raises:
            GateError: If it may not.
        """
        if not self.allowed:
            raise GateError(
                "; ".join(str(violation) for violation in self.violations),
                place=self.dataset,
                next_step="`provenance check --fix` writes a part of it that passes",
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        moment = None if self.as_of is None else self.as_of.isoformat(sep=" ")
        return {**asdict(self), "figures": dict(self.figures), "as_of": moment}


@dataclass(frozen=True)
class _Limit:
    name: str
    figure: str
    setting: str
    sentence: str
    least: bool = False


_OWN: Final = _Limit("own", "own_share", "max_own_share", "the share of text by the model or a relative")
_SHARES: Final = (
    _Limit("synthetic", "synthetic_share", "max_synthetic_share", "the synthetic share of its words"),
    _Limit("unknown", "unknown_share", "max_unknown_share", "the unknown share of its words"),
    _Limit("human", "human_share", "min_human_share", "the human share of its words", least=True),
    _Limit(
        "unverified", "unverified_share", "max_unverified_share", "the share of synthetic text that nobody verified"
    ),
    _Limit("self-graded", "self_graded_share", "max_self_graded_share", "the share of text that its own author graded"),
    _Limit("opt-out", "opt_out_share", "max_opt_out_share", "the share of records with rights reserved"),
    _Limit("unobserved", "unobserved_share", "max_unknown_share", "the share of members that no scan has seen"),
)


def check(
    store: Store,
    dataset: str,
    for_model: str | None,
    policy: Policy,
    successor_of: str | None = None,
    *,
    as_of: dt.datetime | None = None,
    estimator: Estimator | None = None,
) -> CheckResult:
    """Say whether a dataset may train a model.

    Args:
        store: The store.
        dataset: Name or id of a dataset.
        for_model: The model to be trained. None checks the shares alone.
        policy: Its ``gate`` section has the limits; the tags are those it gives, whatever policy is current.
        successor_of: A recorded model that ``for_model`` comes from, if it is not recorded itself.
        as_of: The moment (UTC) to judge at; now if left out.
        estimator: Estimates the synthetic share of scored text; without it, style counts by tags.

    Raises:
        LineageError: If there is no such dataset.
    """
    node = resolve(store, dataset, ("dataset",))
    models = [model for model in (for_model, successor_of) if model is not None]
    with examine(store, node, policy, models, as_of=as_of, estimator=estimator) as examined:
        return judge(store, examined, for_model, successor_of)


def judge(store: Store, examined: Examination, for_model: str | None, successor_of: str | None = None) -> CheckResult:
    """Hold the figures of an examined dataset against the limits."""
    node, policy, as_of = examined.dataset, examined.policy, examined.as_of
    loops = tuple(loops_for(store, node, for_model, successor_of, as_of=as_of)) if for_model is not None else ()
    figures = {**examined.figures(), "members": examined.listed}
    figures["unobserved_share"] = 1 - figures["records"] / examined.listed if examined.listed else 0.0
    remarks = []
    if for_model is not None and successor_of is None:
        remarks += _unknown_model(store, for_model, as_of)
    if examined.estimated is not None:
        remarks += [examined.estimated.remark] if examined.estimated.remark else []
        if examined.estimated.chances is not None:
            figures |= {
                "style_share": examined.estimated.share,
                "style_share_low": examined.estimated.low,
                "style_share_high": examined.estimated.high,
                "style_words": examined.estimated.words,
            }
    if figures["records"]:
        violations = [*_loops(loops, figures, policy), *measured(figures, policy)]
    else:
        violations = _loops(loops, figures, policy)
        violations.append(Violation("unobserved", 1.0, 0.0, "nothing is known of the records that the dataset holds"))
    held = tuple(_held(figures, policy, own=for_model is not None))
    return CheckResult(
        not violations,
        node,
        for_model,
        policy.policy_id,
        loops,
        tuple(violations),
        figures,
        tuple(remarks),
        held,
        as_of,
    )


def _held(figures: Mapping[str, Any], policy: Policy, *, own: bool) -> Iterator[tuple[str, float, float]]:
    for limit in (_OWN, *_SHARES) if own and not policy.settings["gate_loops"] else _SHARES:
        yield limit.name, figures[limit.figure], policy.settings[f"gate_{limit.setting}"]
    yield "depth", figures["max_depth"], policy.settings["gate_max_depth"]
    if policy.settings["gate_forbidden_licences"]:
        yield "licence", figures["forbidden_records"], 0


def _loops(loops: Sequence[Loop], figures: Mapping[str, Any], policy: Policy) -> list[Violation]:
    allowed = policy.settings["gate_max_own_share"]
    if policy.settings["gate_loops"]:
        return []
    found = []
    for loop in loops:
        holds = f"training {loop.model} on {loop.dataset} closes a loop: it holds text of {', '.join(loop.relatives)}"
        if not loop.records:
            found.append(Violation("loop", 1.0, 0.0, holds))
        elif figures["own_share"] > allowed + _ROUNDING or not figures["own_words"]:
            sentence = f"{holds} in {loop.records:,} records ({loop.words:,} words)"
            more = f", {_percent(figures['own_share'], allowed)} of its words; the most allowed is {_percent(allowed)}"
            found.append(Violation("own", figures["own_share"], allowed, sentence + (more if allowed else "")))
    return found


def measured(figures: Mapping[str, Any], policy: Policy) -> list[Violation]:
    """Return the limits on shares, depth and licences that figures pass."""
    found = []
    for limit in _SHARES:
        figure, allowed = figures.get(limit.figure, 0.0), policy.settings[f"gate_{limit.setting}"]
        if (allowed - figure if limit.least else figure - allowed) > _ROUNDING:
            bound = "least" if limit.least else "most"
            shown = _percent(figure, allowed)
            if limit.name == "synthetic" and "style_share" in figures:
                shown += f" ({_percent(figures['tagged_synthetic_share'])} by tags)"
            sentence = f"{limit.sentence} is {shown}, the {bound} allowed is {_percent(allowed)}"
            found.append(Violation(limit.name, figure, allowed, sentence))
    if figures["deep_records"]:
        deepest, allowed = figures["max_depth"], policy.settings["gate_max_depth"]
        sentence = (
            f"text in {figures['deep_records']:,} records has passed through as many as {deepest} models, "
            f"the most allowed is {allowed}"
        )
        found.append(Violation("depth", deepest, allowed, sentence))
    if figures["forbidden_records"]:
        listed = ", ".join(policy.settings["gate_forbidden_licences"])
        sentence = f"{figures['forbidden_records']:,} records have a licence that is not allowed ({listed})"
        found.append(Violation("licence", figures["forbidden_records"], 0, sentence))
    return found


def _percent(share: float, beside: float | None = None) -> str:
    """Write a share so that it can be told from the limit beside it."""
    for digits in range(1, 8):
        text = f"{share:.{digits}%}"
        if beside is None or share == beside or text != f"{beside:.{digits}%}":
            return text
    return f"{share:%}"


def _unknown_model(store: Store, model: str, as_of: dt.datetime | None) -> list[str]:
    query = "select 1 from lineage_nodes where id = $1 and kind = 'model'"
    if ask(store, query, [model_id(model)], as_of):
        return []
    return [
        f"the model {model!r} is not recorded: its ancestors are unknown, so only its own text was looked for "
        "(`provenance lineage add model` records it)"
    ]
