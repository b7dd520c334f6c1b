"""Estimated shares of synthetic text beside other ways to estimate them, on mixtures whose share is known.

``python benchmarks/estimate.py [--shared DIR] [--development]``: trains as ``scripts/train`` does (some minutes on one
core) and scores every training text by a model that never saw its data set. Mixtures of 5,000 texts with 0 to 50 %
synthetic ones are made (a) of the half of each set that takes no part in the calibration, (b) of one to three sets that
take no part, nor in what turns margins into scores, with all that was held out with them, and, with
``--development``, (c) of the development sets, scored by the final model.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from provenance.classifier import prevalence  # noqa: E402
from provenance.classifier.evaluate import base_models  # noqa: E402
from provenance.classifier.populations import CELLS, cells, populations  # noqa: E402
from provenance.classifier.training import train  # noqa: E402
from provenance.classifier.training.calibrate import LENGTH_BINS, Scored, logistic_line, set_weights  # noqa: E402
from provenance.classifier.training.labelled import read_labelled  # noqa: E402

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
TEXTS = 5000
MIDDLES = -10 + 0.25 * (np.arange(CELLS) - 0.5)
WORDS = 2000
FEWEST = 80


class Pool:
    """Scored texts with what mixtures and calibration need of them."""

    def __init__(self, columns: dict[str, np.ndarray], texts: list[str] | None = None) -> None:
        self.__dict__.update(columns)
        self.texts = texts

    def rows(self, mask: np.ndarray) -> np.ndarray:
        return np.flatnonzero(mask)


def held_out(labelled: Path):
    """Train, and return the model and the held-out scores of the training texts, each text at its longest."""
    settings = runpy.run_path(str(ROOT / "scripts" / "train"), run_name="settings")
    options = settings["options_of"]("default")
    result = train(settings["texts"](labelled), options, lambda line: print(line, file=sys.stderr))
    group = {**options.folds, **options.populations}
    held, table = result.held, result.table
    lines = {bin_.words_from: (bin_.slope, bin_.offset) for bin_ in result.model.arrays.bins}
    slope, offset = (np.array([lines[LENGTH_BINS[b][0]][part] for b in range(4)]) for part in (0, 1))
    column = {name: np.array(table[name].to_pylist(), dtype=object) for name in ("label", "dataset", "model")}
    column = {name: values[held.rows] for name, values in column.items()}
    keep = ~base_models(column["model"], column["dataset"])
    longest = np.zeros(table.num_rows, np.int64)
    np.maximum.at(longest, held.rows, held.bins)
    dataset = column["dataset"].astype(str)
    population = np.array([options.populations.get(name, name) for name in dataset])
    score = slope[held.bins] * held.margins + offset[held.bins]
    pool = Pool(
        {
            "row": held.rows[keep],
            "bin": held.bins[keep],
            "margin": held.margins[keep],
            "cell": cells(score)[keep],
            "synthetic": (column["label"] == "synthetic")[keep],
            "dataset": population[keep],
            "group": np.array([group.get(name, name) for name in dataset])[keep],
            "certain": ~np.isin(dataset, list(options.uncertain))[keep],
            "natural": (held.bins == longest[held.rows])[keep],
        }
    )
    pool.texts = table["text"].to_pylist()
    return result.model, pool


def recalibrated(pool: Pool, mask: np.ndarray) -> Pool:
    """The pool with the scores of a model that was calibrated on the masked texts only."""
    score = np.zeros(len(pool.row))
    _, group = np.unique(pool.group, return_inverse=True)
    for number in range(4):
        of_bin = pool.bin == number
        labels = [np.flatnonzero(mask & of_bin & part) for part in (~pool.synthetic & pool.certain, pool.synthetic)]
        weights = [set_weights(Scored(pool.margin[rows], group[rows], rows)) for rows in labels]
        rows = np.concatenate(labels)
        slope, offset = logistic_line(pool.margin[rows], pool.synthetic[rows], np.concatenate(weights))
        score[of_bin] = slope * pool.margin[of_bin] + offset
    return Pool({**pool.__dict__, "cell": cells(score)}, pool.texts)


def calibration(pool: Pool, mask: np.ndarray):
    """What a model file would hold if it had been calibrated on the masked texts only."""
    found = []
    for number in range(4):
        rows = np.flatnonzero(mask & (pool.bin == number) & (pool.synthetic | pool.certain))
        found += populations(
            str(number),
            MIDDLES[pool.cell[rows]],
            pool.synthetic[rows],
            pool.dataset[rows],
            pool.group[rows],
            pool.row[rows],
        )
    return prevalence.densities(found, ("0", "1", "2", "3"))


def draw_mixture(human: list[np.ndarray], synthetic: list[np.ndarray], share: float, draw) -> np.ndarray:
    """Rows of a mixture, the sets of a label in equal parts."""
    count = round(share * TEXTS)
    rows = [
        draw.choice(of_set, number)
        for sets, total in ((human, TEXTS - count), (synthetic, count))
        for of_set, number in zip(sets, draw.multinomial(total, np.full(len(sets), 1 / len(sets))), strict=True)
    ]
    return np.concatenate(rows)


def histogram(pool: Pool, rows: np.ndarray, draw) -> np.ndarray:
    """Counts by cluster (a chance one for each text), bin and cell."""
    counts = np.zeros((256, 4, CELLS))
    np.add.at(counts, (draw.integers(0, 256, len(rows)), pool.bin[rows], pool.cell[rows]), 1)
    return counts


def count_above(pile, known, rate):
    """Per bin: share of the pile, of human and of synthetic text above the threshold of a false-positive rate."""
    human, synthetic = known.human.mean(0), known.synthetic.mean(0)
    above = np.cumsum(human[:, ::-1], 1)[:, ::-1] <= rate
    size = np.maximum(pile.sum(1), 1)
    return (pile * above).sum(1) / size, (human * above).sum(1), (synthetic * above).sum(1)


def over_bins(pile, values):
    weights = pile.sum(1)
    return float((np.clip(values, 0, 1) * weights).sum() / weights.sum())


def other_methods(pile: np.ndarray, known) -> dict[str, float]:
    """Classify and count, adjusted counting, its median sweep, EM on the scores, a mixture of pooled densities."""
    found, false, true = count_above(pile, known, 0.005)
    sweep = [count_above(pile, known, rate) for rate in np.linspace(0.002, 0.3, 30)]
    swept = np.median([(f - h) / np.maximum(t - h, 1e-6) for f, h, t in sweep], axis=0)
    chance = 1 / (1 + np.exp(-MIDDLES))
    human, synthetic = known.human.mean(0), known.synthetic.mean(0)
    by_score, by_density = np.full(4, 0.5), np.full(4, 0.5)
    size = np.maximum(pile.sum(1), 1)
    for _ in range(300):
        prior = by_score[:, None]
        by_score = (pile * (prior * chance / (prior * chance + (1 - prior) * (1 - chance)))).sum(1) / size
        part = by_density[:, None] * synthetic
        by_density = (pile * part / (part + (1 - by_density[:, None]) * human)).sum(1) / size
    return {
        "classify and count": over_bins(pile, found),
        "adjusted count": over_bins(pile, (found - false) / np.maximum(true - false, 1e-6)),
        "median sweep": over_bins(pile, swept),
        "EM on scores": over_bins(pile, by_score),
        "mixture of pooled densities": over_bins(pile, by_density),
    }


class WordFrequencies:
    """Liang et al. 2024: a sentence's words as draws from the word rates of either class; the share by likelihood."""

    def __init__(self, human: list[str], synthetic: list[str]) -> None:
        seen = [
            [set(re.findall(r"[a-z]+", s)) for text in texts for s in _sentences(text)] for texts in (human, synthetic)
        ]
        counts: list[dict[str, int]] = [{}, {}]
        for sentences, count in zip(seen, counts, strict=True):
            for words in sentences:
                for word in words:
                    count[word] = count.get(word, 0) + 1
        both = {word: counts[0].get(word, 0) + counts[1].get(word, 0) for word in counts[0].keys() | counts[1].keys()}
        self.words = {word: n for n, word in enumerate(sorted(both, key=lambda w: (-both[w], w))[:WORDS])}
        sizes = [max(len(sentences), 1) for sentences in seen]
        rates = [
            np.array([(count.get(word, 0) + 0.5) / (size + 1) for word in self.words])
            for count, size in zip(counts, sizes, strict=True)
        ]
        self.base = float(np.log1p(-rates[1]).sum() - np.log1p(-rates[0]).sum())
        odds = [np.log(rate) - np.log1p(-rate) for rate in rates]
        self.weight = odds[1] - odds[0]

    def ratios(self, text: str) -> list[float]:
        """Log-likelihood ratio of each sentence."""
        places = [[self.words[w] for w in set(re.findall(r"[a-z]+", s)) if w in self.words] for s in _sentences(text)]
        return [self.base + float(self.weight[place].sum()) for place in places]

    def share(self, ratios: np.ndarray) -> float:
        ratio = np.exp(np.clip(ratios, -60, 60))
        share = 0.5
        for _ in range(200):
            part = share * ratio
            share = float((part / (part + 1 - share)).mean())
        return share


def _sentences(text: str) -> list[str]:
    return [s for s in re.split(r"[.!?\n]+", text[:1500].lower()) if s.count(" ") >= 4][:10]


def words_of(pool: Pool, mask: np.ndarray, draw) -> WordFrequencies:
    """Fit on a sample of the calibration texts, sets in equal parts."""
    samples = []
    for label in (False, True):
        of_label = mask & pool.natural & (pool.synthetic == label) & (pool.certain | label)
        rows = [np.flatnonzero(of_label & (pool.dataset == name)) for name in np.unique(pool.dataset[of_label])]
        chosen = np.concatenate([draw.choice(r, min(len(r), 300), replace=False) for r in rows])
        samples.append([pool.texts[row] for row in pool.row[chosen]])
    return WordFrequencies(*samples)


def compare(name: str, cases, seed: int = 1) -> None:
    """Print mean absolute errors of every method, and how often the interval holds the truth.

    Args:
        name: Printed.
        cases: Of (pool of the mixtures, human sets, synthetic sets, densities, word frequencies).
        seed: Of the mixtures.
    """
    draw = np.random.default_rng(seed)
    errors: dict[str, list[tuple[float, float]]] = {}
    covered, widths, seconds = [], [], []
    for pool, human, synthetic, known, frequencies in cases:
        remembered: dict[int, list[float]] = {}
        tried = None
        for share in SHARES:
            rows = draw_mixture(human, synthetic, share, draw)
            counts = histogram(pool, rows, draw)
            pile = counts.sum(0)
            begun = time.process_time()
            tried = tried or prevalence.trials(known, pile.sum(1) / pile.sum(), TEXTS)
            found = prevalence.estimate(counts, np.zeros((4, CELLS)), TEXTS, known, tried)
            seconds.append(time.process_time() - begun)
            covered.append(found.low <= share <= found.high)
            widths.append(found.high - found.low)
            for row in set(pool.row[rows[:1500]].tolist()) - remembered.keys():
                remembered[row] = frequencies.ratios(pool.texts[row])
            sample = draw.choice(pool.row[rows], 1500, replace=False).tolist()
            for row in set(sample) - remembered.keys():
                remembered[row] = frequencies.ratios(pool.texts[row])
            ratios = np.array([value for row in sample for value in remembered[row]])
            results = {
                **other_methods(pile, known),
                "word frequencies": frequencies.share(ratios),
                "blend": prevalence.sampled(counts, TEXTS, known, replicates=2)[0],
                "blend, corrected": found.share,
            }
            for method, value in results.items():
                errors.setdefault(method, []).append((share, value - share))
    print(f"\n## {name}\n")
    print("| method | mean error | " + " | ".join(f"{100 * share:.0f} %" for share in SHARES) + " |")
    print("|---|--:|" + "--:|" * len(SHARES))
    for method, found in errors.items():
        values = np.array(found)
        by_share = [f"{100 * np.abs(values[values[:, 0] == share, 1]).mean():.1f}" for share in SHARES]
        print(f"| {method} | {100 * np.abs(values[:, 1]).mean():.2f} | " + " | ".join(by_share) + " |")
    print(
        f"\nblend, corrected: 95 % intervals hold the truth in {100 * np.mean(covered):.1f} % of "
        f"{len(covered)} mixtures; mean width {100 * np.mean(widths):.1f} points; "
        f"{np.mean(seconds):.2f} s of processor time each",
        flush=True,
    )


def sets_of(pool: Pool, mask: np.ndarray, least: int = FEWEST) -> dict[str, np.ndarray]:
    rows = {name: np.flatnonzero(mask & (pool.dataset == name)) for name in np.unique(pool.dataset[mask])}
    return {name: found for name, found in rows.items() if len(found) >= least}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--shared", type=Path, default=Path(os.environ.get("PROVENANCE_SHARED", ROOT.parent / "shared"))
    )
    parser.add_argument("--development", action="store_true", help="also look at the development sets")
    parser.add_argument("--repeats", type=int, default=10, help="choices of unseen sets")
    arguments = parser.parse_args()
    labelled = arguments.shared / "data" / "labelled"
    model, pool = held_out(labelled)
    draw = np.random.default_rng(7)

    half = (pool.row * 2654435761 % 2**32) < 2**31
    inside = [
        (
            pool,
            list(sets_of(pool, pool.natural & ~half & ~pool.synthetic & pool.certain, 40).values()),
            list(sets_of(pool, pool.natural & ~half & pool.synthetic, 40).values()),
            calibration(pool, half),
            words_of(pool, half, draw),
        )
    ]
    compare("Known sets, other texts", inside * 3)

    human = sets_of(pool, pool.natural & ~pool.synthetic & pool.certain)
    synthetic = sets_of(pool, pool.natural & pool.synthetic)
    unseen = []
    while len(unseen) < arguments.repeats:
        some = [draw.choice(sorted(sets), int(draw.integers(1, 4)), replace=False) for sets in (human, synthetic)]
        hidden = np.unique(pool.group[np.isin(pool.dataset, np.concatenate(some))])
        seen = ~np.isin(pool.group, hidden)
        anew = recalibrated(pool, seen)
        known = calibration(anew, seen)
        if known is not None:
            parts = [human[name] for name in some[0]], [synthetic[name] for name in some[1]]
            unseen.append((anew, *parts, known, words_of(anew, seen, draw)))
    if unseen:
        compare("Sets that were never seen", unseen)

    if arguments.development:
        known, frequencies = calibration(pool, np.ones(len(pool.row), bool)), words_of(pool, pool.natural, draw)
        found = score_development(model, labelled / "dev")
        parts = [list(sets_of(found, found.natural & (found.synthetic == label)).values()) for label in (False, True)]
        compare("Development sets", [(found, *parts, known, frequencies)] * 3)
        print("\n| development set (human, at most 2019 where dated) | texts | estimated share % |\n|---|--:|--:|")
        for name, rows in [*sets_of(found, ~found.synthetic).items(), ("all", np.flatnonzero(~found.synthetic))]:
            counts = histogram(found, rows, draw)
            lengths = counts.sum((0, 2)) / counts.sum()
            tried = prevalence.trials(known, lengths, len(rows))
            share = prevalence.estimate(counts, np.zeros((4, CELLS)), len(rows), known, tried)
            print(
                f"| {name} | {len(rows)} | {100 * share.share:.2f} ({100 * share.low:.2f} to {100 * share.high:.2f}) |"
            )


def score_development(model, folder: Path) -> Pool:
    """The development texts that the model scores, as a scan would."""
    from provenance.text import prose
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    table = read_labelled([folder])
    texts = pa.concat_arrays(table["text"].chunks)
    words = np.diff(tokenize(fold(texts)).offsets)
    judged = model.judge(texts, table["lang"].to_pylist(), words, prose.classify(texts))
    names = np.array(judged["calibration_bin"].to_pylist(), dtype=object)
    base = base_models(*(np.array(table[name].to_pylist(), dtype=object) for name in ("model", "dataset")))
    keep = np.flatnonzero((names != None) & ~base)  # noqa: E711 - elementwise
    number = {bin_.name: place for place, bin_ in enumerate(model.arrays.bins)}
    pool = Pool(
        {
            "row": keep,
            "bin": np.array([number[name] for name in names[keep]]),
            "cell": cells(judged["style_score"].to_numpy(zero_copy_only=False)[keep]),
            "synthetic": (np.array(table["label"].to_pylist(), dtype=object) == "synthetic")[keep],
            "dataset": np.array(table["dataset"].to_pylist(), dtype=object).astype(str)[keep],
            "natural": np.ones(len(keep), bool),
        }
    )
    pool.texts = texts.to_pylist()
    return pool


if __name__ == "__main__":
    main()
