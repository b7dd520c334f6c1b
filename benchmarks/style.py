"""Speed of the style model beside scikit-learn's HashingVectorizer, what formatting gives away, what disguises cost.

``python benchmarks/style.py [FOLDER]``: FOLDER holds labelled Parquet (default: the data beside the checkout).
"""

from __future__ import annotations

import os
import re
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from provenance.classifier import StyleModel  # noqa: E402
from provenance.classifier.evaluate import ranking, tags  # noqa: E402
from provenance.classifier.features import symbolise  # noqa: E402
from provenance.classifier.training.labelled import is_base_model, read_labelled  # noqa: E402

_MARKS = ("**", "#", "- ", "* ", "`", "1.", "|", "_")


def paired_texts(table: pa.Table, size: int = 600) -> tuple[list[str], list[str]]:
    """Human and synthetic English texts of the same prompts, both cut to the same number of characters."""
    human: dict[str, str] = {}
    synthetic: dict[str, str] = {}
    names = ("text", "label", "model", "dataset", "lang", "pair_id")
    for text, label, model, dataset, language, pair in zip(*(table[name].to_pylist() for name in names), strict=True):
        if pair is None or language != "en" or is_base_model(model, dataset):
            continue
        (human if label == "human" else synthetic).setdefault(pair, text)
    both = sorted(human.keys() & synthetic.keys())
    cut = [(pair, min(len(human[pair]), len(synthetic[pair]), size)) for pair in both]
    cut = [(pair, length) for pair, length in cut if length >= 200]
    return [human[pair][:length] for pair, length in cut], [synthetic[pair][:length] for pair, length in cut]


def _white_space(text: str) -> list[float]:
    runs = re.findall(r"\s+", text)
    return [len(runs), text.count("\n"), text.count("\n\n"), sum(len(run) > 1 for run in runs), text.count("\t")]


def _markdown(text: str) -> list[float]:
    return [float(text.count(mark)) for mark in _MARKS]


def _symbols_seen(views: list[str], model: StyleModel) -> np.ndarray:
    """Counts of what is left of a view after normalisation, hashed into 64 columns."""
    symbols, starts = symbolise(model.arrays.symbols, pa.array(views, pa.large_string()))
    columns = np.zeros((len(views), 64))
    for row in range(len(views)):
        piece = symbols[starts[row] : starts[row + 1]].astype(np.int64)
        np.add.at(columns[row], piece % 64, 1.0)
        np.add.at(columns[row], (piece[:-1] * 37 + piece[1:] * 11) % 64, 1.0)
    return columns


def _formatting_kept(text: str, words: int) -> str:
    """The first words, each an ``x``, with the white space and the Markdown between them and no other marks."""
    pieces = re.findall(r"[*#`_|>~]+|\s+|[^\W_]+", text)
    kept, count = [], 0
    for piece in pieces:
        word = piece[0].isalnum()
        if word and count == words:
            break
        if word and kept and kept[-1] == "x":
            continue
        count += word
        kept.append("x" if word else piece)
    return "".join(kept)


def _held_out_ranking(features: np.ndarray, labels: np.ndarray) -> float:
    """AUC of a least-squares classifier, each half scored by the other half's fit."""
    features = np.column_stack([(features - features.mean(0)) / (features.std(0) + 1e-9), np.ones(len(features))])
    half = np.arange(len(labels)) % 2 == 0
    scores = np.zeros(len(labels))
    for fit in (half, ~half):
        gram = features[fit].T @ features[fit] + np.eye(features.shape[1])
        scores[~fit] = features[~fit] @ np.linalg.solve(gram, features[fit].T @ (2.0 * labels[fit] - 1.0))
    return float(np.mean([ranking(scores[part & labels], scores[part & ~labels]) for part in (half, ~half)]))


def formatting_only(table: pa.Table, model: StyleModel | None = None) -> dict[str, float]:
    """AUC on paired, length-matched texts of classifiers that see formatting only, and of the model on the same."""
    human, synthetic = paired_texts(table)
    # Pairs are interleaved, so that both halves of a pair fall into one half of the sample.
    order = np.argsort(np.concatenate([np.arange(len(human)), np.arange(len(human))]), kind="stable")
    texts = [(human + synthetic)[index] for index in order]
    labels = (np.arange(2 * len(human)) >= len(human))[order]
    folds = np.arange(len(texts)) // 2
    shuffled = np.argsort(folds % 2, kind="stable")
    interleaved = np.empty(len(texts), np.int64)
    interleaved[0::2], interleaved[1::2] = (
        shuffled[: len(texts) // 2 + len(texts) % 2],
        shuffled[len(texts) - len(texts) // 2 :],
    )
    texts, labels = [texts[index] for index in interleaved], labels[interleaved]
    model = model or StyleModel.load()

    def score_of(views: list[str]) -> float:
        scores = model.score(pa.array(views, pa.large_string()))
        return ranking(scores[labels], scores[~labels])

    return {
        "white space only (least squares on runs, lines, paragraphs)": _held_out_ranking(
            np.array([_white_space(text) for text in texts]), labels
        ),
        "Markdown only (least squares on counts of marks)": _held_out_ranking(
            np.array([_markdown(text) for text in texts]), labels
        ),
        "a classifier trained on formatting as the features see it (least squares)": _held_out_ranking(
            _symbols_seen([_formatting_kept(text, 60) for text in texts], model), labels
        ),
        "the model, letters replaced by x (white space and marks kept)": score_of(
            [re.sub(r"[^\W\d_]", "x", re.sub(r"[.,;:!?'\"()\-–—“”‘’…0-9/&%$@\[\]{}]", "", text)) for text in texts]
        ),
        "the model, only the Markdown kept": score_of(["".join(re.findall(r"[*#`_|>~]+|\n", text)) for text in texts]),
        "the model, whole texts": score_of(texts),
    }


def _misspelt(text: str) -> str:
    """A slip in one of ten words of four letters and more: a letter dropped, doubled or exchanged with the next."""

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        draw = zlib.crc32(f"{match.start()} {word}".encode())
        if draw % 10:
            return word
        at = 1 + (draw >> 8) % (len(word) - 2)
        middle = ("", word[at] * 2, word[at + 1] + word[at])[(draw >> 16) % 3]
        return word[:at] + middle + word[at + 1 + ((draw >> 16) % 3 == 2) :]

    return re.sub(r"[A-Za-z]{4,}", slip, text)


_LOOK_ALIKES = str.maketrans("aeopcxyABEHKMOPCTX", "аеорсхуАВЕНКМОРСТХ")
DISGUISES = {
    "as it is": str,
    "zero-width spaces between letters": lambda text: re.sub(r"(?<=\w)(?=\w)", "\u200b", text),
    "Cyrillic look-alikes": lambda text: text.translate(_LOOK_ALIKES),
    "full-width letters": lambda text: "".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in text),
    "spaces doubled": lambda text: text.replace(" ", "  "),
    "tabs for spaces": lambda text: text.replace(" ", "\t"),
    "a line break for one space in three": lambda text: re.sub(r" ", lambda m: "  \n"[m.start() % 3], text),
    "every line break a space": lambda text: re.sub(r"\s+", " ", text),
    "capitals": str.upper,
    "small letters": str.lower,
    "one word in ten misspelt": _misspelt,
}
"""What a writer can do to a text that leaves its reader the same words."""
RELAYOUTS = {"tabs for spaces", "a line break for one space in three"}
"""Disguises as a table or as code, about which the model is not asked; its score stays the same."""


def disguised_shares(table: pa.Table, model: StyleModel | None = None, most: int = 1500) -> dict[str, float]:
    """Share of synthetic English texts that is tagged synthetic under each disguise, each read as a scan reads it."""
    from provenance.text import prose
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    model = model or StyleModel.load()
    rows = zip(*(table[name].to_pylist() for name in ("text", "label", "model", "dataset", "lang")), strict=True)
    texts = [
        text
        for text, label, name, dataset, language in rows
        if label == "synthetic" and language == "en" and not is_base_model(name, dataset) and len(text.split()) >= 105
    ]
    texts = texts[:: max(1, len(texts) // most)]
    shares = {}
    for name, disguise in DISGUISES.items():
        views = pa.array([disguise(text) for text in texts], pa.large_string())
        words = np.diff(tokenize(fold(views)).offsets)
        judged = model.judge(views, ["en"] * len(views), words, prose.classify(views))
        shares[name] = float((tags(judged) == "synthetic").mean())
    return shares


def speed(texts: pa.LargeStringArray) -> None:
    """Print MB/s of the model and of scikit-learn on the same texts."""
    model = StyleModel.load()
    megabytes = pc.sum(pc.binary_length(texts)).as_py() / 1e6
    model.score(texts.slice(0, 10))
    best = min(_seconds(lambda: model.score(texts)) for _ in range(5))
    print(f"style model: {megabytes / best:.1f} MB/s ({megabytes:.1f} MB of processor time on one core, best of 5)")
    try:
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.linear_model import SGDClassifier
    except ImportError:
        print("scikit-learn is not installed: no comparison")
        return
    sample = texts.slice(0, 2000)
    part = pc.sum(pc.binary_length(sample)).as_py() / 1e6
    vectorizer = HashingVectorizer(analyzer="char_wb", ngram_range=(5, 5), n_features=2**18, binary=True)
    strings = sample.to_pylist()
    linear = SGDClassifier(max_iter=1, tol=None).fit(vectorizer.transform(strings[:50]), np.arange(50) % 2)
    taken = _seconds(lambda: linear.decision_function(vectorizer.transform(strings)))
    print(f"HashingVectorizer (character 5-grams alone) and a linear model: {part / taken:.1f} MB/s")


def _seconds(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == "__main__":
    shared = Path(os.environ.get("PROVENANCE_SHARED", ROOT.parent / "shared"))
    labelled = read_labelled([Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "data" / "labelled" / "dev"])
    speed(pa.concat_arrays(labelled["text"].chunks))
    for name, value in formatting_only(labelled).items():
        print(f"AUC {value:.3f}  {name}")
    for name, value in disguised_shares(labelled).items():
        print(f"{100 * value:.1f} % tagged synthetic  {name}")
