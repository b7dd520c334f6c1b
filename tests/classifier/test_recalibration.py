"""A model calibrated anew on one's own texts: made-up ones, with words that tell who wrote them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from provenance.classifier import StyleModel
from provenance.classifier.recalibration import recalibrate
from provenance.classifier.training.labelled import COLUMNS
from provenance.errors import UsageError
from provenance.text import prose
from provenance.text.fold import fold
from provenance.text.tokens import tokenize

PLAIN = ["i", "we", "got", "really", "stuff", "guess", "nope", "kind", "thing", "dad", "bus", "ate", "damn", "funny"]
POLISHED = ["delve", "tapestry", "furthermore", "robust", "landscape", "moreover", "crucial", "pivotal", "realm"]
COMMON = ["the", "a", "and", "in", "of", "to", "with", "for", "that", "it", "is", "was", "on", "people", "house", "day"]


def text(seed: int, words: list[str], count: int = 120) -> str:
    chosen = random.Random(seed)
    sentences = []
    while count > 0:
        length = chosen.randint(6, 16)
        line = [chosen.choice(words if chosen.random() < 0.25 else COMMON) for _ in range(length)]
        sentences.append(" ".join(line).capitalize() + ".")
        count -= length
    return " ".join(sentences)


def table(each: int, **more: Any) -> pa.Table:
    rows = [{"text": text(seed, PLAIN), "label": "human"} for seed in range(each)]
    rows += [{"text": text(10**6 + seed, POLISHED), "label": "synthetic", "model": "m"} for seed in range(each)]
    filled = [{**dict.fromkeys(COLUMNS.names), "lang": "en", "dataset": "own", **row, **more} for row in rows]
    return pa.Table.from_pylist(filled, schema=COLUMNS)


@pytest.fixture(scope="module")
def shipped() -> StyleModel:
    return StyleModel.load()


def judged(model: StyleModel, texts: list[str], language: str = "en") -> pa.RecordBatch:
    array = pa.array(texts, pa.large_string())
    return model.judge(array, [language] * len(texts), np.diff(tokenize(fold(array)).offsets), prose.classify(array))


def test_promises_hold_for_new_texts_of_the_kind(shipped: StyleModel, tmp_path: Path) -> None:
    result = recalibrate(shipped, table(700), "own")
    path = tmp_path / "own.model"
    result.model.save(path)
    loaded = StyleModel.load(path)
    assert loaded.version == result.model.version != shipped.version
    others = [text(5000 + seed, PLAIN) for seed in range(600)]
    p_human = judged(loaded, others)["p_human"].to_numpy(zero_copy_only=False)
    for alpha in (0.02, 0.05, 0.2):
        assert (p_human <= alpha).mean() <= alpha + 0.02
    assert p_human.min() < 0.2  # it does speak


def test_the_card_says_what_it_was_calibrated_on(shipped: StyleModel) -> None:
    result = recalibrate(shipped, table(150), "letters")
    said = result.model.card["recalibrated"]
    assert (said["from"], said["name"]) == (shipped.version, "letters")
    assert said["sets"] == [
        {"dataset": "own", "label": "human", "rows": 150},
        {"dataset": "own", "label": "synthetic", "rows": 150},
    ]
    (row,) = result.bins
    assert (row[0], row[1], row[2]) == ("en:100-199", 150, 150)
    assert "en:50-99" in result.kept


def test_scores_stay_so_that_shares_can_still_be_estimated(shipped: StyleModel) -> None:
    texts = [text(seed, POLISHED) for seed in range(9000, 9010)]
    before = judged(shipped, texts)["style_score"]
    after = judged(recalibrate(shipped, table(150), "own").model, texts)["style_score"]
    assert after.equals(before)


def test_a_new_language_can_be_calibrated(shipped: StyleModel) -> None:
    result = recalibrate(shipped, table(150, lang="fi"), "own")
    assert "fi" in result.model.languages
    found = judged(result.model, [text(1, POLISHED)], "fi")
    assert found["calibration_bin"].to_pylist() == ["fi:100-199"]


def test_copies_and_pieces_count_once(shipped: StyleModel) -> None:
    whole = table(150)
    again = recalibrate(shipped, pa.concat_tables([whole, whole]), "own")
    assert again.bins == recalibrate(shipped, whole, "own").bins
    with pytest.raises(UsageError, match="documents"):
        recalibrate(shipped, table(150, document_id="one book"), "own")


def test_too_few_texts_are_refused(shipped: StyleModel) -> None:
    with pytest.raises(UsageError, match="documents"):
        recalibrate(shipped, table(20), "own")
