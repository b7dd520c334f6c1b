"""Read declarations that are structured: header fields, JSON of pages and labels. Parsers with caps, nothing more.

Sources: draft-abaris-aicdh-00 and -01 (``AI-Disclosure``, a Dictionary of RFC 9651), the community proposals for
``<meta name="ai-disclosure">`` and ``<meta name="ai-generated">``, IPTC's Digital Source Type vocabulary as
schema.org uses it, GB 45438-2025.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

MAX_HEADER: Final = 4096
MAX_JSON: Final = 1 << 18
MAX_NODES: Final = 2000
MAX_DEPTH: Final = 40


class Reading(NamedTuple):
    """What a declared term means: its weight and whether it decides. All weights are assumptions."""

    weight: float
    decides: bool


WRITTEN: Final = Reading(7.0, True)
ASSISTED: Final = Reading(1.0, False)
NO_MODEL: Final = Reading(-1.0, False)

DISCLOSURES: Final = {
    "none": NO_MODEL,
    "human-only": NO_MODEL,
    "ai-modified": ASSISTED,
    "ai-assisted": ASSISTED,
    "mixed": ASSISTED,
    "partially": ASSISTED,
    "ai-originated": WRITTEN,
    "ai-generated": WRITTEN,
    "machine-generated": WRITTEN,
    "autonomous": WRITTEN,
}
"""Modes of the header and of the meta element, one vocabulary."""

SOURCE_TYPES: Final = {
    "trainedalgorithmicmedia": WRITTEN,
    "compositewithtrainedalgorithmicmedia": ASSISTED,
    "compositesynthetic": ASSISTED,
    "algorithmicallyenhanced": Reading(0.5, False),
    "humanedits": NO_MODEL,
    "digitalcreation": NO_MODEL,
    "humancreation": NO_MODEL,
}
"""IPTC terms, lower-case. ``algorithmicMedia`` and ``dataDrivenMedia`` are templates, which are not synthetic
here: no reading."""

_MEMBER: Final = re.compile(
    r'[\s,;]*([a-z*][a-z0-9_.*-]*)[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,;"]*))?', re.IGNORECASE
)
_ARTICLE: Final = re.compile(
    r"(?:\w*(?:Article|Posting|Page)|CreativeWork|Report|Review|HowTo|Recipe|Book|Chapter|ShortStory|Poem|Answer|"
    r"Comment|WebContent)\Z"
)


def dictionary(value: str) -> dict[str, str]:
    """Parse a Dictionary of RFC 9651, leniently.

    Parameters count as members, because the draft's own example separates its keys by semicolons.
    """
    members: dict[str, str] = {}
    at = 0
    value = value[:MAX_HEADER]
    while at < len(value) and len(members) < 64:
        match = _MEMBER.match(value, at)
        if match is None or match.end() == at:
            break
        raw = match.group(2)
        if raw is None:
            raw = "?1"
        elif raw.startswith('"'):
            raw = raw.removeprefix('"').removesuffix('"').replace('\\"', '"').replace("\\\\", "\\")
        members[match.group(1).lower()] = raw
        at = match.end()
    return members


def disclosure(value: str) -> tuple[str, Reading, str] | None:
    """Read a header or meta value: mode, reading and the model it names; None when it says nothing known."""
    members = dictionary(value)
    mode = members.get("mode", value.strip().lower() if "=" not in value else "").lower()
    reading = DISCLOSURES.get(mode)
    return None if reading is None else (mode, reading, members.get("model", ""))


def parse_json(value: str) -> Any:
    """Parse JSON of at most ``MAX_JSON`` characters; None for what isn't JSON or nests too deep."""
    if len(value) > MAX_JSON:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def article_nodes(value: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON-LD nodes that describe the page's own text: top level, ``@graph`` and ``mainEntity`` only."""
    pending: list[tuple[Any, int]] = [(parse_json(value), 0)]
    visited = 0
    while pending and visited < MAX_NODES:
        node, depth = pending.pop(0)
        visited += 1
        if depth > MAX_DEPTH:
            continue
        if isinstance(node, list):
            pending.extend((item, depth + 1) for item in node[:MAX_NODES])
        elif isinstance(node, dict):
            kinds = node.get("@type", "")
            names = kinds if isinstance(kinds, list) else [kinds]
            if any(
                isinstance(name, str) and _ARTICLE.fullmatch(name.rsplit("/", 1)[-1].rsplit(":", 1)[-1])
                for name in names
            ):
                yield node
            pending.extend(
                (node[key], depth + 1) for key in ("@graph", "mainEntity", "mainEntityOfPage") if key in node
            )


def article_declarations(value: str) -> Iterator[tuple[str, str, Reading, str]]:
    """Yield ``(name, term, reading, model)`` for each declaration about the article in a JSON-LD text."""
    for node in article_nodes(value):
        for key, said in list(node.items())[:200]:
            local = key.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()
            if local == "digitalsourcetype":
                for term in _terms(said):
                    short = re.split(r"[/#:]", term)[-1]
                    reading = SOURCE_TYPES.get(short.lower().removesuffix("digitalsource"))
                    if reading is not None:
                        yield "digital-source-type", short, reading, ""
            elif local == "aidisclosure":
                level = said.get("level", said.get("mode", "")) if isinstance(said, dict) else said
                model = said.get("tool", said.get("model", "")) if isinstance(said, dict) else ""
                reading = DISCLOSURES.get(level.lower()) if isinstance(level, str) else None
                if reading is not None:
                    yield "ai-disclosure", str(level), reading, model if isinstance(model, str) else ""


def _terms(said: Any) -> list[str]:
    found = []
    for item in (said if isinstance(said, list) else [said])[:20]:
        term = item.get("@id", item.get("name", "")) if isinstance(item, dict) else item
        if isinstance(term, str):
            found.append(term[:200])
    return found


_AIGC_KEYS: Final = (
    "ContentProducer",
    "ProduceID",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode1",
    "ReservedCode2",
)


def aigc_label(value: str) -> tuple[str, str] | None:
    """Read a label of GB 45438-2025: ``(Label, ContentProducer)``, or None when the JSON is no such label."""
    node = parse_json(value)
    for _ in range(2):
        if isinstance(node, dict) and "AIGC" in node:
            node = node["AIGC"]
        if isinstance(node, str):
            node = parse_json(node)
    if not isinstance(node, dict) or not any(key in node for key in _AIGC_KEYS):
        return None
    label = str(node.get("Label", ""))
    return (label, str(node.get("ContentProducer", ""))[:80]) if label in ("1", "2", "3") else None
