"""The page on attribution, written from measured numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from provenance.classifier.families.model import MOST_P_HUMAN, FamilyModel, confidence
from provenance.classifier.families.modelfile import FamilyArrays
from provenance.classifier.families.names import BASE, OTHER
from provenance.classifier.families.training import FamilyResult, HeldOut, family_rows

_FEWEST: Final = 20
"""Texts of a set below which no share of it is shown."""


@dataclass(frozen=True)
class Outcome:
    """Texts with the family that wrote them, and the one that style named, if it named one.

    Attributes:
        actual: Families.
        named: Families, ``""`` for none.
        likeliest: The likeliest family of each, named or not.
    """

    actual: npt.NDArray[np.object_]
    named: npt.NDArray[np.object_]
    likeliest: npt.NDArray[np.object_]

    def of(self, mask: npt.NDArray[np.bool_]) -> Outcome:
        """Those under a mask."""
        return Outcome(self.actual[mask], self.named[mask], self.likeliest[mask])

    @property
    def coverage(self) -> float:
        """Share of the texts that a family is named for."""
        return float((self.named != "").mean())

    @property
    def right(self) -> float:
        """Share of the named texts whose family is the named one."""
        given = self.named != ""
        return float((self.named == self.actual)[given].mean()) if given.any() else float("nan")

    def f1(self, family: str) -> float:
        """F1 of one family among the named texts; NaN if none of them is of that family."""
        given = self.named != ""
        actual, named = self.actual[given] == family, self.named[given] == family
        return 2.0 * float((actual & named).sum()) / float(actual.sum() + named.sum()) if actual.any() else float("nan")

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the families (``base`` among them) that the texts are of; ``other`` can't be named."""
        values = [0.0 if np.isnan(value) else value for value in map(self.f1, self.families)]
        return float(np.mean(values)) if values else float("nan")

    @property
    def families(self) -> tuple[str, ...]:
        """Families that the texts are of and that can be named."""
        return tuple(sorted(set(self.actual.tolist()) - {OTHER}))


def outcome(held_out: HeldOut, margins: npt.NDArray[np.float64], temperature: float, threshold: float) -> Outcome:
    """What would be named of held-out texts."""
    shares = confidence(margins, temperature)
    names = np.array(held_out.families, dtype=object)
    likeliest = names[shares.argmax(axis=1)]
    silent = (shares.max(axis=1) < threshold) | (likeliest == OTHER)
    return Outcome(names[held_out.actual], np.where(silent, "", likeliest), likeliest)


def named_texts(model: FamilyModel, table: pa.Table) -> tuple[pa.Table, Outcome]:
    """Name families of labelled texts that training had no part in.

    Returns:
        The texts that a family alone wrote and that are long enough, and what was named.
    """
    from provenance.text.fold import fold
    from provenance.text.tokens import tokenize

    table = family_rows(table, model.arrays.languages).combine_chunks()
    words = np.diff(tokenize(fold(pa.concat_arrays(table["text"].chunks))).offsets)
    table = table.filter(pa.array(words >= model.arrays.fewest_words)).combine_chunks()
    texts = pa.concat_arrays(table["text"].chunks)
    named, _score = model.attribute(texts)
    likeliest = np.array(model.arrays.names, dtype=object)[model.shares(texts).argmax(axis=1)]
    actual = np.array(table["family"].to_pylist(), dtype=object)
    return table, Outcome(actual, np.array([name or "" for name in named], dtype=object), likeliest)


def families_page(result: FamilyResult, development: pa.Table | None = None) -> str:
    """The Markdown page.

    Args:
        result: From training.
        development: Labelled texts of sets that training did not see.
    """
    arrays, held_out = result.model.arrays, result.held_out
    limits = arrays.temperature, arrays.threshold
    known = outcome(held_out, held_out.by_prompt, *limits)
    every = outcome(held_out, held_out.by_prompt, arrays.temperature, 0.0)
    seen = ~np.isnan(held_out.by_set[:, 0])
    foreign = outcome(held_out, np.nan_to_num(held_out.by_set), *limits).of(seen)
    texts = Counter({name: 0 for name in arrays.names})
    sets: dict[str, set[str]] = {name: set() for name in arrays.names}
    for entry in arrays.card["sets"]:
        texts[entry["family"]] += entry["texts"]
        sets[entry["family"]].add(entry["dataset"])
    named = [name for name in arrays.names if name != OTHER]
    lines = [
        "# Attribution: which family wrote it",
        "",
        "<!-- Written by scripts/train-families from measured numbers; do not edit. -->",
        "",
        f"Version `{result.model.version}`. For a record that looks synthetic (`p_human` ≤ {MOST_P_HUMAN}), of at "
        f"least {arrays.fewest_words} words, in {', '.join(arrays.languages)}, `model_family` names the family of "
        "models whose style it is most like, and `attribution_score` says how far to believe it. Below a threshold of "
        "confidence nothing is named.",
        "",
        "**It is a likeness, not a finding.** It answers *which family, if a model wrote this*; it takes no part in "
        "the verdict, and never makes an edge in the lineage: only a match with registered generations does (score 1). "
        "On kinds of text that training did not hold it is wrong more often than right, as the tables show: "
        "what sets of texts have in common outweighs what families have. Use it over many records, never on one.",
        "",
        "The same hashed n-grams as the style model's (so neither formatting nor case is seen), one linear score for "
        "each family against the others, in one table of 8-bit weights. Texts that another program or a person "
        "rewrote took no part. A text costs little in the score of a family that its set holds nothing of: there it "
        f"could only teach the sets apart. `{BASE}` stands for models without tuning to instructions, whoever made "
        f"them. Lines of models with hardly any texts are one class, `{OTHER}`, that is never named. Fine-tunes taught "
        "on another family's answers (Vicuna, Alpaca, WizardLM, Zephyr …) belong to no family and are left out; "
        "those tuned on their own answers stay with their family. Which name means which family: `names.toml` beside "
        "the code.",
        "",
        "`attribution_score` is the share of named texts that were right at that confidence when half of them were of "
        "known kinds of text and half of unknown ones, both held out.",
        "",
        "## Known kinds of text, unknown prompts",
        "",
        f"Five folds by prompt and text. {len(known.actual)} texts, of one set and family at most "
        f"{arrays.card['options']['rows']}. The threshold is set so that {known.coverage:.0%} are named: of these "
        f"{known.right:.1%} right, macro-F1 {known.macro_f1:.3f} over {len(known.families)} families. "
        f"Without abstention: {every.right:.1%} right, macro-F1 {every.macro_f1:.3f}.",
        "",
        *_table(
            ("family", "texts trained on", "sets", "held out", "named %", "F1 of the named", "F1 without abstention"),
            [
                (
                    name,
                    texts[name],
                    len(sets[name]),
                    int((known.actual == name).sum()),
                    _percent(known.of(known.actual == name).coverage),
                    _number(known.f1(name)),
                    _number(every.f1(name)),
                )
                for name in named
            ],
        ),
        "",
        "Of 100 named texts of a family (row), how many were named as each (column):",
        "",
        *_table(("", *named), _confusions(known, [*named, OTHER], named)),
        "",
        *_by_set(known, held_out.dataset),
        "",
        "## Unknown kinds of text",
        "",
        "One whole set held out at a time, families that stand in another set too, the same threshold. "
        f"{foreign.coverage:.0%} are named, of these {foreign.right:.1%} right, macro-F1 {foreign.macro_f1:.3f} over "
        f"{len(foreign.families)} families.",
        "",
        *_by_set(foreign, held_out.dataset[seen]),
        "",
        "F1 of the named, by family: "
        + ", ".join(f"{name} {_number(foreign.f1(name))}" for name in named if name in foreign.families)
        + ".",
    ]
    lines += [
        "",
        "## What asking for a higher score gives",
        "",
        "Tried in order to stay silent on unknown kinds alone: the highest raw score, its lead over the next one, "
        "their difference weighed, and the first of these with the confidence. At the same share of known texts "
        "named, none names fewer unknown ones wrongly than the confidence itself does: a text of an unknown kind is no "
        "further from the families than one of a known kind. What helps is to ask for a higher `attribution_score`:",
        "",
        *_table(
            ("score of at least", "known kinds: named %", "right %", "macro-F1", "unknown kinds: named %", "right %"),
            [_at_score(held_out, seen, arrays, score) for score in (0.0, 0.5, 0.6, 0.7, 0.8)],
        ),
    ]
    if development is not None:
        table, unseen = named_texts(result.model, development)
        datasets = np.array(table["dataset"].to_pylist(), dtype=object)
        tuned = unseen.of(unseen.actual != BASE)
        lines += [
            "",
            "## Development sets",
            "",
            "Sets and generators that training did not hold, some of the generators two years younger. "
            f"{len(unseen.actual)} texts, {unseen.coverage:.0%} named, {unseen.right:.1%} of these right, macro-F1 "
            f"{unseen.macro_f1:.3f} over {len(unseen.families)} families; without base models {tuned.right:.1%} right.",
            "",
            *_by_set(unseen, datasets),
            "",
            *_table(("", *named), _confusions(unseen, [*named, OTHER], named)),
        ]
    return "\n".join(lines) + "\n"


def _at_score(held_out: HeldOut, seen: npt.NDArray[np.bool_], arrays: FamilyArrays, score: float) -> tuple[object, ...]:
    """What is left of the named texts when at least this score is asked for."""
    steps = np.array(arrays.steps)
    enough = np.linspace(arrays.threshold, 1.0, 10_000)
    enough = enough[np.interp(enough, steps[:, 0], steps[:, 1]) >= score]
    threshold = float(enough[0]) if len(enough) else 1.1
    known = outcome(held_out, held_out.by_prompt, arrays.temperature, threshold)
    foreign = outcome(held_out, np.nan_to_num(held_out.by_set), arrays.temperature, threshold).of(seen)
    numbers = (known.coverage, known.right, foreign.coverage, foreign.right)
    shown = [_percent(number) for number in numbers]
    return (f"{score:.1f}" if score else "any", *shown[:2], _number(known.macro_f1), *shown[2:])


def _confusions(seen: Outcome, actual: Sequence[str], named: Sequence[str]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for family in actual:
        given = seen.named[(seen.actual == family) & (seen.named != "")]
        if len(given):
            rows.append(
                (f"{family} ({len(given)})", *(round(100 * float((given == name).mean())) or "" for name in named))
            )
    return rows


def _by_set(seen: Outcome, dataset: npt.NDArray[np.object_]) -> list[str]:
    rows: list[tuple[object, ...]] = []
    for name in sorted(set(dataset.tolist())):
        here = seen.of(dataset == name)
        if len(here.actual) >= _FEWEST:
            rows.append(
                (
                    name,
                    len(here.actual),
                    len(set(here.actual.tolist())),
                    _percent(here.coverage),
                    _percent(here.right),
                    _number(here.macro_f1),
                )
            )
    return _table(("set", "texts", "families", "named %", "right %", "macro-F1 of the named"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    rule = "|---|" + "--:|" * (len(head) - 1)
    return (
        [f"| {' | '.join(map(str, row))} |" for row in (head,)]
        + [rule]
        + [f"| {' | '.join(map(str, row))} |" for row in rows]
    )


def _percent(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.0f}"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
