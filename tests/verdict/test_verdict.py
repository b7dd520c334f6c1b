"""The verdict's rules: a table by hand with every boundary, and a plain-Python form of the rules as oracle."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance import policy as policies
from provenance import verdict
from provenance.schema import DATE_ORIGINS, REASONS, TAGS, TEXT_KINDS

TYPES = {
    "captured_at": "TIMESTAMP",
    "date_origin": "VARCHAR",
    "recovered": "BOOLEAN",
    "text_kind": "VARCHAR",
    "words": "INTEGER",
    "evidence": (
        'STRUCT(kind VARCHAR, "name" VARCHAR, detail VARCHAR, weight DOUBLE, measured BOOLEAN, decides BOOLEAN)[]'
    ),
    "style_score": "DOUBLE",
    "p_human": "DOUBLE",
    "p_synthetic": "DOUBLE",
    "calibration_bin": "VARCHAR",
    "synthetic_words": "INTEGER",
    "match_share": "DOUBLE",
    "is_copy": "BOOLEAN",
    "human_share": "DOUBLE",
    "unverified_words": "INTEGER",
    "unverified_share": "DOUBLE",
}
PLAIN: dict[str, Any] = {
    **dict.fromkeys(TYPES),
    "recovered": False,
    "text_kind": "prose",
    "words": 200,
    "evidence": [],
}
QUERY = """
select
    decision(captured_at, date_origin, recovered, text_kind, words, evidence, p_human, p_synthetic, calibration_bin,
             synthetic_words, match_share, is_copy, human_share, unverified_words, unverified_share, policy) as decided,
    verdict_score(captured_at, date_origin, recovered, evidence, style_score, match_share, human_share, policy)
from (select {columns}, $2::json::{policy} as policy)
"""


@pytest.fixture(scope="module")
def judge() -> Callable[..., tuple[str, str, float]]:
    connection = duckdb.connect()
    verdict.install(connection)
    columns = ", ".join(f"($1::json->>'{name}')::{kind} as {name}" for name, kind in TYPES.items())
    columns = columns.replace("($1::json->>'evidence')", "($1::json->'evidence')")
    query = QUERY.format(columns=columns, policy=policies.settings_type_sql())

    def run(row: dict[str, Any], under: dict[str, Any]) -> tuple[str, str, float]:
        texts = [json.dumps(value, default=str) for value in (row, under)]
        ((decided, score),) = connection.execute(query, texts).fetchall()
        return decided["tag"], decided["reason"], score

    return run


DEFAULT = dict(policies.load("default").settings)


def at(day: str, origin: str = "container", **more: Any) -> dict[str, Any]:
    return {"captured_at": f"{day} 00:00:00", "date_origin": origin, **more}


def piece(kind: str, name: str, weight: float = 6.0, decides: bool = True) -> dict[str, Any]:
    return {"kind": kind, "name": name, "detail": "", "weight": weight, "measured": True, "decides": decides}


def matched(share: float, words: int, copy: bool = False) -> dict[str, Any]:
    return {"match_share": share, "synthetic_words": words, "is_copy": copy}


def style(p_human: float, p_synthetic: float) -> dict[str, Any]:
    return {"p_human": p_human, "p_synthetic": p_synthetic, "calibration_bin": "en:200", "style_score": 0.0}


DECLARED = {"evidence": [piece("declared", "meta")]}
MARKER = {"evidence": [piece("marker", "oaicite")]}
UNSURE = style(0.5, 0.5)
OLD_AND_MORE = {**MARKER, **matched(1.0, 200, True), **style(0.0, 1.0)}

RULES = [
    # 1. dated
    ("dated, the day before", at("2018-12-31"), "human", "dated"),
    ("dated, on the day", at("2019-01-01", **UNSURE), "unknown", "inconclusive"),
    ("dated by a column", at("2018-12-31", "column"), "human", "dated"),
    ("dated by the page alone", at("2010-01-01", "page", **UNSURE), "unknown", "inconclusive"),
    ("dated implausibly", at("1970-01-01", "implausible", **UNSURE), "unknown", "inconclusive"),
    ("dated, but recovered", at("2010-01-01", recovered=True, **UNSURE), "unknown", "inconclusive"),
    ("a date without origin", at("2010-01-01", None, **UNSURE), "unknown", "inconclusive"),
    ("dated decides before all else", at("2010-01-01", **OLD_AND_MORE), "human", "dated"),
    # 2. matched
    ("matched at the threshold", matched(0.25, 60), "synthetic", "match:passage"),
    ("matched below the threshold", {**matched(0.2499, 49), **UNSURE}, "unknown", "inconclusive"),
    ("matched, a copy", matched(1.0, 200, True), "synthetic", "match:copy"),
    ("matched at the fewest words", {**matched(1.0, 25, True), "words": 25}, "synthetic", "match:copy"),
    ("matched with too few words", {**matched(1.0, 24, True), "words": 24}, "unknown", "too-short"),
    ("matched and of human style", {**matched(0.25, 60), **style(1.0, 0.0)}, "synthetic", "match:passage"),
    ("unverified at the threshold", {"unverified_share": 0.5, "unverified_words": 100}, "synthetic", "match:passage"),
    (
        "unverified at the fewest words",
        {"unverified_share": 1.0, "unverified_words": 50, "words": 50},
        "synthetic",
        "match:passage",
    ),
    ("unverified below it", {"unverified_share": 0.49, "unverified_words": 98}, "unknown", "mixed"),
    (
        "unverified with too few words",
        {"unverified_share": 1.0, "unverified_words": 49, "words": 49},
        "unknown",
        "too-short",
    ),
    ("known human text", {"human_share": 0.5}, "human", "match:human-reference"),
    ("too little known human text", {"human_share": 0.49, **UNSURE}, "unknown", "inconclusive"),
    ("known human text with a model's part", {"human_share": 0.6, **matched(0.2, 50)}, "unknown", "mixed"),
    ("known human text with a smaller one", {"human_share": 0.6, **matched(0.2, 49)}, "human", "match:human-reference"),
    ("known human text on a page that declares", {"human_share": 0.9, **DECLARED}, "human", "match:human-reference"),
    # 3. declared, 4. marker
    ("declared", DECLARED, "synthetic", "declared:meta"),
    ("declared in a recovered record", {**DECLARED, "recovered": True, **UNSURE}, "unknown", "inconclusive"),
    ("declared, too short for style", {**DECLARED, "words": 3}, "synthetic", "declared:meta"),
    ("marker", MARKER, "synthetic", "marker:oaicite"),
    ("marker in a recovered record", {**MARKER, "recovered": True}, "synthetic", "marker:oaicite"),
    ("marker in code", {**MARKER, "text_kind": "code"}, "synthetic", "marker:oaicite"),
    ("declared before marker", {"evidence": MARKER["evidence"] + DECLARED["evidence"]}, "synthetic", "declared:meta"),
    ("the first marker names", {"evidence": [piece("marker", "b"), piece("marker", "a")]}, "synthetic", "marker:b"),
    ("weak marker", {"evidence": [piece("marker", "dash", 1.0, False)], **UNSURE}, "unknown", "inconclusive"),
    # 5. style
    ("style synthetic at alpha", style(0.005, 0.5), "synthetic", "style"),
    ("style above alpha", style(0.0051, 0.5), "unknown", "inconclusive"),
    ("style human at beta", style(0.5, 0.03), "human", "style"),
    ("style above beta", style(0.5, 0.031), "unknown", "inconclusive"),
    ("style at the fewest words", {**style(0.001, 0.9), "words": 50}, "synthetic", "style"),
    ("style with too few words", {**style(0.001, 0.9), "words": 49}, "unknown", "too-short"),
    ("style of code", {**style(0.001, 0.9), "text_kind": "code"}, "unknown", "not-prose"),
    ("human style at the fewest words", {**style(0.5, 0.01), "words": 50}, "human", "style"),
    ("human style with too few words", {**style(0.5, 0.01), "words": 49}, "unknown", "too-short"),
    ("human style of code", {**style(0.5, 0.01), "text_kind": "code"}, "unknown", "not-prose"),
    ("both tails", style(0.0, 0.0), "synthetic", "style"),
    # 6. mixed, and what is missing
    (
        "human style against weak evidence",
        {**style(0.5, 0.01), "evidence": [piece("marker", "dash", 2.0, False)]},
        "unknown",
        "mixed",
    ),
    (
        "human style against weaker evidence",
        {**style(0.5, 0.01), "evidence": [piece("marker", "dash", 1.9, False)]},
        "human",
        "style",
    ),
    ("a smaller matched part", {**matched(0.2, 50), **style(0.5, 0.01)}, "unknown", "mixed"),
    (
        "a smaller part by the fingerprint alone",
        {"unverified_share": 0.4, "unverified_words": 50, **style(0.5, 0.01)},
        "unknown",
        "mixed",
    ),
    ("a still smaller part", {**matched(0.245, 49), **style(0.5, 0.01)}, "human", "style"),
    ("a smaller part in synthetic style", {**matched(0.2, 50), **style(0.001, 0.9)}, "synthetic", "style"),
    ("too short", {"words": 49}, "unknown", "too-short"),
    ("empty", {"text_kind": "empty", "words": 0}, "unknown", "too-short"),
    ("code", {"text_kind": "code"}, "unknown", "not-prose"),
    ("a language without calibration", {}, "unknown", "language-not-calibrated"),
    ("inconclusive", UNSURE, "unknown", "inconclusive"),
]


@pytest.mark.parametrize(("row", "tag", "reason"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_each_rule_and_its_boundaries(judge, row, tag, reason):
    assert judge({**PLAIN, **row}, DEFAULT)[:2] == (tag, reason)


@pytest.mark.parametrize(
    ("row", "change", "tag", "reason"),
    [
        (DECLARED, {"declared_ignore": ["meta"]}, "unknown", "language-not-calibrated"),
        (DECLARED, {"declared_decides": False}, "unknown", "language-not-calibrated"),
        (MARKER, {"marker_ignore": ["oaicite"]}, "unknown", "language-not-calibrated"),
        (MARKER, {"marker_decides": False}, "unknown", "language-not-calibrated"),
        ({"evidence": [piece("marker", "a"), piece("marker", "b")]}, {"marker_ignore": ["a"]}, "synthetic", "marker:b"),
        (style(0.0, 0.9), {"style_decides": False}, "unknown", "inconclusive"),
        (style(0.9, 0.0), {"style_decides": False}, "unknown", "inconclusive"),
        (at("2010-01-01", "page"), {"dated_trust": ["page"]}, "human", "dated"),
        (at("2010-01-01"), {"dated_trust": []}, "unknown", "language-not-calibrated"),
        (at("2020-06-30"), {"dated_before": dt.date(2020, 7, 1)}, "human", "dated"),
        (matched(0.3, 60), {"matched_share": 0.31}, "unknown", "mixed"),
        # Nothing matched counts as no words, and no evidence as no weight.
        ({"human_share": 0.5}, {"matched_mixed_words": 1}, "human", "match:human-reference"),
        ({"human_share": 0.5, **UNSURE}, {"matched_mixed_words": 0}, "unknown", "inconclusive"),
        (style(0.5, 0.01), {"style_conflict_weight": 0.5}, "human", "style"),
        (style(0.5, 0.01), {"style_conflict_weight": 0.0}, "unknown", "mixed"),
    ],
)
def test_the_policy_switches_rules_off_and_moves_their_numbers(judge, row, change, tag, reason):
    assert judge({**PLAIN, **row}, {**DEFAULT, **change})[:2] == (tag, reason)


def test_nulls_everywhere_still_give_a_tag_and_a_reason(judge):
    tag, reason, score = judge(dict.fromkeys(TYPES), DEFAULT)
    assert (tag, reason) == ("unknown", "language-not-calibrated")
    assert 0 <= score <= 1
    assert judge(dict.fromkeys(TYPES), dict.fromkeys(DEFAULT))[0] == "unknown"


def oracle(row: dict[str, Any], p: dict[str, Any]) -> tuple[str, str]:
    """The rules of the design in plain Python. A comparison with an unknown number is false."""

    def least(value: float | None, bound: float) -> bool:
        return value is not None and value >= bound

    def most(value: float | None, bound: float) -> bool:
        return value is not None and value <= bound

    trusted = row["captured_at"] is not None and not row["recovered"] and row["date_origin"] in p["dated_trust"]
    if trusted and dt.datetime.fromisoformat(row["captured_at"]).date() < p["dated_before"]:
        return "human", "dated"
    if least(row["match_share"], p["matched_share"]) and least(row["synthetic_words"], p["matched_min_words"]):
        return "synthetic", "match:copy" if row["is_copy"] else "match:passage"
    if least(row["unverified_share"], p["matched_unverified_share"]) and least(
        row["unverified_words"], p["matched_unverified_words"]
    ):
        return "synthetic", "match:passage"
    if least(row["human_share"], p["matched_human_share"]) and (row["synthetic_words"] or 0) < p["matched_mixed_words"]:
        return "human", "match:human-reference"
    for kind in ("declared", "marker"):
        names = [e["name"] for e in row["evidence"] if e["kind"] == kind and e["decides"]]
        names = [name for name in names if name not in p[f"{kind}_ignore"]]
        if names and p[f"{kind}_decides"] and not (kind == "declared" and row["recovered"]):
            return "synthetic", f"{kind}:{names[0]}"
    judged = p["style_decides"] and row["text_kind"] == "prose" and row["words"] >= p["style_min_words"]
    if judged and most(row["p_human"], p["style_alpha"]):
        return "synthetic", "style"
    if max(row["synthetic_words"] or 0, row["unverified_words"] or 0) >= p["matched_mixed_words"]:
        return "unknown", "mixed"
    if judged and most(row["p_synthetic"], p["style_beta"]):
        against = math.fsum(e["weight"] for e in row["evidence"])
        return ("unknown", "mixed") if against >= p["style_conflict_weight"] else ("human", "style")
    if row["text_kind"] == "empty" or row["words"] < p["style_min_words"]:
        return "unknown", "too-short"
    if row["text_kind"] != "prose":
        return "unknown", "not-prose"
    return "unknown", "inconclusive" if row["calibration_bin"] else "language-not-calibrated"


shares = st.none() | st.sampled_from([0.0, 0.003, 0.005, 0.01, 0.03, 0.1, 0.15, 0.25, 0.5, 0.8, 1.0]) | st.floats(0, 1)
counts = st.none() | st.sampled_from([0, 24, 25, 49, 50, 99, 100, 200])
evidence = st.builds(
    piece,
    st.sampled_from(["declared", "marker"]),
    st.sampled_from(["meta", "oaicite"]),
    st.sampled_from([-1.0, 0.25, 0.5, 2.0, 4.0, 40.0]),
    st.booleans(),
)
rows = st.fixed_dictionaries(
    {
        "captured_at": st.none()
        | st.sampled_from(["1900-01-01", "2018-12-31 23:59:59.999999", "2019-01-01", "2024-05-05", "9999-12-31"]),
        "date_origin": st.none() | st.sampled_from(DATE_ORIGINS),
        "recovered": st.booleans(),
        "text_kind": st.sampled_from(TEXT_KINDS),
        "words": st.sampled_from([0, 49, 50, 99, 100, 2**31 - 1]),
        "evidence": st.lists(evidence, max_size=3),
        "style_score": st.none() | st.floats(-1e300, 1e300),
        "p_human": shares,
        "p_synthetic": shares,
        "calibration_bin": st.sampled_from([None, "en:100"]),
        "synthetic_words": counts,
        "match_share": shares,
        "is_copy": st.none() | st.booleans(),
        "human_share": shares,
        "unverified_words": counts,
        "unverified_share": shares,
    }
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "dated_trust": st.lists(st.sampled_from(DATE_ORIGINS), unique=True),
        "declared_decides": st.booleans(),
        "declared_ignore": st.lists(st.sampled_from(["meta"])),
        "marker_decides": st.booleans(),
        "marker_ignore": st.lists(st.sampled_from(["oaicite"])),
        "style_decides": st.booleans(),
    },
)
relaxed = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(row=rows, name=st.sampled_from(policies.NAMED), change=changes)
def test_sql_and_the_plain_form_of_the_rules_agree(judge, row, name, change):
    under = {**policies.load(name).settings, **change}
    tag, reason, score = judge(row, under)
    assert (tag, reason) == oracle(row, under)
    assert tag in TAGS
    assert any(fnmatchcase(reason, known) for known in REASONS)
    assert 0.0 <= score <= 1.0


@relaxed
@given(row=rows, low=st.floats(-20, 20), step=st.floats(0, 20))
def test_the_score_never_falls_when_the_style_score_rises(judge, row, low, step):
    before = judge({**row, "style_score": low}, DEFAULT)[2]
    assert judge({**row, "style_score": low + step}, DEFAULT)[2] >= before


@pytest.mark.parametrize(
    ("captured_at", "origin", "share"),
    [
        ("1960-01-01", "page", 0.4),  # an untrusted date counts as none, and an undated text may be the youngest
        (None, None, 0.4),
        ("2024-06-30 23:59:59", "container", 0.15),
        ("2024-07-01", "container", 0.3),
        ("2030-01-01", "container", 0.4),
    ],
)
def test_without_evidence_the_score_is_the_prior_of_the_month(judge, captured_at, origin, share):
    score = judge({**PLAIN, "captured_at": captured_at, "date_origin": origin}, DEFAULT)[2]
    assert score == pytest.approx(share)


def test_weights_add_up_in_log_odds(judge):
    row = {**PLAIN, "evidence": [piece("marker", "x", 1.5, False)], "style_score": 99.0, "match_share": 0.5}
    # Half of the words are more than the share that decides: the match weighs fully.
    odds = math.log(0.4 / 0.6) + 1.5 + 6.0 + 9.0
    assert judge(row, DEFAULT)[2] == pytest.approx(1 / (1 + math.exp(-odds)))


def test_a_date_before_language_models_speaks_for_a_person(judge):
    score = judge({**PLAIN, **at("2018-12-31")}, DEFAULT)[2]
    prior = judge({**PLAIN, **at("2019-01-01")}, DEFAULT)[2]
    assert math.log(score / (1 - score)) == pytest.approx(math.log(prior / (1 - prior)) - 9.0)
