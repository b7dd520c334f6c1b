"""Every marker that is looked for: its pattern, since when it can exist, its weight and whether it decides."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Marker:
    """A string that a chat interface or a model leaves behind.

    Attributes:
        name: Stable name, part of the reason ``marker:<name>``.
        family: Whose product leaves it; several families on one page make it a page about markers.
        prefilter: RE2 pattern that is true wherever ``pattern`` can be; run over every record.
        pattern: Python pattern of the whole marker.
        since: First day on which the product that leaves it existed.
        weight: Natural-log likelihood ratio, synthetic over human.
        measured: Whether the weight comes from counts on labelled data (see ``docs/evidence.md``) or is assumed.
        decides: Whether it decides alone, in the right context.
        minimum: How many must stand in the text.
        voice: Whether it is a sentence, and so must be the page's own voice.
        head: Only within so many characters from the start; 0 means anywhere.
    """

    name: str
    family: str
    prefilter: str
    pattern: re.Pattern[str]
    since: dt.date
    weight: float
    measured: bool = False
    decides: bool = False
    minimum: int = 1
    voice: bool = False
    head: int = 0


_CHATGPT: Final = dt.date(2022, 11, 30)
_TURN: Final = r"turn\d{1,3}(?:search|view|fetch|file|image|news|product|forecast)\d{1,3}"

_SELF_EN: Final = (
    r"as (?:an?|the) (?:(?:ai|artificial intelligence)(?:[- ](?:powered|based))?(?: (?:large )?(?:language "
    r")?(?:model|assistant|chatbot))|"
    r"(?:large )?language model|text-based ai(?: \w+)?)(?: (?:developed|created|trained|made|built) by \w+)?,? "
    r"(?:i\b|i['’]m|my\b|it is (?:not|beyond)|it['’]s (?:not|important))"
)
_SELF_OTHER: Final = (
    r"作[为為](?:一[个個名])?(?:由\w{1,20}(?:开发|训练)的)?(?:ai|人工智[能慧])?(?:大型?)?(?:语言|語言)?(?:模型|助手)，?(?:我|本身)|"
    r"(?:ai|人工知能)?(?:の)?(?:大規模)?言語モデルとして、?(?:私|お答え)|aiアシスタントとして、?私|"
    r"como (?:un |uma? )?(?:modelo de (?:lenguaje|linguagem|língua)|asistente|assistente)(?: (?:de |por )?(?:ia|"
    r"inteligencia artificial|"
    r"inteligência artificial|grande))*,? (?:yo |eu )?(?:no |não )?(?:puedo|tengo|soy|posso|tenho|sou|mi\b|meu)|"
    r"en tant (?:qu['’](?:ia|intelligence artificielle|assistant)|que (?:modèle (?:de langage|linguistique)|"
    r"assistant))[^.!?\n]{0,40}?,? "
    r"je (?:ne |n['’]|peux|suis)|"
    r"als (?:ki|k[üu]nstliche intelligenz|ki-(?:sprachmodell|modell|assistent)|(?:großes )?sprachmodell)[^.!?\n"
    r"]{0,30}?,? (?:kann|habe|bin|verfüge) ich|"
    r"come (?:modello (?:di linguaggio|linguistico)|assistente)[^.!?\n]{0,40}?,? (?:non )?(?:posso|ho|sono)|"
    r"(?:как|будучи) (?:языков(?:ая|ой) модель(?:ю)?|искусственный интеллект|ии|ии-ассистент)[^.!?\n]{0,40}?,? "
    r"(?:я|у меня)|"
    r"(?:저는 )?(?:인공지능|ai)(?: 언어)? ?모델(?:로서|로써|이기 때문에)|"
    r"(?:بصفتي|كوني|باعتباري) (?:نموذج|نموذجًا)(?: (?:لغ\w+|ذكاء))?"
)
_REFUSAL: Final = (
    r"(?:i['’]m sorry,? but |i apologi[sz]e,? but |sorry,? (?:but )?)?i (?:can['’]?t|cannot|can not|am (?:not "
    r"able|unable) to|['’]m (?:not able|unable) to) "
    r"(?:assist(?: you)? with|help(?: you)? with|fulfill|fulfil|comply with|complete|provide assistance with) "
    r"(?:that|this|your) (?:specific )?request|"
    r"i['’]m sorry,? but as an ai\b|"
    r"(?:很?抱歉，|对不起，)我(?:无法|不能)(?:满足|完成|提供|协助)(?:您|你)?的?(?:这个|该)?(?:请求|要求)|"
    r"lo siento, (?:pero )?no puedo (?:ayudarte|ayudar|cumplir|asistir)(?:te)? con es[ao]|"
    r"je suis désolée?, (?:mais )?je ne peux pas (?:répondre à|satisfaire) (?:cette|votre) demande|"
    r"es tut mir leid, (?:aber )?(?:ich kann|dabei kann ich)[^.\n]{0,30}(?:anfrage|nicht (?:helfen|weiterhelfen))"
)
_CUTOFF: Final = (
    r"(?:as of|up to|until|since) my (?:last |latest |most recent )?(?:knowledge|training)(?: data)? ?(?:update|"
    r"cut-?off)|"
    r"my (?:knowledge|training data)(?: only)? (?:cut-?off (?:date )?(?:is|was|of|in)|(?:was last updated|goes "
    r"up to|extends (?:up )?to|is (?:limited|current) (?:to|until|as of)))|"
    r"(?:截至|截止)(?:到)?我(?:的)?(?:最后|上次|最近)?(?:的)?(?:知识|训练)(?:更新|截止|数据)|"
    r"(?:hasta|à|a partir de) (?:mi|ma|minha) (?:última actualización|dernière mise à jour|última atualização) "
    r"(?:de|des) con|"
    r"(?:bis zu|stand) meine[rms] (?:letzten )?(?:wissens|trainings)(?:update|stand|datum|aktualisierung)"
)
_REWRITTEN: Final = (
    r"(?:(?:sure|certainly|of course|absolutely)[!,.] )?here(?: is|['’]s) (?:a|an|the|your) (?:\w+[, ]+){0,3}?"
    r"(?:rewritten|revised|rephrased|paraphrased|polished|improved|refined|edited|expanded|humanized|"
    r"shortened)(?: \w+){0,2} "
    r"(?:version|draft|copy|text|article|essay|paragraph|abstract|passage)(?: of (?:your|the) \w+)?"
)
_OPENING: Final = (
    r"(?:sure(?: thing)?|certainly|of course|absolutely|great question)[!,.] (?:here(?: is|['’]s| are)|i['’]d be "
    r"happy|i can help)|"
    r"(?:当然可以|当然|好的)[！，,。](?:以下|下面|这)是|¡(?:claro|por supuesto)!? (?:aquí|a continuación)|(?:bien sûr|"
    r"certainement) ?! (?:voici)|"
    r"(?:natürlich|gerne)! hier ist"
)
_CLOSING: Final = (
    r"(?:let me know if you(?:['’]d| would) like me to|would you like me to (?:\w+ ){0,3}(?:add|expand|adjust|"
    r"create|provide|rewrite|refine|make)|"
    r"i hope this (?:helps|information (?:is|was) helpful)[!.](?: let me know|$)|feel free to (?:ask|let me "
    r"know) if you (?:have any|need))"
)


def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


MARKERS: Final = (
    Marker(
        "openai-oaicite",
        "openai",
        r"oaicite:|oai_citation:",
        re.compile(r":contentReference\[oaicite:\d+\]|\[oaicite:\d+\]|oai_citation:\d+‡"),
        _CHATGPT,
        9.0,
        decides=True,
    ),
    Marker(
        "openai-citeturn",
        "openai",
        r"turn[0-9]+(?:search|view|fetch|file|image|news|product|forecast)[0-9]",
        re.compile(
            rf"[\ue200-\ue204]?cite[\ue200-\ue204]?(?:{_TURN}[\ue200-\ue204]?)+|(?:[\ue200-\ue204]{_TURN})+|"
            rf"(?:{_TURN}){{2,}}"
        ),
        _CHATGPT,
        9.0,
        decides=True,
    ),
    Marker(
        "openai-source",
        "openai",
        r"【[0-9]+(?::[0-9]+)?†",
        re.compile(r"【\d{1,3}(?::\d{1,3})?†[^】\n]{1,80}】"),
        _CHATGPT,
        8.0,
        decides=True,
    ),
    Marker(
        "openai-sandbox",
        "openai",
        r"sandbox:/mnt/data/",
        re.compile(r"\]\(sandbox:/mnt/data/[^)\s]*\)"),
        _CHATGPT,
        8.0,
        decides=True,
    ),
    Marker(
        "openai-attribution",
        "openai",
        r"attributableIndex",
        re.compile(r"\{\"attribution\":\{\"attributableIndex\":\"[\d-]+\"\}\}|\"attributableIndex\":\s*\"[\d-]+\""),
        _CHATGPT,
        8.0,
        decides=True,
    ),
    Marker(
        "openai-writing",
        "openai",
        r":::writing",
        re.compile(r"^:::writing(?:\{[^}\n]{0,200}\})?\s*$", re.MULTILINE),
        dt.date(2025, 1, 1),
        7.0,
        decides=True,
    ),
    Marker(
        "openai-utm",
        "openai",
        r"utm_source=(?:chatgpt\.com|openai)",
        re.compile(r"[?&]utm_source=(?:chatgpt\.com|openai)\b"),
        _CHATGPT,
        2.0,
    ),
    Marker(
        "openai-citation-run",
        "openai",
        r"[a-z]\+[0-9][A-Z]\w+\+[0-9]",
        re.compile(r"\b[A-Z][\w.&]+(?: [A-Z][\w.&]+){0,3}\+\d{1,2}[A-Z][\w.&]+(?: [A-Z][\w.&]+){0,3}\+\d{1,2}"),
        _CHATGPT,
        2.0,
    ),
    Marker(
        "google-cite-start",
        "google",
        r"\[cite_start\]",
        re.compile(r"\[cite_start\]"),
        dt.date(2023, 3, 21),
        9.0,
        decides=True,
    ),
    Marker(
        "google-cite",
        "google",
        r"\[cite: ?[0-9]",
        re.compile(r"\[cite: ?\d{1,4}(?:, ?\d{1,4})*\]"),
        dt.date(2023, 3, 21),
        3.0,
    ),
    Marker(
        "google-span",
        "google",
        r"\((?:start|end)_span\)",
        re.compile(r"\[span_\d+\]\((?:start|end)_span\)"),
        dt.date(2023, 3, 21),
        9.0,
        decides=True,
    ),
    Marker(
        "google-grounding",
        "google",
        r"vertexaisearch\.cloud\.google\.com/grounding",
        re.compile(r"vertexaisearch\.cloud\.google\.com/grounding-api-redirect/[\w-]{8,}"),
        dt.date(2023, 3, 21),
        7.0,
        decides=True,
    ),
    Marker(
        "xai-grok-card",
        "xai",
        r"grok_card|grok_render_citation_card_json",
        re.compile(r"\bgrok_card\b|grok_render_citation_card_json"),
        dt.date(2023, 11, 4),
        8.0,
        decides=True,
    ),
    Marker(
        "xai-referrer", "xai", r"referrer=grok\.com", re.compile(r"[?&]referrer=grok\.com"), dt.date(2023, 11, 4), 2.0
    ),
    Marker(
        "microsoft-cite",
        "microsoft",
        r"\[\^[0-9]+\^\]",
        re.compile(r"\[\^\d{1,3}\^\]"),
        dt.date(2023, 2, 7),
        7.0,
        decides=True,
        minimum=2,
    ),
    Marker(
        "microsoft-utm",
        "microsoft",
        r"utm_source=copilot\.com",
        re.compile(r"[?&]utm_source=copilot\.com\b"),
        dt.date(2023, 2, 7),
        2.0,
    ),
    Marker(
        "deepseek-citation",
        "deepseek",
        r"\[citation:[0-9]",
        re.compile(r"\[citation:\d{1,3}\]"),
        dt.date(2023, 11, 2),
        7.0,
        decides=True,
        minimum=2,
    ),
    Marker(
        "deepseek-think",
        "deepseek",
        r"</think>",
        re.compile(r"(?:^|\n)[ \t]*</think>|(?<=[.!?。！？\n])\s?</think>"),
        dt.date(2024, 9, 12),
        7.0,
        decides=True,
    ),
    Marker(
        "perplexity-upload",
        "perplexity",
        r"ppl-ai-file-upload|\[attached_file:[0-9]",
        re.compile(r"ppl-ai-file-upload\.s3[\w.-]*/|\[attached_file:\d{1,3}\]"),
        dt.date(2022, 12, 7),
        8.0,
        decides=True,
    ),
    Marker(
        "perplexity-web",
        "perplexity",
        r"\[web:[0-9]+\]",
        re.compile(r"\[web:\d{1,3}\]"),
        dt.date(2022, 12, 7),
        2.0,
        minimum=2,
    ),
    Marker(
        "self-description",
        "any",
        r"(?i)\bas an? (?:ai|artificial|large lang|language mod|text-based ai)|作[为為].{0,30}(?:模型|助手)|"
        r"言語モデルとして|"
        r"アシスタントとして|modelo de l|asistente de i|assistente de i|en tant qu|als (?:ki\b|ki-|sprach|"
        r"großes sprach|"
        r"k[üu]nstliche)|come (?:modello|assistente)|(?:как|будучи) (?:язык|искус|ии)|모델(?:로서|로써|이기)|(?:بصفتي|"
        r"كوني|باعتباري) نموذج",
        _any_case(rf"(?:{_SELF_EN}|{_SELF_OTHER})"),
        _CHATGPT,
        5.5,
        measured=True,
        decides=True,
        voice=True,
    ),
    Marker(
        "refusal",
        "any",
        r"(?i)(?:assist|help|fulfil|comply|complete|provide)[a-z ]{0,20} (?:that|this|your) (?:specific "
        r")?request|but as an ai|(?:抱歉|对不起)，我(?:无法|不能)|lo siento,|désolée?,|es tut mir leid",
        _any_case(_REFUSAL),
        _CHATGPT,
        3.1,
        measured=True,
        decides=True,
        voice=True,
    ),
    Marker(
        "knowledge-cutoff",
        "any",
        r"(?i)my (?:last |latest |most recent )?(?:knowledge|training)|我.{0,6}(?:知识|训练)|(?:mi|ma|minha) "
        r"(?:última|dernière) (?:actual|mise|atual)|meine[rms] (?:letzten )?(?:wissens|trainings)",
        _any_case(_CUTOFF),
        _CHATGPT,
        3.1,
        measured=True,
        decides=True,
        voice=True,
    ),
    Marker(
        "rewritten-version",
        "any",
        r"(?i)here(?: is|['’]s) (?:a|an|the|your) ",
        _any_case(_REWRITTEN),
        _CHATGPT,
        5.1,
        measured=True,
        decides=True,
        voice=True,
        head=200,
    ),
    Marker(
        "chat-opening",
        "any",
        r"(?i)(?:sure(?: thing)?|certainly|of course|absolutely|great question)[!,.] (?:here|i)|(?:当然|好的)|"
        r"¡(?:claro|por supuesto)|(?:bien sûr|certainement) ?!|(?:natürlich|gerne)! hier",
        _any_case(_OPENING),
        _CHATGPT,
        3.0,
        voice=True,
        head=120,
    ),
    Marker(
        "chat-closing",
        "any",
        r"(?i)(?:let me know if you|would you like me to|i hope this (?:helps|info)|feel free to (?:ask|let))",
        _any_case(_CLOSING),
        _CHATGPT,
        1.0,
        voice=True,
    ),
    Marker(
        "placeholder",
        "any",
        r"(?i)\[(?:your|insert|author|company|date|recipient)|20XX-XX",
        re.compile(
            r"\[(?:Your|Insert|Author['’]s?|Company|Recipient['’]s?) [A-Z]?[\w /'’-]{2,30}\]|\[(?:your|insert) "
            r"[\w /'’-]{2,40}\]|\b20XX-XX-XX\b"
        ),
        _CHATGPT,
        2.0,
    ),
)
"""Families and strings follow the project's notes on markers; ``since`` is the day the product opened, never later
than the first day on which the string can have appeared."""

PREFILTER: Final = "|".join(f"(?:{marker.prefilter})" for marker in MARKERS)
