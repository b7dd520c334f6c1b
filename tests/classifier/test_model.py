from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from provenance import schema
from provenance.classifier import StyleModel
from provenance.classifier.model import p_values
from provenance.errors import ModelError

HUMAN = (
    "Went down to the shed again this morning, rain or no rain, and the damn latch had rusted shut. My brother "
    "reckons we "
    "ought to bin it. He's not the one who built it though, is he? Anyhow I got the crowbar, gave it a whack, "
    "cut my thumb, "
    "swore at the dog and came back in. Mum laughed. Tea was cold by then. Tomorrow I'll ask old Pete next "
    "door, he had the "
    "same trouble in '98 and fixed it with axle grease and bits of a biscuit tin. Not pretty. Works, mind you. "
)


@pytest.fixture(scope="module")
def model() -> StyleModel:
    return StyleModel.load()


def judge(
    model: StyleModel, text: str, language: str = "en", words: int = 150, kind: str = "prose"
) -> dict[str, object]:
    batch = model.judge(pa.array([text], pa.large_string()), [language], [words], [kind])
    assert batch.schema == schema.STYLE
    return batch.to_pylist()[0]


def test_the_shipped_model_is_small_and_says_what_it_is_made_of(model: StyleModel) -> None:
    card = model.card
    assert model.version.startswith("style-2-")
    assert "en" in model.languages
    assert card["options"]["licences"] == "default"
    assert all(entry["licence_kind"] != "restricted" for entry in card["sets"])
    assert {entry["label"] for entry in card["sets"]} == {"human", "synthetic"}


@pytest.mark.parametrize(
    ("language", "words", "kind"),
    [
        ("de", 150, "prose"),
        ("und", 150, "prose"),
        ("en", 20, "prose"),
        ("en", 150, "code"),
        ("en", 150, "table"),
        ("en", 0, "empty"),
    ],
)
def test_it_abstains_where_it_is_not_calibrated(model: StyleModel, language: str, words: int, kind: str) -> None:
    assert set(judge(model, HUMAN, language, words, kind).values()) == {None}


def test_abstaining_rows_do_not_disturb_their_neighbours(model: StyleModel) -> None:
    texts = pa.array([HUMAN, HUMAN * 2, HUMAN, "x"], pa.large_string())
    batch = model.judge(
        texts, ["fr", "en", "en", "en"], np.array([90, 180, 90, 1]), ["prose", "prose", "code", "prose"]
    )
    assert batch["calibration_bin"].to_pylist() == [None, "en:100-199", None, None]
    assert batch.to_pylist()[1] == judge(model, HUMAN * 2, words=180)


def test_a_judgement_is_complete_and_within_range(model: StyleModel) -> None:
    row = judge(model, HUMAN)
    assert row["calibration_bin"] == "en:100-199"
    assert math.isfinite(float(str(row["style_score"])))
    assert 0 < float(str(row["p_human"])) <= 1
    assert 0 < float(str(row["p_synthetic"])) <= 1
    assert float(str(row["p_human"])) > 0.05


def test_empty_batches(model: StyleModel) -> None:
    assert model.judge(pa.array([], pa.large_string()), [], [], []).num_rows == 0
    assert len(model.score(pa.array([], pa.large_string()))) == 0


def test_the_p_values_are_monotone_in_the_score(model: StyleModel) -> None:
    for bin_ in model.arrays.bins:
        human, synthetic = p_values(bin_, np.linspace(-5, 5, 4001))
        assert (np.diff(human) <= 0).all()
        assert (np.diff(synthetic) >= 0).all()
        assert human[0] == 1.0
        assert synthetic[-1] == 1.0


def test_between_two_steps_the_larger_p_value_holds(model: StyleModel) -> None:
    bin_ = model.arrays.bins[0]
    at = len(bin_.human_margins) // 2
    low, high = bin_.human_margins[at], bin_.human_margins[at + 1]
    human, _ = p_values(bin_, np.array([low, (low + high) / 2, high]))
    assert human.tolist() == [bin_.human_p[at], bin_.human_p[at], bin_.human_p[at + 1]]
    low, high = bin_.synthetic_margins[at], bin_.synthetic_margins[at + 1]
    _, synthetic = p_values(bin_, np.array([low, (low + high) / 2, high]))
    assert synthetic.tolist() == [bin_.synthetic_p[at], bin_.synthetic_p[at + 1], bin_.synthetic_p[at + 1]]


def test_every_bin_can_meet_the_default_policy(model: StyleModel) -> None:
    for bin_ in model.arrays.bins:
        assert bin_.human_p[-1] <= 0.005
        assert bin_.synthetic_p[0] <= 0.03


@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        "\u200b".join,
        lambda text: text.replace("e", "е").replace("o", "о"),
        lambda text: "".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in text),
        lambda text: text.replace(" ", "  \n"),
        lambda text: text.replace("the ", "**the** "),
    ],
)
def test_disguise_does_not_move_the_score(model: StyleModel, disguise: object) -> None:
    plain, other = model.score(pa.array([HUMAN, disguise(HUMAN)], pa.large_string()))  # type: ignore[operator]
    assert plain == other


def test_save_and_load(model: StyleModel, tmp_path: Path) -> None:
    model.save(tmp_path / "copy.model")
    again = StyleModel.load(tmp_path / "copy.model")
    assert again.version == model.version
    with pytest.raises(ModelError):
        StyleModel.load(tmp_path)
