"""Rights: the licence and the reservations that a publisher states. Never evidence of who wrote a text."""

from __future__ import annotations

import json
import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from provenance import schema

MAX_VALUE: Final = 4096
MAX_JSON: Final = 1 << 18

_HTTP: Final = ("x-robots-tag", "tdm-reservation", "content-usage", "link", "content-signal")
_AGENTS: Final = (
    "gptbot",
    "ccbot",
    "google-extended",
    "anthropic-ai",
    "claudebot",
    "applebot-extended",
    "bytespider",
    "perplexitybot",
    "meta-externalagent",
)
_ROBOTS: Final = ("robots", *_AGENTS)
_LICENCE_META: Final = (
    "license",
    "licence",
    "dc.rights",
    "dcterms.rights",
    "dcterms.license",
    "dc.rights.license",
    "dc:license",
)
_LICENCE_FIELDS: Final = re.compile(r"(?:^|[._])(?:licen[sc]e|licen[sc]e_url|licen[sc]e_abbr|cc_licen[sc]e)$")
_ORDER: Final = ("link", "http", "meta", "jsonld", "field", "card")
_CC: Final = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>by(?:-nc)?(?:-nd|-sa)?|(?:nc|nd|"
    r"sa)(?:-\w+)*)/(?P<version>\d\.\d)|publicdomain/(?P<public>zero|mark)/(?P<pversion>\d\.\d))",
    re.IGNORECASE,
)
_CC_WORDS: Final = re.compile(
    r"\s*cc[- ]?(?P<kind>by(?:[- ]nc)?(?:[- ](?:nd|sa))?|0|zero)(?:[- ](?P<version>\d\.\d))?\b.*",
    re.IGNORECASE | re.DOTALL,
)
_REFUSED: Final = re.compile(
    r"\b(?P<use>train-ai|train-genai|genai|ai-train|ai-use|ai-input|ai|tdm|bots|search)\s*=\s*(?:n|no)\b", re.IGNORECASE
)
_LINK_LICENCE: Final = re.compile(r"<([^<>]{1,1000})>\s*;[^,]{0,200}\brel=\"?license\"?", re.IGNORECASE)


def observe(batch: pa.RecordBatch) -> pa.StructArray:
    """Read the rights of each record from its declarations.

    Args:
        batch: Records with a ``declarations`` column (`provenance.schema.RAW` or wider).

    Returns:
        `provenance.schema.RIGHTS` for each record. ``licence``: ``CC-BY-4.0`` and the like, else what was stated
        (at most
        200 characters), else null. ``opt_out``: sorted codes ``noai``, ``noimageai``, ``tdm-reservation``,
        ``aipref:<use>``, ``agent:<name>``; empty when nothing was reserved.
    """
    licences: list[str | None] = [None] * batch.num_rows
    ranks = [len(_ORDER)] * batch.num_rows
    opt_outs: list[set[str]] = [set() for _ in range(batch.num_rows)]
    declarations = batch.column("declarations")
    flat = declarations.flatten()
    if len(flat):
        rows = pc.indices_nonzero(_wanted(flat))
        parents = pc.list_parent_indices(declarations).take(rows).to_pylist()
        for row, said in zip(parents, flat.take(rows).to_pylist(), strict=True):
            where, name, value = said["where"], said["name"].lower(), said["value"]
            opt_outs[row] |= opt_out(where, name, value)
            rank = _ORDER.index(where) if where in _ORDER else len(_ORDER)
            if rank < ranks[row] and (stated := licence(where, name, value)):
                licences[row], ranks[row] = stated, rank
    return pa.StructArray.from_arrays(
        [pa.array(licences, pa.string()), pa.array([sorted(codes) for codes in opt_outs], pa.list_(pa.string()))],
        fields=list(schema.RIGHTS),
    )


def _wanted(flat: pa.StructArray) -> pa.BooleanArray:
    name = pc.utf8_lower(flat.field("name"))
    where = flat.field("where")
    named = pc.match_substring_regex(
        name, r"licen[sc]e|rights|robots|^tdm-|content-usage|content-signal|^link$|^tdm$|" + "|".join(_AGENTS)
    )
    return pc.or_(named, pc.and_(pc.equal(where, "jsonld"), pc.match_substring(flat.field("value"), '"license"')))


def opt_out(where: str, name: str, value: str) -> set[str]:
    """Codes of what one declaration reserves."""
    value = value[:MAX_VALUE]
    codes: set[str] = set()
    if (where == "meta" and name in _ROBOTS) or (where == "http" and name == "x-robots-tag"):
        words = set(re.findall(r"[a-z-]+", value.lower()))
        codes |= words & {"noai", "noimageai"}
        if name in _AGENTS and words & {"noindex", "none", "noarchive"}:
            codes.add(f"agent:{name}")
    elif where in ("http", "meta") and name == "tdm-reservation":
        if value.strip().strip('"') == "1":
            codes.add("tdm-reservation")
    elif where in ("http", "meta") and name in ("content-usage", "content-signal"):
        codes |= {f"aipref:{match.group('use').lower()}" for match in _REFUSED.finditer(value)}
    return codes


def licence(where: str, name: str, value: str) -> str | None:
    """The licence that one declaration states, normalised; None when it states none."""
    stated = None
    if (
        (where == "link" and name == "license")
        or (where == "meta" and name in _LICENCE_META)
        or (where == "card" and name in ("license", "licence"))
    ) or (where == "field" and _LICENCE_FIELDS.search(name)):
        stated = value
    elif where == "http" and name == "link" and (match := _LINK_LICENCE.search(value[:MAX_VALUE])):
        stated = match.group(1)
    elif where == "jsonld":
        stated = _json_licence(value)
    return _normalised(stated) if stated else None


def _json_licence(value: str) -> str | None:
    if len(value) > MAX_JSON:
        return None
    try:
        node = json.loads(value)
    except (ValueError, RecursionError):
        return None
    nodes = node if isinstance(node, list) else node.get("@graph", [node]) if isinstance(node, dict) else []
    for item in nodes[:200] if isinstance(nodes, list) else []:
        kind = item.get("@type", "") if isinstance(item, dict) else ""
        if isinstance(item, dict) and "ImageObject" not in kind:
            stated = item.get("license")
            stated = stated.get("@id", stated.get("url")) if isinstance(stated, dict) else stated
            if isinstance(stated, str):
                return stated
    return None


def _normalised(stated: str) -> str | None:
    stated = " ".join(stated[:1000].split())
    if match := _CC.search(stated):
        if match.group("public"):
            return (
                f"CC0-{match.group('pversion')}"
                if match.group("public").lower() == "zero"
                else f"PDM-{match.group('pversion')}"
            )
        return f"CC-{match.group('kind').upper()}-{match.group('version')}"
    if match := _CC_WORDS.fullmatch(stated):
        if match.group("kind").lower() in ("0", "zero"):
            return "CC0-1.0"
        kind = match.group("kind").upper().replace(" ", "-")
        return f"CC-{kind}-{match.group('version')}" if match.group("version") else f"CC-{kind}"
    return stated[:200] or None
