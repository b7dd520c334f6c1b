"""Which markers and labels a text can hold at all: strings that each has one of, looked for in one pass.

Where a text has none of a marker's strings, the marker's regular expression finds nothing; a property test draws texts
from the expressions and looks for the strings in them. A string has at most eight bytes, so most are the telling
part of what the expression asks for.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from string import ascii_lowercase
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.evidence.catalogue import MARKERS
from provenance.text.fragments import ANYWHERE, Fragments, fragments

_DIGITS: Final = "0123456789"
_Strings = tuple[str | bytes, ...]


def _each(*parts: str) -> tuple[str, ...]:
    """Every way to take one of the words of each part."""
    return tuple("".join(way) for way in product(*(part.split("|") for part in parts)))


def _any_case(word: str) -> tuple[str, ...]:
    return tuple("".join(way) for way in product(*((letter, letter.upper()) for letter in word)))


_STRINGS: Final[dict[str, _Strings]] = {
    "openai-oaicite": ("oaicite:", "oai_cita"),
    "openai-citeturn": tuple(f"turn{digit}" for digit in _DIGITS),
    "openai-source": tuple(b"\x80\x90%d" % digit for digit in range(10)),  # behind the first byte of a bracket
    "openai-sandbox": ("box:/mnt",),
    "openai-attribution": ("ttributa",),
    "openai-writing": (":::writi",),
    "openai-utm": ("e=chatgp", "e=openai"),
    "openai-citation-run": tuple(f"+{digit}{letter}" for digit in _DIGITS for letter in ascii_lowercase),
    "google-cite-start": ("[cite_st",),
    "google-cite": ("[cite:",),
    "google-span": ("_span)",),
    "google-grounding": ("xaisearc",),
    "xai-grok-card": ("rok_card", "ok_rende"),
    "xai-referrer": ("=grok.co",),
    "microsoft-cite": tuple(f"[^{digit}" for digit in _DIGITS),
    "microsoft-utm": ("e=copilo",),
    "deepseek-citation": ("[citatio",),
    "deepseek-think": ("</think>",),
    "perplexity-upload": ("ppl-ai-f", "[attache"),
    "perplexity-web": ("[web:",),
    "self-description": (
        *_each("s a |s an ", "ai|art|lar|lan|tex"),
        *("模型", "助手", "ルと", "ント", "elo de l", "nte de i", "tant qu", "als spra", "als gro", "als k"),
        *("come mod", "come ass", *_any_case("зык"), *_any_case("кус"), *_any_case(" ии"), "델로", "델이", "نموذ"),
    ),
    "refusal": (
        *_each("that|this|your|ific", " req"),
        *("s an ai", "我无", "我不", "siento,", b"\xa9sol", b"\x89sol", "tut mir "),  # behind the first byte of é, É
    ),
    "knowledge-cutoff": (
        *_each("my|st|nt", " ", "knowl|train"),
        *("知识", "训练", *_each("tima ", "act|atu|mis"), *_each("ner|nem|nes|ten", " ", "wiss|trai")),
        *(first + rest for first in (b"\xa8", b"\x88") for rest in (b"re mis", b"re act", b"re atu")),
    ),
    "rewritten-version": (*_each("re is ", "a|th|yo"), *_each("e'|e’", "s ", "a|t|y")),
    "chat-opening": (
        *_each("re|ng|ly|se|on", "!|,|.", " her| i"),
        *("当然", "好的", "claro", "upuesto", "bien s", "nement", "h! hier", "e! hier"),
    ),
    "chat-closing": ("w if you", "like me ", "ope this", "ee to as", "ee to le"),
    "placeholder": ("[your", "[insert", "[author", "[company", "[date", "[recipie", "20xx-xx"),
}

_LABELS: Final[_Strings] = (
    *(b"\xbb\xbf\xef\xb8", b"\xbb\xbf\xf3\xa0", "gin c2pa", "aigc", "生成", "合成", "创作", "撰写", "產生"),
)

_BYTES: Final = 4
"""Longest character, in bytes of UTF-8."""

_SLACK: Final = 32
"""How many characters behind the start of a marker its string may begin."""


def in_texts(texts: pa.LargeStringArray) -> npt.NDArray[np.uint64]:
    """The markers whose strings each text holds: bit ``i`` for `catalogue.MARKERS` ``[i]``."""
    return _of_markers().in_texts(texts)


@cache
def _of_markers() -> Fragments:
    """Strings of markers; of those that count at the head of a text alone, only where they can matter."""
    return fragments(
        (text, bit, _BYTES * (marker.head + _SLACK) if marker.head else ANYWHERE)
        for bit, marker in enumerate(MARKERS)
        for text in _STRINGS[marker.name]
    )


@cache
def of_labels() -> Fragments:
    """What labels and manifests that stand in a text need."""
    return fragments((text, 0, ANYWHERE) for text in _LABELS)
