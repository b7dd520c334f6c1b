"""Markers decide in a page's own text, and nowhere else."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance import schema
from provenance.evidence import markers
from provenance.evidence.catalogue import MARKERS, PREFILTER

BODY = (
    "The old harbour was rebuilt after the flood of 1953, and most of the warehouses along the quay date from "
    "the years that "
    "followed. Visitors who arrive by ferry see the clock tower first. "
)

TRUE_PAGES = {
    "openai-oaicite": BODY + "It has 41 berths. :contentReference[oaicite:3]{index=3} The market opens at six.",
    "openai-oaicite:bare": BODY
    + "Oak was preferred for the piles ([port.example](https://port.example))oai_citation:2‡port.example.",
    "openai-citeturn": BODY + "The ferry runs hourly. citeturn0search4turn0search7 Tickets are sold on board.",
    "openai-citeturn:private-use": BODY
    + "The ferry runs hourly. \ue200cite\ue202turn0search4\ue202turn1view0\ue201 Tickets are sold on board.",
    "openai-source": BODY + "The lighthouse is 31 metres high【4:2†harbour-report.pdf】 and was automated later.",
    "openai-sandbox": BODY + "Download the timetable here: [timetable](sandbox:/mnt/data/timetable.csv).",
    "openai-attribution": BODY + '({"attribution":{"attributableIndex":"1009-1"}}) The pier was extended.',
    "openai-writing": ":::writing\n" + BODY + "\n:::",
    "google-cite-start": "[cite_start]The harbour was rebuilt after the flood. [cite: 12, 14] " + BODY,
    "google-span": BODY + "[span_3](start_span)The clock tower was restored.[span_3](end_span) It strikes every hour.",
    "google-grounding": BODY
    + "See https://vertexaisearch.cloud.google.com/grounding-api-redirect/AWQVqAKe12_abc for the plan.",
    "xai-grok-card": BODY + 'grok_render_citation_card_json={"cardIds":["c1"]} The quay is 800 metres long.',
    "microsoft-cite": BODY + "The ferry takes cars.[^1^][^2^] It does not sail on Sundays.[^3^]",
    "deepseek-citation": BODY + "The piles were replaced in 1987 [citation:1][citation:4]. The sluice followed.",
    "deepseek-think": "The reader wants a short guide.\n</think>\n\n" + BODY,
    "perplexity-upload": BODY + "Plan: https://ppl-ai-file-upload.s3.amazonaws.com/web/direct-files/1/plan.pdf",
    "perplexity-upload:attached": BODY + "The depth is nine metres [attached_file:1] at low tide.",
    "self-description": BODY
    + "As an AI language model, I do not have access to current ferry times, but the port's site lists them.",
    "self-description:zh": "港口在洪水之后重建。作为一个人工智能语言模型，我无法提供实时的渡轮时刻表。"
    "请查看港口网站。码头长八百米。",
    "self-description:es": "El puerto fue reconstruido. Como modelo de lenguaje, no puedo consultar los horarios "
    "actuales del "
    "transbordador.",
    "self-description:fr": "Le port a été reconstruit. En tant que modèle de langage, je ne peux pas consulter "
    "les horaires du "
    "bac.",
    "self-description:de": "Der Hafen wurde wieder aufgebaut. Als KI-Sprachmodell kann ich keine aktuellen "
    "Fahrpläne abrufen.",
    "self-description:ru": "Порт был восстановлен. Как языковая модель, я не могу узнать расписание паромов.",
    "self-description:pt": "O porto foi reconstruído. Como um modelo de linguagem, não posso consultar os "
    "horários da balsa.",
    "self-description:ja": "港は洪水の後に再建されました。AI言語モデルとして、私は現在の時刻表を確認できません。",
    "refusal": "I'm sorry, but I cannot assist with that request. 10 Best Harbours to Visit This Summer",
    "refusal:title": BODY + "\nI can't fulfill this request.\n" + BODY,
    "knowledge-cutoff": BODY + "As of my last knowledge update in September 2021, the ferry was still run by the town.",
    "rewritten-version": "Certainly! Here is a rewritten version of your article:\n\n" + BODY,
}

ABOUT_PAGES = {
    "bug report": "The export leaves :contentReference[oaicite:0]{index=0} in the text. Expected: the parser "
    "strips the citation markup. "
    "Steps to reproduce the bug: ask ChatGPT with browsing, copy the answer, paste it.",
    "guide in code": "Look for this string: `:contentReference[oaicite:0]{index=0}`. It comes from a chat interface.",
    "fenced": "Search your pages for the residue below.\n\n```\nturn0search1turn0search2\n[cite_start]\n```\n\n"
    "Remove what you find.",
    "quoted": "The page still held “As an AI language model, I cannot” in its second paragraph when we visited in May.",
    "reported": "I asked it about my rent. ChatGPT said: As an AI language model, I cannot give legal advice. So "
    "I called a lawyer.",
    "reported without quotes": "The reviewer laughed when the abstract began as an AI language model, I cannot verify "
    "this.",
    "several families": "Residue differs by product: turn0search0turn0search1 here, [cite_start] there, and "
    "[citation:1][citation:2] elsewhere.",
    "list of signs": "Signs of AI writing. Editors check for phrases such as as of my last knowledge update, for "
    "placeholder text, for "
    "turn0search0turn0search3 and for utm_source=chatgpt.com in links, all left by chatbots when their output is "
    "pasted.",
    "news of a scandal": 'The paper was retracted. Its introduction read: "Certainly, here is a possible '
    'introduction", and a '
    "later "
    'line was "As an AI language model, I do not have access". The publisher blamed a chatbot.',
    "prompt collection": "Prompt: act as an editor.\nExpected refusal: I'm sorry, but I cannot assist with that "
    "request.\n"
    "This jailbreak prompt makes ChatGPT, Claude and Gemini skip the disclaimer. More prompts below.",
    "regex docs": "To detect language models, the regex below matches 【4:0†source】 and its variants. The parser "
    "drops tokens that fail.",
    "block quote": "My landlord sent me this, I am not joking:\n\n> As an AI language model, I cannot collect "
    "your rent.\n\nWe both laughed.",
    "html code": "The tag <code></think></code> closes the hidden part of the answer and should be removed.",
    "german news": "Der Chatbot antwortete: „Als KI-Sprachmodell kann ich dazu nichts sagen.“ Die Redaktion "
    "entschuldigte sich.",
    "chinese news": "记者发现，该论文写道：“作为一个人工智能语言模型，我无法提供数据。”出版社随后撤稿。",
    "tokenizer docs": "The model emits a </think> token after its reasoning. Fine-tuning on tokens after "
    "</think> changes "
    "how the language "
    "model responds to prompts; see the bug tracker for the parser.",
    "human idiom": "As an AI researcher, I often travel by ferry. As a language teacher, my sister does too.",
    "human refusal": "The clerk was kind. He could not help with that request, he told me, and we left.",
}


@pytest.mark.parametrize("case", TRUE_PAGES)
def test_a_marker_in_the_pages_own_text_decides(case: str) -> None:
    found = {reason.name: reason for reason in markers.judge(TRUE_PAGES[case])}
    name = case.split(":")[0]
    assert name in found
    assert found[name].decides
    assert found[name].weight > 0


@pytest.mark.parametrize("case", ABOUT_PAGES)
def test_a_page_about_markers_decides_nothing(case: str) -> None:
    assert not [reason.name for reason in markers.judge(ABOUT_PAGES[case]) if reason.decides]


@pytest.mark.parametrize("case", TRUE_PAGES)
def test_nothing_is_a_marker_before_its_product_existed(case: str) -> None:
    assert markers.judge(TRUE_PAGES[case], dt.date(2022, 11, 29)) == []


def test_the_prefilter_lets_every_marker_through() -> None:
    texts = pa.array(TRUE_PAGES.values(), pa.large_string())
    assert pa.compute.all(pa.compute.match_substring_regex(texts, PREFILTER)).as_py()


def test_weak_markers_only_add_weight() -> None:
    text = BODY + "Fares: https://port.example/fares?utm_source=chatgpt.com and a form for [Your Name]."
    found = markers.judge(text)
    assert {reason.name for reason in found} == {"openai-utm", "placeholder"}
    assert not any(reason.decides for reason in found)


def batch(
    texts: list[str], kind: str = "prose", captured: dt.datetime | None = None, origin: str = "container"
) -> pa.RecordBatch:
    rows = len(texts)
    return pa.record_batch(
        {
            "text": pa.array(texts, pa.large_string()),
            "text_kind": pa.array([kind] * rows),
            "captured_at": pa.array([captured] * rows, schema.TIMESTAMP),
            "date_origin": pa.array([origin] * rows),
        }
    )


def test_observe_gives_the_schema_and_keeps_rows_apart() -> None:
    found = markers.observe(batch([BODY, TRUE_PAGES["google-cite-start"], "", TRUE_PAGES["refusal"]]))
    assert found.type == pa.list_(schema.EVIDENCE)
    assert [[reason["name"] for reason in row] for row in found.to_pylist()] == [
        [],
        ["google-cite-start", "google-cite"],
        [],
        ["refusal"],
    ]
    assert markers.observe(batch([])).to_pylist() == []


def test_a_sliced_batch_is_judged_by_its_own_rows() -> None:
    rows = batch([TRUE_PAGES["refusal"], BODY, TRUE_PAGES["openai-source"]]).slice(1)
    assert [[reason["name"] for reason in row] for row in markers.observe(rows).to_pylist()] == [[], ["openai-source"]]


def test_code_holds_no_markers_and_a_pages_own_date_is_not_believed() -> None:
    text = [TRUE_PAGES["openai-oaicite"]]
    early = dt.datetime(2015, 1, 1, tzinfo=dt.UTC)
    assert markers.observe(batch(text, kind="code")).to_pylist() == [[]]
    assert markers.observe(batch(text, captured=early)).to_pylist() == [[]]
    assert markers.observe(batch(text, captured=early, origin="page")).to_pylist() != [[]]


def test_names_are_unique_and_only_strong_ones_decide() -> None:
    assert len({marker.name for marker in MARKERS}) == len(MARKERS)
    assert all(marker.weight >= 3 for marker in MARKERS if marker.decides)


def test_hostile_text_is_judged_in_time() -> None:
    text = "[cite_start]" + "\"'“‘«`<code>" * 20_000 + "as an ai language model, i " * 2_000
    markers.judge(text)


@pytest.mark.parametrize("name", ["nltk_masc", "nltk_problem_reports_pil", "licence_texts_scancode", "gensim_testdata"])
def test_no_marker_decides_on_human_text(shared, name: str) -> None:
    texts = pq.read_table(shared / "data/labelled/dev" / f"{name}.parquet", columns=["text"])["text"].to_pylist()
    found = markers.observe(batch(texts)).to_pylist()
    assert [reason for row in found for reason in row if reason["decides"]] == []
