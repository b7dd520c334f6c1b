"""Declarations count where they speak of the text itself, and only as far as they go."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from provenance import schema
from provenance.evidence import declared
from provenance.evidence.disclosure import aigc_label, dictionary

BODY = "The old harbour was rebuilt after the flood, and most of the warehouses date from the years that followed. "
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
LABEL = {
    "Label": "1",
    "ContentProducer": "91110000X",
    "ProduceID": "a1",
    "ReservedCode1": "",
    "ContentPropagator": "",
    "PropagateID": "",
}


def observe(*declarations: tuple[str, str, str], raw: str = BODY, recovered: bool = False) -> list[dict]:
    rows = [{"where": where, "name": name, "value": value} for where, name, value in declarations]
    batch = pa.record_batch(
        {
            # A record without declarations on either side: reasons must stay with their own row.
            "declarations": pa.array([[], rows, []], pa.list_(schema.DECLARATION)),
            "raw": pa.array([BODY, raw, ""], pa.large_string()),
            "recovered": pa.array([False, recovered, False]),
        }
    )
    found = declared.observe(batch)
    assert found.type == pa.list_(schema.EVIDENCE)
    first, middle, last = found.to_pylist()
    assert first == last == []
    return middle


def variation_selectors(content: bytes) -> str:
    return "\ufeff" + "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in content)


@pytest.mark.parametrize(
    ("value", "sign", "decides"),
    [
        ('mode=ai-originated; model="gpt-4"; provider="OpenAI"; reviewed-by="desk"; date=@1745286896', 1, True),
        ('mode=machine-generated, model="gpt-4"', 1, True),
        ("mode=ai-modified", 1, False),
        ("mode=none", -1, False),
        ("autonomous", 1, True),
    ],
)
def test_the_header_is_read_by_its_mode(value: str, sign: int, decides: bool) -> None:
    (reason,) = observe(("http", "ai-disclosure", value))
    assert reason["name"] == "ai-disclosure-header"
    assert reason["weight"] * sign > 0
    assert reason["decides"] is decides


@pytest.mark.parametrize("value", ["", "mode=", "mode=unheard-of", "=;;=,,", '"', "x" * 100_000, 'mode="ai'])
def test_a_header_that_says_nothing_known_is_no_evidence(value: str) -> None:
    assert observe(("http", "ai-disclosure", value)) == []


def test_the_last_member_of_a_name_holds() -> None:
    assert dictionary('mode=none, mode=ai-originated;model="a \\"b\\""') == {"mode": "ai-originated", "model": 'a "b"'}


@pytest.mark.parametrize(
    ("name", "value", "decides"),
    [
        ("ai-disclosure", "ai-generated", True),
        ("ai-disclosure", "mixed", False),
        ("ai-generated", "all", True),
        ("ai-generated", "partially", False),
    ],
)
def test_meta_elements(name: str, value: str, decides: bool) -> None:
    (reason,) = observe(("meta", name, value))
    assert reason["decides"] is decides


ARTICLE = {"@type": "NewsArticle", "headline": "x", "digitalSourceType": IPTC + "trainedAlgorithmicMedia"}


@pytest.mark.parametrize(
    "node",
    [
        ARTICLE,
        [ARTICLE],
        {"@graph": [{"@type": "WebSite"}, ARTICLE]},
        {"@type": "WebPage", "mainEntity": ARTICLE},
        {
            "@type": ["BlogPosting"],
            "iptc:digitalSourceType": {"@id": "https://schema.org/TrainedAlgorithmicMediaDigitalSource"},
        },
        {"@type": "https://schema.org/Article", "aiDisclosure": {"level": "ai-generated", "tool": "Some Model 3"}},
    ],
)
def test_json_ld_of_the_article_itself_decides(node: object) -> None:
    (reason,) = observe(("jsonld", "ld+json", json.dumps(node)))
    assert reason["decides"]


@pytest.mark.parametrize(
    "node",
    [
        {"@type": "ImageObject", "digitalSourceType": IPTC + "trainedAlgorithmicMedia"},
        {
            "@type": "NewsArticle",
            "image": {"@type": "ImageObject", "digitalSourceType": IPTC + "trainedAlgorithmicMedia"},
        },
        {"@type": "NewsArticle", "isPartOf": ARTICLE, "mentions": [ARTICLE]},
        {"@type": "ItemList", "itemListElement": [ARTICLE]},
        {"@type": "NewsArticle", "articleBody": 'they wrote "digitalSourceType": "trainedAlgorithmicMedia"'},
        {"@type": 3, "digitalSourceType": None},
    ],
)
def test_json_ld_of_something_else_says_nothing(node: object) -> None:
    assert observe(("jsonld", "ld+json", json.dumps(node))) == []


@pytest.mark.parametrize(
    ("term", "sign"), [("humanEdits", -1), ("compositeWithTrainedAlgorithmicMedia", 1), ("algorithmicallyEnhanced", 1)]
)
def test_softer_source_types_only_add_weight(term: str, sign: int) -> None:
    (reason,) = observe(("jsonld", "ld+json", json.dumps({"@type": "Article", "digitalSourceType": IPTC + term})))
    assert reason["weight"] * sign > 0
    assert not reason["decides"]


@pytest.mark.parametrize(
    "value",
    [
        "[" * 100_000 + '"digitalSourceType"',
        '{"@graph":' * 5000 + "{}" + "}" * 5000 + '"digitalSourceType"',
        '{"digitalSourceType": ' + "9" * 10_000 + "}",
        '{"@type": "Article", "digitalSourceType": "' + "a" * 400_000 + '"}',
        '{"@graph": [' + ",".join(['{"@type":"Thing","digitalSourceType":"x"}'] * 5000) + "]}",
    ],
)
def test_hostile_json_is_no_evidence_and_no_error(value: str) -> None:
    assert observe(("jsonld", "ld+json", value)) == []


@pytest.mark.parametrize(("label", "decides"), [("1", True), ("2", False), ("3", False)])
def test_the_aigc_label_decides_only_when_confirmed(label: str, decides: bool) -> None:
    value = json.dumps({"AIGC": {**LABEL, "Label": label}})
    for reasons in (
        observe(("script", "application/aigc+json", value)),
        observe(("meta", "aigc", value)),
        observe(("field", "AIGC", value)),
        observe(raw=BODY + "\n" + value),
    ):
        (reason,) = reasons
        assert reason["name"] == "aigc-label"
        assert reason["decides"] is decides
        assert reason["weight"] > 0


def test_the_aigc_label_in_front_matter() -> None:
    (reason,) = observe(
        raw='---\nAIGC:\n    Label: "1"\n    ContentProducer: 91110000X\n    ProduceID: a1\n---\n' + BODY
    )
    assert reason["decides"]


def test_a_page_that_explains_the_label_does_not_carry_it() -> None:
    text = "GB 45438-2025 标识办法要求元数据。字段示例：\n```\n" + json.dumps({"AIGC": LABEL}) + "\n```\n"
    assert not any(reason["decides"] for reason in observe(raw=text))


def test_what_only_looks_like_a_label() -> None:
    assert aigc_label('{"AIGC": {"Label": "9", "ProduceID": "1"}}') is None
    assert aigc_label('{"Label": "1", "Colour": "red"}') is None


def test_visible_sentences_at_the_edges_add_weight() -> None:
    middle = "码头长八百米，仓库多建于洪水之后的年代。" * 20
    (reason,) = observe(raw=middle + "本文由AI生成，仅供参考。")
    assert (reason["name"], reason["decides"]) == ("aigc-sentence", False)
    assert observe(raw=middle + "有人说本文由AI生成。" + middle) == []
    assert observe(raw=middle + "声明：并非本文由AI生成。") == []


def test_text_manifests_are_found_in_raw_text_and_do_not_decide() -> None:
    wrapper = variation_selectors(b"C2PATXT\0" + b"\x01" + (4).to_bytes(4, "big") + b"jumb")
    (hidden,) = observe(raw=BODY + wrapper)
    (armour,) = observe(raw=BODY + "\n-----BEGIN C2PA MANIFEST-----\nAAAA\n-----END C2PA MANIFEST-----\n")
    (script,) = observe(("script", "application/c2pa", "AAAA"))
    (link,) = observe(("link", "c2pa-manifest", "https://port.example/m.c2pa"))
    for reason in (hidden, armour, script, link):
        assert reason["name"] == "c2pa-manifest"
        assert not reason["decides"]
    assert observe(raw=BODY + variation_selectors(b"something else")) == []
    assert observe(raw=BODY + "❤️") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "gpt-4o"),
        ("metadata.model", "openai/gpt-4o-mini"),
        ("generator", "meta-llama/Llama-3.1-8B-Instruct"),
        ("generated_by", "Claude 3.5 Sonnet"),
        ("model_name", "Qwen2.5-72B"),
        ("llm", "mistralai/Mixtral-8x7B"),
    ],
)
def test_a_field_that_names_the_generator_decides_and_keeps_the_name(name: str, value: str) -> None:
    (reason,) = observe(("field", name, value))
    assert reason["name"] == "field-model"
    assert reason["decides"]
    assert reason["detail"].split("; ")[0] == f"model={value}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "Corolla"),
        ("model", "human"),
        ("generator", "WordPress 6.2"),
        ("edu_model", "llama-3-70b"),
        ("quality_model", "gpt-4"),
        ("model", ""),
        ("text_generator_model_card", "gpt-4"),
        ("model", "x" * 5000),
    ],
)
def test_fields_that_name_no_generator(name: str, value: str) -> None:
    assert observe(("field", name, value)) == []


def test_fields_that_state_the_truth_plainly() -> None:
    assert observe(("field", "is_synthetic", "true"))[0]["decides"]
    assert observe(("field", "is_synthetic", "false"))[0]["weight"] < 0


def test_dataset_cards() -> None:
    assert observe(("card", "language_creators", '["machine-generated"]'))[0]["decides"]
    assert not observe(("card", "language_creators", '["machine-generated", "found"]'))[0]["decides"]
    assert not observe(("card", "tags", '["synthetic", "text"]'))[0]["decides"]


def test_a_recovered_record_is_not_believed() -> None:
    assert (
        observe(
            ("http", "ai-disclosure", "mode=machine-generated"),
            ("field", "model", "gpt-4o"),
            raw=BODY + json.dumps({"AIGC": LABEL}),
            recovered=True,
        )
        == []
    )


def test_rights_are_no_evidence() -> None:
    assert (
        observe(("meta", "robots", "noai"), ("link", "license", "https://creativecommons.org/licenses/by/4.0/")) == []
    )
