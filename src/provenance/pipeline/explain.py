"""Explain one record: its evidence, what decided, and what would change it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provenance.errors import ProvenanceError, UsageError
from provenance.pipeline import catalogue, tags
from provenance.pipeline.reread import refuse_if_changed, reread
from provenance.policy import NAMED, Policy, load
from provenance.readers import ReadOptions
from provenance.store import Store

_EXCERPT: Final = 400
_RECORD_ID: Final = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True)
class Explanation:
    """Everything known of one record.

    Attributes:
        record: The row of ``records``, with the scan's name and the source's URI.
        evidence: Its pieces of evidence, the heaviest first.
        matches: What it shares with references, the longest first.
        decided: What decided the tag, in words.
        would_change: What would give another tag.
        excerpt: The beginning of its text; empty if the source can't be read as it was.
        no_excerpt: Then why, and what can be done.
    """

    record: Mapping[str, Any]
    evidence: tuple[Mapping[str, Any], ...]
    matches: tuple[Mapping[str, Any], ...]
    decided: str
    would_change: tuple[str, ...]
    excerpt: str
    no_excerpt: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready values."""
        return {**vars(self), "record": dict(self.record)}


def explain(record: str, *, store: str | Path = "provenance-store") -> Explanation:
    """Explain a record.

    Args:
        record: A record id, a unique prefix of one, or ``SCAN/RECORD``.
        store: Folder of the store.

    Raises:
        UsageError: If there is no such record, or the prefix means several.
    """
    opened = Store.open(store)
    row = _find(opened, record)
    settings = catalogue.rows(opened, "select settings from policies where policy_id = ?", [row["policy_id"]])[0][
        "settings"
    ]
    evidence = sorted(row.pop("evidence") or [], key=lambda piece: -abs(piece["weight"]))
    matches = catalogue.rows(
        opened,
        "select known.name, known.label, known.model, found.tier, found.share, found.matched_words, found.verified, "
        "found.spans, found.reference_id, counted.admissible, "
        "bit_count(found.cover::bit) - bit_count(counted.cover) as older_words "
        "from matches as found join reference_sets as known using (set_id) "
        "left join findings as counted using (scan_id, record_id, set_id, reference_id, verified) "
        "where found.scan_id = ? and found.record_id = ? and known.withdrawn_at is null "
        # A finding that was verified since says the same of the whole text, not of fingerprints.
        "and (found.verified or not exists (select 1 from matches as later where later.verified "
        "and later.scan_id = found.scan_id and later.record_id = found.record_id "
        "and later.set_id = found.set_id and later.reference_id = found.reference_id)) "
        "order by found.matched_words desc, known.name, found.reference_id limit 20",
        [row["scan_id"], row["record_id"]],
    )
    for match in matches:
        match["remark"] = _remark(match)
    return Explanation(
        row,
        tuple(evidence),
        tuple(matches),
        _decided(row, settings),
        tuple(_would_change(opened, row, settings)),
        *_excerpt(opened, row),
    )


def _find(store: Store, record: str) -> dict[str, Any]:
    scan_name, _, prefix = record.rpartition("/")
    if not _RECORD_ID.fullmatch(prefix):
        raise UsageError(
            f"{record!r} is no record id, nor SCAN/ID: give at least 4 of the hexadecimal digits that an id is made of",
            next_step='`provenance sql "select record_id, url, uri from records join sources using (scan_id, '
            'source_id) limit 20"` lists some, with the files that they stand in',
        )
    scan_id = catalogue.find_scan(store, scan_name)["scan_id"] if scan_name else None
    found = catalogue.rows(
        store,
        "select records.*, scans.name as scan, sources.uri from records join scans using (scan_id) "
        "left join (select scan_id, source_id, any_value(uri) as uri from sources group by all) as sources "
        "using (scan_id, source_id) where starts_with(record_id, $1) and ($2 is null or scan_id = $2) "
        "order by scans.started_at desc, record_id limit 2",
        [prefix, scan_id],
    )
    if not found:
        raise UsageError(
            f"There is no record {record!r}",
            place=str(store.root),
            next_step='`provenance sql "select record_id, url, tag from records limit 20"` lists some',
        )
    if len({row["record_id"] for row in found}) > 1:
        raise UsageError(f"{record!r} means several records", next_step="Give more digits, or SCAN/RECORD")
    return found[0]


def _remark(match: dict[str, Any]) -> str:
    """Say why a finding counts for nothing, or for less than it shows."""
    admissible, older = match.pop("admissible"), match.pop("older_words")
    if match["label"] == "prompt":
        return "a prompt: not the model's words"
    if match["label"] == "synthetic" and not admissible:
        return "does not count: the record is older than the model"
    if older:
        return f"{older} of its words don't count: a web archive held them before the model was released"
    return ""


def _decided(row: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    reason = str(row["reason"])
    if reason == "match:passage" and (row["match_share"] or 0) < settings["matched_share"]:
        return (
            f"{row['unverified_share']:.0%} of its words seem to stand in registered generations of {row['model']} "
            f"(at least {settings['matched_unverified_share']:.0%} decide); "
            "its source could not be read again to verify it"
        )
    words = {
        "dated": f"captured before {settings['dated_before']}, when no fluent text by a model existed",
        "match:copy": f"it is a copy of a registered generation of {row['model']}",
        "match:passage": f"{row['match_share']:.0%} of its words stand in registered generations of {row['model']} "
        f"(at least {settings['matched_share']:.0%} decide)",
        "match:human-reference": "it is a copy of a known human text",
        "style": f"the classifier: p_human {_number(row['p_human'])}, p_synthetic {_number(row['p_synthetic'])}; "
        f"synthetic needs p_human <= {settings['style_alpha']}, human p_synthetic <= {settings['style_beta']}",
        "mixed": "parts of it point to a model and others to a person",
        "too-short": f"it has {row['words']} words; style is judged from {settings['style_min_words']} on",
        "not-prose": f"it is {row['text_kind']}, not prose: style says nothing about it",
        "language-not-calibrated": f"the classifier is not calibrated for {row['language']!r} at this length",
        "inconclusive": f"the classifier is not sure: p_human {_number(row['p_human'])}, "
        f"p_synthetic {_number(row['p_synthetic'])}",
    }
    if reason.startswith("declared:"):
        return f"its publisher declares it ({reason.partition(':')[2]})"
    if reason.startswith("marker:"):
        return f"it holds a string that only a model or its interface leaves behind ({reason.partition(':')[2]})"
    return words.get(reason, reason)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _would_change(store: Store, row: Mapping[str, Any], settings: Mapping[str, Any]) -> list[str]:
    """Say which other named policy gives another tag, and which evidence is missing."""
    lines = []
    for name in NAMED:
        policy = load(name)
        if policy.policy_id == row["policy_id"]:
            continue
        tag, reason = _under(store, row, policy)
        if tag != row["tag"]:
            lines.append(f"the policy `{name}` tags it {tag} ({reason})")
    if row["tag"] == "unknown" and row["captured_at"] is None:
        lines.append(f"a trusted capture date before {settings['dated_before']} would make it human")
    if row["tag"] != "synthetic":
        lines.append(
            f"registered generations that count, covering {settings['matched_share']:.0%} of its words, "
            + ("would make it synthetic" if row["reason"] != "dated" else "would, if its date were not trusted")
        )
    return lines


def _under(store: Store, row: Mapping[str, Any], policy: Policy) -> tuple[str, str]:
    query = tags.query("select tag, reason from ({tags}) where record_id = $2")
    with store.read() as connection, tags.asked(connection, policy.settings):
        tag, reason = connection.execute(query, [row["scan_id"], row["record_id"]]).fetchall()[0]
    return str(tag), str(reason)


def _excerpt(store: Store, row: Mapping[str, Any]) -> tuple[str, str]:
    """The beginning of a record's text, or why there is none."""
    source = next((s for s in catalogue.sources(store, row["scan_id"]) if s["source_id"] == row["source_id"]), None)
    if source is None:
        return "", "its source was not read to its end"
    options = ReadOptions(**catalogue.read_options(catalogue.scan_row(store, row["scan_id"]) or {}))
    try:
        refuse_if_changed(source)
        for batch in reread(source, options, {row["position"]}):
            text = " ".join(str(batch.column("raw")[0].as_py()).split())
            return text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else ""), ""
    except ProvenanceError as error:
        return "", str(error)
    return "", "the source does not hold it any more"
