"""Declared: what the publisher itself says about who wrote the text, in headers, metadata, labels or fields.

Only what speaks of the text itself counts. A record recovered after damage is not believed. A declaration that no
model was used weighs a little towards human and never decides; the absence of any says nothing and gives no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provenance.evidence import prescreen
from provenance.evidence.common import Evidence, as_lists, excerpt
from provenance.evidence.disclosure import (
    ASSISTED,
    NO_MODEL,
    WRITTEN,
    Reading,
    aigc_label,
    article_declarations,
    disclosure,
)

VERSION: Final = "1"
"""Changes whenever the same text may be seen otherwise; recorded with every scan."""

AIGC_READINGS: Final = {"1": WRITTEN, "2": Reading(2.5, False), "3": Reading(1.0, False)}
C2PA_WEIGHT: Final = 0.5
SENTENCE_WEIGHT: Final = 2.5
CARD_WEIGHT: Final = 3.0

_META_NAMES: Final = (
    "ai-disclosure",
    "ai-generated",
    "ai_generated",
    "aigc",
    "digitalsourcetype",
    "iptc:digitalsourcetype",
)
_FIELD_NAMES: Final = re.compile(
    r"(?:^|[.\[/])(?P<key>generator|generator_model|generation_model|generated_by|generating_model|"
    r"model_generator|llm|llm_name|teacher_model|"
    r"model|model_name|model_id|is_synthetic|synthetic|ai_generated|is_ai_generated|machine_generated|"
    r"is_machine_generated|aigc)\]?$",
    re.IGNORECASE,
)
_TRUTH_FIELDS: Final = frozenset(
    {"is_synthetic", "synthetic", "ai_generated", "is_ai_generated", "machine_generated", "is_machine_generated"}
)
_MODEL: Final = re.compile(
    r"(?:^|[/\s_:-])(?:chat)?(?:gpt-?[2345o]\S*|gpt-?neo\S*|gpt-?j\S*|chatgpt\S*|o[134](?:-\S+)?$|"
    r"text-davinci\S*|davinci\S*|claude\S*|gemini\S*|gemma\S*|palm-?2?\S*|bard$|llama\S*|"
    r"mi[sx]tral\S*|qwen\S*|qwq\S*|deepseek\S*|phi-?[1234]\S*|falcon-?\d\S*|yi-\d+b\S*|command-r\S*|vicuna\S*|"
    r"alpaca-?\d*\S*|grok\S*|kimi\S*|glm-?\d\S*|chatglm\S*|"
    r"olmo\S*|nemotron\S*|granite-\d\S*|smollm\S*|bloomz?-\S*|opt-\d\S*|baichuan\S*|internlm\S*|minimax\S*|"
    r"ernie\S*|hunyuan\S*|zephyr-\S*|wizardlm\S*|jamba\S*)",
    re.IGNORECASE,
)
_HUMAN: Final = frozenset({"", "none", "null", "human", "humans", "n/a", "na", "unknown", "false", "0", "no", "person"})
_TRUE: Final = frozenset({"true", "1", "yes", "all"})

_C2PA_WRAPPER: Final = re.compile("\ufeff([\ufe00-\ufe0f\U000e0100-\U000e01ef]{13,})")
_C2PA_MAGIC: Final = b"C2PATXT\0"
_C2PA_ARMOUR: Final = "-----BEGIN C2PA MANIFEST-----"
_AIGC_TEXT: Final = re.compile(r"[\"']?\bAIGC[\"']?\s*[:：=]\s*(\{[^{}]{5,2000}\})")
_AIGC_YAML: Final = re.compile(r"^AIGC:[ \t]*\n((?:[ \t]+\w+:.*\n?){1,12})", re.MULTILINE)
_AIGC_ABOUT: Final = re.compile(
    r"GB ?/?T? ?45438|标识办法|示例|举例|字段|ReservedCode.{0,40}(?:字段|field)|"
    r"\b(?:example|standard|schema|metadata|field)\b",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(
    r"(?:本文|本内容|以上内容|本篇文章|该内容|此内容|内容|文章|文本)(?:部分)?(?:由|系|为|經|经)?(?:AI|人工智[能慧]|大模型|AIGC)[^。！？\n]{0,12}(?:生成|合成|创作|"
    r"撰写|產生)|"
    r"(?:AI|人工智[能慧])(?:辅助)?生成(?:合成)?(?:的)?内容|(?:内容|文本)由人工智能生成"
)
_DENIED: Final = re.compile(r"(?:非|不是|并非|未|没有|无)[^。\n]{0,6}$")
_EDGE: Final = 160
_RAW_PREFILTER: Final = (
    "\ufeff[\ufe00-\ufe0f\U000e0100-\U000e01ef]|-----BEGIN C2PA MANIFEST-----|AIGC[\"']?\\s*[:：=]|"
    "(?:AI|人工智[能慧]|大模型|AIGC)[^。！？\\n]{0,12}(?:生成|合成|创作|撰写|產生)"
)


def observe(batch: pa.RecordBatch) -> pa.ListArray:
    """Read the declarations of each record.

    Args:
        batch: Records in `provenance.schema.PREPARED`. The ``raw`` text is searched, because repair and folding may
            remove invisible characters that carry a manifest.

    Returns:
        A list of `provenance.schema.EVIDENCE` for each record.
    """
    found: dict[int, list[Evidence]] = {}
    recovered = batch.column("recovered").to_pylist()
    for row, where, name, value in _wanted(batch.column("declarations")):
        if not recovered[row]:
            found.setdefault(row, []).extend(_read(where, name, value))
    texts = batch.column("raw")
    suspects = pa.array(np.flatnonzero(prescreen.of_labels().in_texts(texts)))
    hits = suspects.filter(pc.match_substring_regex(texts.take(suspects), _RAW_PREFILTER))
    for row in hits.to_pylist():
        if not recovered[row]:
            found.setdefault(row, []).extend(_read_text(texts[row].as_py()))
    return as_lists({row: _distinct(reasons) for row, reasons in found.items()}, batch.num_rows)


def _wanted(declarations: pa.ListArray) -> Iterator[tuple[int, str, str, str]]:
    """Rows of declarations that some rule reads, found column-wise."""
    flat = declarations.flatten()
    if len(flat) == 0:
        return
    where, name, value = flat.field("where"), pc.utf8_lower(flat.field("name")), flat.field("value")
    spoken = pc.match_substring_regex(value, '(?i)digitalsourcetype|aidisclosure|"AIGC"')

    def at(place: str) -> pa.BooleanArray:
        return pc.equal(where, place)

    rules = [
        pc.and_(at("http"), pc.is_in(name, pa.array(["ai-disclosure", "link"]))),
        pc.and_(at("meta"), pc.is_in(name, pa.array(_META_NAMES))),
        pc.and_(at("jsonld"), spoken),
        pc.and_(at("script"), pc.is_in(name, pa.array(["application/c2pa", "application/aigc+json"]))),
        pc.and_(at("link"), pc.is_in(name, pa.array(["c2pa-manifest"]))),
        pc.and_(at("field"), pc.match_substring_regex(name, "generat|synthetic|model|llm|aigc")),
        pc.and_(at("card"), pc.is_in(name, pa.array(["language_creators", "annotations_creators", "tags"]))),
    ]
    kept = rules[0]
    for rule in rules[1:]:
        kept = pc.or_(kept, rule)
    rows = pc.indices_nonzero(kept)
    parents = pc.list_parent_indices(declarations)
    for row, struct in zip(parents.take(rows).to_pylist(), flat.take(rows).to_pylist(), strict=True):
        yield row, struct["where"], struct["name"].lower(), struct["value"]


def _read(where: str, name: str, value: str) -> list[Evidence]:
    if where == "http":
        if name == "link":
            return _manifest("HTTP Link header") if "c2pa-manifest" in value[:4096] else []
        return _disclosed("ai-disclosure-header", value)
    if where == "meta":
        return _read_meta(name, value)
    if where == "jsonld":
        reasons = [
            _declared(f"{kind}-jsonld" if kind == "ai-disclosure" else kind, term, reading, model)
            for kind, term, reading, model in article_declarations(value)
        ]
        return reasons + _labelled(value, "JSON-LD")
    if name == "application/aigc+json":
        return _labelled(value, "script element")
    if where in ("script", "link"):
        return _manifest(f"HTML {where} element")
    if where == "field":
        return _read_field(name, value)
    return _read_card(name, value)


def _read_meta(name: str, value: str) -> list[Evidence]:
    if name == "aigc":
        return _labelled(value, "meta element")
    if "digitalsourcetype" in name:
        # A meta element may speak of the page's picture, so its term adds weight only.
        return [_declared("digital-source-type", value, ASSISTED)] if "trainedAlgorithmicMedia" in value else []
    word = value.strip().lower()
    if word in _TRUE and name != "ai-disclosure":
        return [_declared("ai-disclosure-meta", f"{name}={word}", WRITTEN)]
    return _disclosed("ai-disclosure-meta", value)


def _disclosed(name: str, value: str) -> list[Evidence]:
    said = disclosure(value)
    return [] if said is None else [_declared(name, *said)]


def _declared(name: str, term: str, reading: Reading, model: str = "") -> Evidence:
    detail = excerpt(f"{term}; model={model}" if model else term)
    return Evidence("declared", name, detail, reading.weight, False, reading.decides)


def _manifest(place: str) -> list[Evidence]:
    detail = f"C2PA manifest in {place}; its signature was not verified"
    return [Evidence("declared", "c2pa-manifest", detail, C2PA_WEIGHT, False, False)]


def _labelled(value: str, place: str) -> list[Evidence]:
    label = aigc_label(value)
    if label is None:
        return []
    return [
        _declared(
            "aigc-label", f"Label {label[0]} in {place}; producer {label[1] or 'not named'}", AIGC_READINGS[label[0]]
        )
    ]


def _read_field(name: str, value: str) -> list[Evidence]:
    match = _FIELD_NAMES.search(name)
    if match is None:
        return []
    key, said = match.group("key").lower(), value.strip()
    if key == "aigc":
        return _labelled(value, f"field {name}")
    if key in _TRUTH_FIELDS:
        if said.lower() in _TRUE:
            return [_declared("field-synthetic", f"{name}={said}", WRITTEN)]
        return (
            [_declared("field-synthetic", f"{name}={said}", NO_MODEL)] if said.lower() in ("false", "0", "no") else []
        )
    if said.lower() in _HUMAN or len(said) > 120 or _MODEL.search(said) is None:
        return []
    return [
        Evidence(
            "declared", "field-model", f"model={excerpt(said)}; field={excerpt(name)}", WRITTEN.weight, False, True
        )
    ]


def _read_card(name: str, value: str) -> list[Evidence]:
    words = {word.lower() for word in re.findall(r"[\w-]+", value[:4096])}
    if name == "language_creators" and "machine-generated" in words:
        alone = words == {"machine-generated"}
        return [
            Evidence(
                "declared",
                "dataset-card",
                f"language_creators: {excerpt(value)}",
                6.0 if alone else CARD_WEIGHT,
                False,
                alone,
            )
        ]
    if name == "tags" and "synthetic" in words:
        return [Evidence("declared", "dataset-card", "tag synthetic", CARD_WEIGHT, False, False)]
    if name == "annotations_creators" and "machine-generated" in words:
        return [Evidence("declared", "dataset-card", f"annotations_creators: {excerpt(value)}", 0.3, False, False)]
    return []


def _read_text(raw: str) -> list[Evidence]:
    reasons = []
    if has_text_manifest(raw):
        reasons += _manifest("the text itself, as variation selectors")
    if _C2PA_ARMOUR in raw and "-----END C2PA MANIFEST-----" in raw:
        reasons += _manifest("the text itself, in ASCII armour")
    edges = ((0, raw[:2000]), (max(0, len(raw) - 2000), raw[-2000:]))
    for _, edge in edges if len(raw) > 2000 else edges[:1]:
        reasons += _text_label(raw, edge)
    for match in (match for edge in (raw[:_EDGE], raw[-_EDGE:]) for match in _SENTENCE.finditer(edge)):
        before = match.string[max(0, match.start() - 12) : match.start()]
        if _DENIED.search(before) is None and "“" not in before and "「" not in before:
            reasons.append(Evidence("declared", "aigc-sentence", excerpt(match.group()), SENTENCE_WEIGHT, False, False))
    return reasons


def _text_label(raw: str, edge: str) -> list[Evidence]:
    match = _AIGC_TEXT.search(edge)
    label = aigc_label(match.group(1)) if match is not None else None
    if match is None:
        block = _AIGC_YAML.search(edge)
        fields = dict(re.findall(r"(\w+):[ \t]*[\"']?([^\"'\n]*)", block.group(1))) if block is not None else {}
        if fields.get("Label") in AIGC_READINGS and ("ContentProducer" in fields or "ProduceID" in fields):
            label = (fields["Label"], fields.get("ContentProducer", "")[:80])
    if label is None:
        return []
    reading = AIGC_READINGS[label[0]]
    # A page that explains the standard shows a label too.
    if "```" in raw or "<code" in raw or len(_AIGC_ABOUT.findall(raw[:20_000])) >= 2:
        reading = Reading(min(reading.weight, 1.0), False)
    return [_declared("aigc-label", f"Label {label[0]} in the text; producer {label[1] or 'not named'}", reading)]


def has_text_manifest(raw: str) -> bool:
    """Whether variation selectors after U+FEFF spell the magic of a C2PA text manifest (C2PA 2.4, A.8)."""
    for match in _C2PA_WRAPPER.finditer(raw):
        codes = [ord(character) for character in match.group(1)[: len(_C2PA_MAGIC)]]
        if bytes(code - 0xFE00 if code < 0xFE10 else code - 0xE0100 + 16 for code in codes) == _C2PA_MAGIC:
            return True
    return False


def _distinct(reasons: list[Evidence]) -> list[Evidence]:
    return list(dict.fromkeys(reasons))
