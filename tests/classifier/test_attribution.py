from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from provenance.classifier import StyleModel
from provenance.classifier.alphabet import build_table
from provenance.classifier.families import modelfile
from provenance.classifier.families.model import FamilyModel, columns
from provenance.classifier.families.names import BASE, OTHER, family_of, named_families
from provenance.classifier.families.report import Outcome, families_page
from provenance.classifier.families.training import (
    FamilyOptions,
    FamilyResult,
    family_rows,
    prompt_groups,
    train_families,
)
from provenance.classifier.modelfile import Bin, ModelArrays
from provenance.classifier.training.corpus import build_corpus
from provenance.classifier.training.labelled import COLUMNS
from provenance.errors import ModelError, UsageError

VOICES = {
    "gpt-4o": "moreover it is crucial to delve into the rich tapestry of this evolving landscape",
    "claude-3-opus": "i should be honest that there is a genuine tension here worth sitting with",
    "gpt2-xl": "he said on the day that the said man had the day when the man said so",
}
FILLER = [
    "the",
    "river",
    "house",
    "garden",
    "window",
    "winter",
    "morning",
    "letter",
    "market",
    "stone",
    "people",
    "children",
    "water",
    "light",
    "road",
]


def text_of(model: str, prompt: int, repeat: int = 22) -> str:
    """The prompt's own words with the model's turns of phrase among them."""
    draw = np.random.default_rng(prompt)
    parts = [
        " ".join([*draw.choice(FILLER, 6), VOICES[model] if number % 2 else "", *draw.choice(FILLER, 4)])
        for number in range(repeat)
    ]
    return ". ".join(parts) + "."


def labelled(prompts: range, **more: object) -> pa.Table:
    rows = [
        {
            "text": text_of(model, prompt), "label": "synthetic", "model": model, "domain": "x", "lang": "en",
            "pair_id": f"p{prompt}", "dataset": f"set{prompt % 2}", "licence": "MIT", **more,
        }
        for model in VOICES for prompt in prompts
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=COLUMNS)


@pytest.fixture(scope="module")
def trained() -> FamilyResult:
    return train_families(labelled(range(24)), FamilyOptions(bits=12))


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-3.5-turbo-0613", "GPT"), ("chatgpt-4o-latest-2025", "GPT"), ("o3", "GPT"), ("text-davinci-003", "GPT"),
        ("openai/gpt-4.1-mini", "GPT"), ("gpt4_1106_preview", "GPT"), ("claude-instant", "Claude"),
        ("gemini-2.5-pro-preview-03-25", "Gemini"), ("palm-2", "Gemini"), ("gemma-3-27b-it-antislop", "Gemma"),
        ("Meta-Llama-3.1-405B-Instruct-Turbo", "Llama"), ("Mixtral-8x7B-Instruct-v0.1", "Mistral"),
        ("mistral-nemo", "Mistral"), ("qwq-32b", "Qwen"), ("Qwen2-72B-Instruct", "Qwen"),
        ("DeepSeek-V3-0324", "DeepSeek"), ("phi-4-reasoning-plus", "Phi"), ("grok-3-mini-beta", "Grok"),
        ("kimi-k2", "Kimi"), ("c4ai-command-a-03-2025", "Cohere"), ("GLM-4-32B-0414", "GLM"), ("yi-large", "Yi"),
        ("gpt2-xl", BASE), ("gpt-neox-20b", BASE), ("gpt-j-6B", BASE), ("opt-2.7b", BASE), ("bloom-7b", BASE),
        ("falcon-7b", BASE), ("falcon-7b-instruct", OTHER), ("davinci", BASE), ("text-ada-001", BASE), ("phi-2", BASE),
        ("flan-t5-xxl", BASE), ("llama-1-13b", BASE),
        # Taught by another family, or of unknown voice.
        ("vicuna-13b-v1.5", None), ("alpaca-7b", None), ("zephyr-7b-beta", None), ("l3.3-euryale-70b", None),
        ("DeepSeek-R1-Distill-Llama-8B", None), ("unheard-of-7b", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_generators_belong_to_families(model: str | None, family: str | None) -> None:
    assert family_of(model) == family


def test_a_set_may_mean_the_base_model_by_a_tuned_name() -> None:
    assert family_of("llama-3-8b", "lastde") == BASE
    assert family_of("llama-3-8b", "imbd") == "Llama"


def test_texts_that_no_family_alone_wrote_take_no_part() -> None:
    attacks = ["paraphrase_dipper", "data_mixing_multi_llm_mixing", "prompt_few_shot", None]
    table = labelled(range(4))
    spoiled = table.set_column(
        table.column_names.index("attack"), COLUMNS.field("attack"), pa.array(attacks * 3, pa.string())
    )
    assert family_rows(table, ("en",)).num_rows == 12
    assert family_rows(spoiled, ("en",)).num_rows == 6
    assert family_rows(table, ("de",)).num_rows == 0
    assert family_rows(labelled(range(4), label="human"), ("en",)).num_rows == 0
    assert family_rows(labelled(range(4), model="vicuna-7b-v1.5"), ("en",)).num_rows == 0
    assert set(family_rows(labelled(range(1), model="yi-large"), ("en",))["family"].to_pylist()) == {OTHER}
    assert OTHER not in named_families()


def test_prompts_and_equal_texts_stay_together() -> None:
    table = labelled(range(3))
    again = labelled(range(1), pair_id="elsewhere")  # the texts of prompt 0 under another prompt
    unnamed = labelled(range(5, 6), pair_id=None)
    table = pa.concat_tables([table, again, unnamed])
    groups = prompt_groups(table, build_corpus(table, build_table(), frozenset())).tolist()
    assert groups[0] == groups[3] == groups[6]  # one prompt, three models
    assert len({groups[0], groups[1], groups[2]}) == 3
    assert set(groups[9:12]) == {groups[0]}
    assert not set(groups[12:]) & set(groups[:12])


def test_unknown_prompts_of_known_voices_are_told_apart(trained: FamilyResult) -> None:
    texts = pa.array([text_of(model, prompt) for model in VOICES for prompt in range(900, 908)], pa.large_string())
    shares = trained.model.shares(texts)
    assert np.allclose(shares.sum(axis=1), 1.0)
    named = [trained.model.arrays.names[number] for number in shares.argmax(axis=1)]
    assert named == [family_of(model) for model in VOICES for _ in range(8)]


def test_training_is_repeatable_to_the_byte(trained: FamilyResult) -> None:
    again = train_families(labelled(range(24)), FamilyOptions(bits=12))
    assert modelfile.encode(again.model.arrays) == modelfile.encode(trained.model.arrays)
    assert again.model.version == trained.model.version


def test_one_family_is_not_enough() -> None:
    with pytest.raises(UsageError, match="fewer than two families"):
        train_families(labelled(range(4), model="gpt-4o"), FamilyOptions(bits=12))
    with pytest.raises(UsageError):
        train_families(labelled(range(4), licence="CC-BY-NC-4.0"), FamilyOptions(bits=12))


def test_below_the_threshold_nothing_is_named(trained: FamilyResult) -> None:
    texts = pa.array([text_of("gpt-4o", 950), text_of("claude-3-opus", 951)], pa.large_string())
    arrays = trained.model.arrays
    bold, shy = (FamilyModel.of(replace(arrays, threshold=value)) for value in (0.0, 1.0))
    families, score = bold.attribute(texts)
    assert families == ["GPT", "Claude"]
    assert ((score >= 0.0) & (score <= 1.0)).all()
    families, score = shy.attribute(texts)
    assert families == [None, None]
    assert np.isnan(score).all()
    hidden = FamilyModel.of(replace(arrays, threshold=0.0, names=tuple(OTHER for _ in arrays.names)))
    assert hidden.attribute(texts)[0] == [None, None]


def test_score_is_what_was_right_at_that_confidence(trained: FamilyResult) -> None:
    texts = pa.array([text_of("gpt-4o", 950)], pa.large_string())
    steps = ((0.0, 0.25), (1.0, 0.75))
    model = FamilyModel.of(replace(trained.model.arrays, threshold=0.0, steps=steps))
    certain = model.shares(texts).max()
    assert model.attribute(texts)[1][0] == pytest.approx(0.25 + 0.5 * certain)


@pytest.fixture
def shipped(trained: FamilyResult, monkeypatch: pytest.MonkeyPatch) -> Iterator[FamilyModel]:
    model = FamilyModel.of(replace(trained.model.arrays, threshold=0.0))
    monkeypatch.setattr(FamilyModel, "load", classmethod(lambda _cls, _path=None: model))
    return model


def test_only_what_looks_synthetic_is_attributed(shipped: FamilyModel) -> None:
    texts = pa.array([text_of("gpt-4o", 960)] * 5, pa.large_string())
    languages = ["en", "en", "en", "de", "en"]
    p_human = np.array([0.001, 0.05, 0.051, 0.001, np.nan])
    family, score = columns(texts, pa.array(languages), [300, 300, 300, 300, 300], p_human)
    assert family.to_pylist() == ["GPT", "GPT", None, None, None]
    assert score.is_valid().to_pylist() == [True, True, False, False, False]
    family, _ = columns(texts, languages, [99, 100, 300, 300, 300], p_human)
    assert family.to_pylist() == [None, "GPT", None, None, None]


@pytest.mark.parametrize(("p_human", "family"), [(0.001, "Claude"), (0.2, None)])
def test_the_style_model_asks_for_what_looks_synthetic(
    shipped: FamilyModel, p_human: float, family: str | None
) -> None:
    bin_ = Bin("en", 50, 0, 1.0, 0.0, (-1e9,), (p_human,), (1e9,), (0.5,), (900, 900))
    model = StyleModel.of(
        ModelArrays(shipped.arrays.symbols, np.zeros((1, 2 << 8), np.int8), 8, 512, ((1.0, 1.0, 0.0),), (bin_,))
    )
    texts = pa.array([text_of("claude-3-opus", 990), text_of("claude-3-opus", 991)], pa.large_string())
    rows = model.judge(texts, ["en", "en"], [300, 300], ["prose", "code"]).to_pylist()
    assert [row["p_human"] for row in rows] == [p_human, None]
    assert [row["attributed_family"] for row in rows] == [family, None]
    assert (rows[0]["attribution_score"] is None) == (family is None)


def test_where_nothing_looks_synthetic_no_table_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(cls: object, path: object = None) -> FamilyModel:
        raise AssertionError("loaded")

    monkeypatch.setattr(FamilyModel, "load", classmethod(refuse))
    family, score = columns(pa.array(["a"], pa.large_string()), ["en"], [300], np.array([1.0]))
    assert family.null_count == score.null_count == 1


def test_a_batch_scores_as_its_texts_do_one_by_one(trained: FamilyResult) -> None:
    texts = [text_of("gpt-4o", 970, repeat=90), "", text_of("gpt2-xl", 971), None, text_of("claude-3-opus", 972)]
    together = trained.model.margins(pa.array(texts, pa.large_string()))
    alone = [trained.model.margins(pa.array([text], pa.large_string()))[0] for text in texts]
    assert np.array_equal(together, np.array(alone))


def test_margins_are_what_numpy_makes_of_the_table(trained: FamilyResult) -> None:
    from provenance.classifier.features import symbolise
    from provenance.classifier.training.optimise import hash_rows

    arrays = trained.model.arrays
    texts = pa.array([text_of("claude-3-opus", 980, repeat=4)], pa.large_string())
    symbols, starts = symbolise(arrays.symbols, texts)
    rows = hash_rows(symbols, np.arange(1), starts[:-1], starts[1:], arrays.bits)
    of_characters, of_words = np.split(rows.buckets[: rows.starts[1]], [rows.characters[0]])
    scales = np.array(arrays.scales)
    expected = (
        scales[:, 0] * arrays.weights[of_characters].sum(axis=0, dtype=np.int64) / np.sqrt(len(of_characters))
        + scales[:, 1] * arrays.weights[of_words].sum(axis=0, dtype=np.int64) / np.sqrt(len(of_words))
        + scales[:, 2]
    )
    assert np.allclose(trained.model.margins(texts)[0], expected)


def test_file_round_trip_is_exact(trained: FamilyResult) -> None:
    content = modelfile.encode(trained.model.arrays)
    again = modelfile.decode(content, "here")
    assert modelfile.encode(again) == content
    assert again.names == trained.model.arrays.names


@pytest.mark.parametrize("position", [0, 9, 100, 5000, -1])
def test_any_flipped_byte_is_refused(trained: FamilyResult, position: int) -> None:
    content = bytearray(modelfile.encode(trained.model.arrays))
    content[position] ^= 0x10
    with pytest.raises(ModelError, match="no usable table of families"):
        modelfile.decode(bytes(content), "here")


@pytest.mark.parametrize(
    "change",
    [
        {"bits": 30}, {"bits": True}, {"window": 0}, {"names": ["GPT"]}, {"names": ["GPT", "GPT", "base"]},
        {"scales": [[1, 1, 1]]}, {"temperature": 0}, {"threshold": 1.5}, {"steps": []},
        {"steps": [[0.5, 0.9], [0.6, 0.1]]},
        {"steps": [[0.5, 0.1], [0.4, 0.2]]}, {"fewest_words": 0}, {"languages": "en"}, {"card": None}, {"names": None},
    ],
)  # fmt: skip
def test_values_that_no_training_gives_are_refused(trained: FamilyResult, change: dict[str, object]) -> None:
    content = modelfile.encode(trained.model.arrays)
    size = int.from_bytes(content[8:16], "little")
    text = json.dumps({**json.loads(content[16 : 16 + size]), **change}).encode()
    body = content[:8] + len(text).to_bytes(8, "little") + text + content[16 + size : -32]
    with pytest.raises(ModelError):
        modelfile.decode(body + hashlib.sha256(body).digest(), "here")


def test_the_shipped_table_loads_and_names_what_it_claims() -> None:
    model = FamilyModel.load()
    assert set(model.arrays.names) - {OTHER} == set(named_families())
    assert model.version.startswith("families-1-")
    assert all(entry["licence_kind"] != "restricted" for entry in model.arrays.card["sets"])


def test_outcomes_agree_with_another_library() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(4)
    actual = draw.choice(np.array(["GPT", "Claude", "base"], object), 400)
    named = np.where(draw.random(400) < 0.4, "", np.where(draw.random(400) < 0.6, actual, "GPT")).astype(object)
    seen = Outcome(actual, named, named)
    given = named != ""
    assert seen.coverage == pytest.approx(given.mean())
    expected = metrics.f1_score(actual[given].astype(str), named[given].astype(str), average="macro")
    assert seen.macro_f1 == pytest.approx(expected)


def test_the_page_states_the_measured_numbers(trained: FamilyResult) -> None:
    page = families_page(trained, labelled(range(700, 730), dataset="elsewhere"))
    assert trained.model.version in page
    assert "never makes an edge in the lineage" in page
    assert "| elsewhere | 90 | 3 |" in page


@pytest.mark.parametrize(
    ("tag", "score", "said"),
    [("synthetic", 0.712, True), ("unknown", 0.5, True), ("human", 0.712, False), ("synthetic", 1.0, False)],
)
def test_explain_calls_it_a_likeness(
    tag: str, score: float, said: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from provenance import pipeline
    from provenance.cli import records
    from provenance.pipeline.explain import Explanation

    record = {
        "record_id": "ab" * 16, "tag": tag, "reason": "style", "model_family": "Claude", "attribution_score": score
    }  # fmt: skip
    monkeypatch.setattr(pipeline, "explain", lambda *_, **__: Explanation(record, (), (), "style", (), ""))
    records.explain("abab")
    told = "by style, most like Claude" in capsys.readouterr().out
    assert told is said
