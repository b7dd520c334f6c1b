"""Markers: strings that only a chat interface or a model leaves behind, judged by where they stand.

One pass over the whole column finds the few records that can hold any; only those are judged. A marker counts
neither in code nor in quotation, nor on a page that is about such markers, nor before its product existed.
"""

from __future__ import annotations

import bisect
import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provenance.evidence import prescreen
from provenance.evidence.catalogue import MARKERS, Marker
from provenance.evidence.common import Evidence, as_lists, excerpt

VERSION: Final = "1"
"""Changes whenever the same text may be seen otherwise; recorded with every scan."""

MAX_CHARS: Final = 1 << 20
"""How much of one record is judged, in characters."""

_TRUSTED: Final = ("container", "column")

_CODE: Final = re.compile(r"```(?s:.*?)(?:```|\Z)|~~~(?s:.*?)(?:~~~|\Z)|(?<!`)`[^`\n]{1,400}`(?!`)|^>.*$", re.MULTILINE)
_CODE_TAG: Final = re.compile(r"<(/?)(code|pre|samp|kbd|nowiki)\b[^<>]{0,200}>", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r"“[^”\n]{0,600}”|„[^“”\n]{0,600}[“”]|«[^»\n]{0,600}»|「[^」\n]{0,400}」|『[^』\n]{0,400}』|《[^》\n]{0,200}》|"
    r"(?<![\w.])\"[^\"\n]{1,600}\"(?!\w)|(?<!\w)'[^'\n]{1,300}'(?!\w)|(?<!\w)‘[^\n]{1,300}?’(?!\w)"
)
_TOPIC: Final = re.compile(
    r"\b(chat ?gpt|gpt-?[345]\w*|openai|open ai|gemini|copilot|deepseek|perplexity|claude|grok|chatbots?|llms?|"
    r"large language models?|language models?|"
    r"prompts?|prompting|prompted|prompt engineering|jailbreak\w*|ai-generated|ai generated|ai writing|ai text|"
    r"ai detect\w*|hallucinat\w*|markers?|markup|artifacts?|artefacts?|"
    r"tokens?|regex(?:es)?|regular expressions?|bugs?|parser|detector|boilerplate|tell-?tale|phrase|phrases|"
    r"placeholder|"
    r"copy-?past\w*|paste|pasted|fine-?tun\w*|refus\w+|guardrails?|disclaimer|utm_source|tracking parameters?|"
    r"sprachmodell\w*|künstliche intelligenz|ki-generiert\w*|modelos? de lenguaje|generad[oa]s? por ia|modèles? "
    r"de langage|"
    r"généré par (?:l['’])?ia|inteligencia artificial|intelligence artificielle|нейросет\w+|языков\w+ модел\w+|"
    r"промпт\w*)\b"
    r"|提示词|大模型|语言模型|人工智能|生成式|聊天机器人|"
    r"プロンプト|生成AI|言語モデル|チャットボット|언어 모델|프롬프트",
    re.IGNORECASE,
)
_REPORTED: Final = re.compile(
    r"(?:\b(?:said|says|say|saying|replied|replies|reply|respond(?:ed|s|ing)?|response|answer(?:ed|s)?|wrote|"
    r"writes|output|outputs|generated|"
    r"told|tells|begins?|began|starts? with|starting with|phrase|like|such as|reads?|read|message|stated?|states|"
    r"states that|dice|dijo|responde|respondió|"
    r"antwortet\w*|sagt\w*|schreibt|répond\w*|dit|disse|responde[ur]?|ответил\w*|отвечает|сказал\w*|пишет)\b|回答|"
    r"回复|表示|写道|说|答え|と言)[^.!?。！？\n]{0,60}$",
    re.IGNORECASE,
)
_SENTENCE_START: Final = re.compile(r"(?:\A|[.!?…。！？:：;；)\]]|\n|^[-*•#>]+)[\s*_#\"'-]*$", re.MULTILINE)

ABOUT_TERMS: Final = 4
"""From so many different topic words on, outside the markers themselves, a page is about models and their traces."""

_ABOUT_NEAR: Final = 2
_NEARBY: Final = 160


def observe(batch: pa.RecordBatch) -> pa.ListArray:
    """Find the markers of each record.

    Args:
        batch: Records in `provenance.schema.PREPARED`.

    Returns:
        A list of `provenance.schema.EVIDENCE` for each record, in the order of the catalogue.
    """
    texts = batch.column("text")
    found: dict[int, list[Evidence]] = {}
    for row, candidates in sorted(_possible(texts).items()):
        if batch.column("text_kind")[row].as_py() in ("code", "empty"):
            continue
        captured: dt.datetime | None = batch.column("captured_at")[row].as_py()
        trusted = batch.column("date_origin")[row].as_py() in _TRUSTED
        reasons = judge(texts[row].as_py(), captured.date() if captured is not None and trusted else None, candidates)
        if reasons:
            found[row] = reasons
    return as_lists(found, batch.num_rows)


def _possible(texts: pa.LargeStringArray) -> dict[int, list[Marker]]:
    """Rows that may hold markers, and which, in the order of the catalogue."""
    held = prescreen.in_texts(texts)
    possible: dict[int, list[Marker]] = {}
    for bit, marker in enumerate(MARKERS):
        rows = np.flatnonzero(held >> np.uint64(bit) & np.uint64(1))
        if len(rows):
            likely = pc.match_substring_regex(texts.take(pa.array(rows)), marker.prefilter)
            for row in rows[likely.to_numpy(zero_copy_only=False)].tolist():
                possible.setdefault(row, []).append(marker)
    return possible


def judge(text: str, captured: dt.date | None = None, candidates: Sequence[Marker] = MARKERS) -> list[Evidence]:
    """Judge the markers of one text by their context.

    Args:
        text: Repaired text.
        captured: The day of its capture if that can be trusted.
        candidates: The markers to look for.

    Returns:
        One reason for each marker that stands in the page's own text. Empty for a page about markers.
    """
    text = text[:MAX_CHARS]
    seen = [(marker, spans) for marker in candidates if (spans := _spans(marker, text, captured))]
    if not seen:
        return []
    shielded = _shielded(text)
    kept = []
    for marker, spans in seen:
        open_spans = [span for span in spans if not _inside(shielded, span[0])]
        if marker.voice:
            open_spans = [span for span in open_spans if _own_voice(text, span[0])]
        # Half of the occurrences quoted: the page explains the marker, and the rest are slips of its own.
        if len(open_spans) >= marker.minimum and 2 * len(open_spans) >= len(spans):
            kept.append((marker, open_spans))
    if not kept or _about(text, seen, kept):
        return []
    return [
        Evidence("marker", marker.name, _detail(text, spans), marker.weight, marker.measured, marker.decides)
        for marker, spans in kept
    ]


def _spans(marker: Marker, text: str, captured: dt.date | None) -> list[tuple[int, int]]:
    if captured is not None and captured < marker.since:
        return []
    region = text[: marker.head] if marker.head else text
    return [match.span() for match in marker.pattern.finditer(region)]


def _shielded(text: str) -> list[tuple[int, int]]:
    """Spans of code and quotation, sorted and disjoint."""
    spans: list[tuple[int, int]] = []
    found = [match.span() for pattern in (_CODE, _QUOTED) for match in pattern.finditer(text)]
    for start, end in sorted(found + _tagged(text)):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _tagged(text: str) -> list[tuple[int, int]]:
    """Spans between tags of code, paired in one pass so that unclosed tags cost nothing."""
    opened: dict[str, int] = {}
    spans = []
    for match in _CODE_TAG.finditer(text):
        name = match.group(2).lower()
        if not match.group(1):
            opened.setdefault(name, match.start())
        elif name in opened:
            spans.append((opened.pop(name), match.end()))
    return spans


def _inside(spans: list[tuple[int, int]], position: int) -> bool:
    at = bisect.bisect_right(spans, (position, 1 << 62)) - 1
    return at >= 0 and spans[at][0] <= position < spans[at][1]


def _own_voice(text: str, start: int) -> bool:
    before = text[max(0, start - 100) : start]
    sentence = re.split(r"(?<=[.!?。！？])\s|\n", before)[-1]
    if _REPORTED.search(sentence) or (
        _REPORTED.search(before.rstrip(' :："“«「\n')) and re.search(r"[:：]\s*[\"“«「]?\s*$", before)
    ):
        return False
    return len(sentence.strip()) <= 60


def _about(
    text: str, seen: list[tuple[Marker, list[tuple[int, int]]]], kept: list[tuple[Marker, list[tuple[int, int]]]]
) -> bool:
    families = {marker.family for marker, _ in seen if marker.family != "any"}
    if len(families) >= 2:
        return True
    own = sorted(span for _, spans in seen for span in spans)
    words = max(1, len(text) // 6)
    total = 0
    terms = set()
    near = set()
    starts = [start for _, spans in kept for start, _ in spans]
    # A sentence in which the model names itself is full of these words: they say nothing about the topic.
    for match in _TOPIC.finditer(text):
        if _inside(own, match.start()) or _in_own_sentence(text, own, match.start()):
            continue
        term = match.group().lower()
        total += 1
        terms.add(term)
        if any(abs(match.start() - start) <= _NEARBY for start in starts):
            near.add(term)
    if len(terms) >= ABOUT_TERMS and total * 150 >= words:
        return True
    return len(near) >= _ABOUT_NEAR and total * 60 >= words


def _in_own_sentence(text: str, own: list[tuple[int, int]], position: int) -> bool:
    at = bisect.bisect_right(own, (position, 1 << 62)) - 1
    return (
        at >= 0 and 0 <= position - own[at][1] <= 200 and not re.search(r"[.!?。！？\n]", text[own[at][1] : position])
    )


def _detail(text: str, spans: list[tuple[int, int]]) -> str:
    start, end = spans[0]
    more = f" (and {len(spans) - 1} more)" if len(spans) > 1 else ""
    shown: Any = excerpt(text[start : min(end, start + 120)])
    return f"{shown} at character {start}{more}"
