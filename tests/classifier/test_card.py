"""The model card says what was measured, and a section stands there only if it was."""

from __future__ import annotations

import pytest

from provenance.classifier import StyleModel
from provenance.classifier.card import model_card
from provenance.classifier.evaluate import Evaluation, Group

HUMAN = Group("a|set", "human", 400, 0.25, 0.005, 0.745, float("nan"))
TUNED = Group("chat", "instruction-tuned", 300, 0.02, 0.61, 0.37, 0.987)


@pytest.fixture(scope="module")
def model() -> StyleModel:
    return StyleModel.load()


def sections(card: str) -> list[str]:
    return [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]


def test_without_measurements_there_are_the_sets_the_calibration_and_the_limits(model: StyleModel) -> None:
    card = model_card(model, None)
    assert sections(card) == ["Trained and calibrated on", "Calibration", "What not to do with it"]
    assert f"Version `{model.version}`" in card
    for entry in model.card["sets"]:
        assert f"| {entry['dataset']} | {entry['label']} | {entry['rows']} |" in card
    for bin_ in model.arrays.bins:
        (row,) = [line for line in card.splitlines() if line.startswith(f"| {bin_.name} |")]
        assert f"| {bin_.documents[0]} | {bin_.documents[1]} | {bin_.human_p[-1]:.5f} |" in row


def test_a_threshold_in_the_card_is_the_score_where_the_promise_begins(model: StyleModel) -> None:
    card = model_card(model, None)
    for bin_ in model.arrays.bins:
        (row,) = [line for line in card.splitlines() if line.startswith(f"| {bin_.name} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        kept = [margin for margin, p in zip(bin_.human_margins, bin_.human_p, strict=True) if p <= 0.01]
        assert cells[6] == (f"{bin_.slope * min(kept) + bin_.offset:.2f}" if kept else "–")


def test_every_measurement_has_its_section(model: StyleModel) -> None:
    unseen = Evaluation((HUMAN, TUNED), (HUMAN,), (TUNED,), (TUNED,), 0.0123)
    card = model_card(
        model,
        unseen,
        held_out=[HUMAN],
        kinds=[TUNED],
        attacks=[TUNED],
        disguises={"typos": 0.5},
        tried=[("more rows", "0.99", "0.9", "60", "50")],
        looks=["first", "second"],
        formatting={"line breaks": 0.875},
        cost_of_open=(model, unseen),
    )
    assert sections(card) == [
        *("Trained and calibrated on", "Calibration", "On the training sets, each held out"),
        *("On the training sets, each kind of text held out", "On sets that it has never seen"),
        *("What formatting gives away", "Disguises", "Paraphrase and other attacks, each set held out"),
        *("What was tried", "Without sets whose licence is not stated", "What not to do with it"),
    ]
    assert "| a\\|set | human | 400 | 0.5 | 25.0 | 74.5 |  |" in card
    assert "| chat | instruction-tuned | 300 | 61.0 | 2.0 | 37.0 | 0.987 |" in card
    assert "labels weighed alike): 0.012." in card
    assert "1. first\n2. second" in card
    assert "| typos | 50.0 |" in card
    assert "| line breaks | 0.875 |" in card
    assert "| more rows | 0.99 | 0.9 | 60 | 50 |" in card
