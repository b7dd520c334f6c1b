"""The model card: what a style model was made of, what it can do, where it must not be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provenance.classifier.evaluate import Evaluation, Group, markdown_table
from provenance.classifier.model import StyleModel
from provenance.classifier.modelfile import Bin, encode

_PLACES = (0.001, 0.005, 0.01, 0.02)


def model_card(
    model: StyleModel,
    unseen: Evaluation | None,
    *,
    held_out: Sequence[Group] = (),
    kinds: Sequence[Group] = (),
    attacks: Sequence[Group] = (),
    disguises: Mapping[str, float] | None = None,
    tried: Sequence[Sequence[str]] = (),
    looks: Sequence[str] = (),
    formatting: dict[str, float] | None = None,
    cost_of_open: tuple[StyleModel, Evaluation] | None = None,
) -> str:
    """Write the card in Markdown.

    Args:
        model: The model.
        unseen: Its evaluation on sets that took no part in training or calibration.
        held_out: Shares on the training sets, each held out.
        kinds: Shares on the training sets, each kind of text held out.
        attacks: Shares by how a synthetic text was altered, each held out.
        disguises: Share of synthetic text of ``unseen`` that is tagged synthetic under each disguise.
        tried: Rows of the table of what was tried, as held-out training sets judged it.
        looks: When and why the sets of ``unseen`` were looked at before.
        formatting: AUC on paired texts of classifiers that see formatting only.
        cost_of_open: The model trained without sets whose licence is not stated, and its evaluation.
    """
    options = model.card["options"]
    sections = [
        "# Model card: the style model",
        "<!-- Written by scripts/train from measured numbers; do not edit. -->",
        f"Version `{model.version}`, {len(encode(model.arrays)) / 1e6:.2f} MB, trained on "
        f"{model.card['windows']} windows. Calibrated for: {', '.join(model.languages) or 'nothing'}; texts in other "
        f"languages, texts below {min((bin_.words_from for bin_ in model.arrays.bins), default=0)} words, code, tables "
        "and lists get no style evidence.",
        _HOW,
        _experts(options["experts"]),
        "## Trained and calibrated on",
        _sets(model),
        f"Held out together when the calibration scores are made: {_folds(options['folds'])}; every other set alone. "
        "Rows of these sets are pieces of few works and count as one document for each domain of theirs: "
        f"{', '.join(options['pieces']) or 'none'}. Trained on, but not calibrated on, because their human texts are "
        "undated, were gathered when models were already in use, and some read like a model's: "
        f"{', '.join(options['uncertain']) or 'none'}.",
        "## Calibration",
        _CALIBRATION,
        _bins(model.arrays.bins),
    ]
    if held_out:
        sections += ["## On the training sets, each held out", _HELD, markdown_table(held_out, "set")]
    if kinds:
        sections += ["## On the training sets, each kind of text held out", _KINDS, markdown_table(kinds, "kind")]
    if unseen is not None:
        sections += ["## On sets that it has never seen", _UNSEEN, *_evaluation(unseen)]
        if looks:
            sections += [
                "How often these sets have been looked at:",
                "\n".join(f"{n}. {look}" for n, look in enumerate(looks, 1)),
            ]
    if formatting:
        lines = [f"| {name} | {value:.3f} |" for name, value in formatting.items()]
        sections += [
            "## What formatting gives away",
            "Area under the ROC curve on pairs of human and synthetic answers to one prompt, cut to equal length, 0.5 "
            "being chance. The first two rows show what the raw texts would give away; the next three, that none of it "
            "reaches the model.",
            "\n".join(["| a classifier that sees | AUC |", "|---|--:|", *lines]),
        ]
    if disguises:
        lines = [f"| {name} | {100 * value:.1f} |" for name, value in disguises.items()]
        sections += [
            "## Disguises",
            _DISGUISES,
            "\n".join(["| the same texts | synthetic % |", "|---|--:|", *lines]),
        ]
    if attacks:
        sections += ["## Paraphrase and other attacks, each set held out", _ATTACKS, markdown_table(attacks, "attack")]
    if tried:
        sections += [
            "## What was tried",
            _TRIED,
            "\n".join(
                ["| what | AUC | worst set | synthetic % | human % |", "|---|--:|--:|--:|--:|"]
                + [f"| {' | '.join(row)} |" for row in tried]
            ),
        ]
    if cost_of_open is not None:
        sections += [
            "## Without sets whose licence is not stated",
            f"`scripts/train --licences open` makes `{cost_of_open[0].version}`:",
            markdown_table(cost_of_open[1].overall, "kind"),
        ]
    sections += ["## What not to do with it", _LIMITS]
    return "\n\n".join(sections) + "\n"


_HOW = (
    "The highest of a few linear scores over distinct character 5-grams and word 1- to 3-grams (marks of punctuation "
    "are words) of windows of at most 2,400 symbols, hashed into two blocks of buckets with 8-bit weights; each block "
    "is divided by the root of the number of its n-grams. A longer text is cut into equal windows, and each of its "
    "scores is their mean. The symbols leave out case, white space, Markdown, list marks, the glyphs of quotation "
    "marks and dashes, accents, look-alike and invisible characters, and the digits of numbers, so that neither "
    "formatting nor those disguises can move a score. Trained with a squared hinge loss by dual coordinate descent on "
    "random windows of both labels, up to three of a human text and two of a synthetic one, balanced over data set, "
    "generator, domain and length; all human text costs twice as much as all synthetic text, and base models count "
    "0.05. In half of the windows 2 to 15 % of the words are misspelt."
)
_CALIBRATION = (
    "Every calibration document is scored by a model that saw neither its data set nor a copy of it nor another "
    "answer to its prompt. A p-value is the larger of two numbers. The first is the 95 % Clopper-Pearson bound on the "
    "share of pooled documents at least as extreme. The second is there because sets differ more than chance, so that "
    "a pooled threshold breaks its promise on the next set: for human text Student's 95 % bound on the mean rate of a "
    "data set, taking the sets as the sample (a set of pieces of fewer than 20 works is no sample of its own); for "
    "synthetic text that mean itself. "
    "For the longest bin, documents that have no such span take part with a shorter "
    "one, which spreads more and so keeps the bound safe."
)
_UNSEEN = (
    "Texts of at least 100 words, default policy (`p_human` ≤ 0.005: synthetic; else `p_synthetic` ≤ 0.03: human; "
    "else unknown), style alone: no date, match, marker or declaration. AUC: against human prose of the same "
    "language and length, of all sets together; none for languages without calibration, whose texts are all "
    "unknown. `cheat_fusion` mixes people's sentences with a model's: `unknown` is the right tag for much of it, "
    "though it counts as synthetic here."
)
_HELD = (
    "Spans of at least 100 words, default policy. A document counts once in every range of lengths that it reaches. "
    "The scores are the ones that the calibration tables were made from, so the shares of human text show how evenly "
    "the error is spread, not how well the promise is kept."
)
_KINDS = (
    "As above, but what is held out is a kind of text, from all sets at once, with copies of its texts and other "
    "answers to its prompts. Few texts written for the project belong to a kind by their domain's name; the others "
    "were trained on throughout. The thresholds are the model's own."
)
_DISGUISES = (
    "English texts of instruction-tuned models, of at least 100 words, from the sets that the model has never seen; "
    "each disguise is applied to the whole text, and the text is then read as a scan reads it."
)
_ATTACKS = (
    "Texts of instruction-tuned models that their data set altered, or had a model alter, on purpose. Spans of at "
    "least 100 words, default policy."
)
_TRIED = (
    "Training sets held out one after another, three tenths of the rows unless said otherwise; spans of 100 to 399 "
    "words, or of 100 and more from the reference row that says so. AUC: mean over synthetic sets of "
    "instruction-tuned models, against human text of which every set weighs the same. Synthetic %: share of "
    "synthetic text above the threshold that 0.5 % of such human text reaches; human %: share of human text below "
    "the threshold under which 3 % of synthetic text lie. Both thresholds are read off the scores themselves, so "
    "they compare models; they promise nothing. Sets with restricted licences took part as unseen text only: they "
    "were scored, never trained on. In the rows with three numbers a cell, spans have 100 words and more, and the "
    "thresholds are those that the calibration gives."
)
_LIMITS = (
    "A tag is a statement about a population, not proof against an author. The error bounds hold for text like "
    "the calibration text; formal, edited, repetitive prose is nearest to the threshold. Light edits by a model, "
    "text of models newer than the training text, and paraphrases made to evade are found less often, which the "
    "tables show. Do not use it on students, applicants or authors."
)


def _sets(model: StyleModel) -> str:
    lines = ["| set | label | rows | licence as stated | taken as |", "|---|---|--:|---|---|"]
    for entry in model.card["sets"]:
        lines.append(
            f"| {entry['dataset']} | {entry['label']} | {entry['rows']} | {entry['licence'] or ''} "
            f"| {entry['licence_kind']} |"
        )
    return "\n".join(lines)


def _experts(experts: Sequence[Mapping[str, Any]]) -> str:
    if len(experts) == 1:
        return "One score was trained on all synthetic text."
    rows = []
    for expert in experts:
        sets = ", ".join(expert["sets"]) or "none"
        rows.append(
            f"| {expert['name']} | {'all but ' if expert['others'] else ''}{sets} | "
            f"{expert['steepness']} | {expert['handicap']} |"
        )
    return "\n".join(
        [
            "Each score is an expert's, trained on the synthetic text of some sets, because what models of one "
            "generation have in common does not show in another's, and on human text. Out of sample, 0 is what one "
            "in 200 human texts reaches (every fold weighs the same) and -1 their median; that is multiplied by an "
            "expert's steepness, and its handicap taken off.",
            "",
            "| expert of | synthetic sets | steepness | handicap |",
            "|---|---|--:|--:|",
            *rows,
        ]
    )


def _folds(folds: dict[str, str]) -> str:
    together: dict[str, list[str]] = {}
    for name, fold in folds.items():
        together.setdefault(fold, []).append(name)
    return "; ".join(" with ".join(sorted(names)) for _, names in sorted(together.items())) or "none"


def _bins(bins: tuple[Bin, ...]) -> str:
    places = " | ".join(f"score at p_human {place:g}" for place in _PLACES)
    lines = [
        f"| bin | human documents | synthetic documents | least p_human | {places} | score at p_synthetic 0.03 |",
        "|---|--:|--:|--:|" + "--:|" * (len(_PLACES) + 1),
    ]
    for bin_ in bins:
        cells = [
            next(
                (
                    f"{bin_.slope * m + bin_.offset:.2f}"
                    for m, p in zip(bin_.human_margins, bin_.human_p, strict=True)
                    if p <= place
                ),
                "–",
            )
            for place in _PLACES
        ]
        low = [m for m, p in zip(bin_.synthetic_margins, bin_.synthetic_p, strict=True) if p <= 0.03]
        cells.append(f"{bin_.slope * low[-1] + bin_.offset:.2f}" if low else "–")
        lines.append(
            f"| {bin_.name} | {bin_.documents[0]} | {bin_.documents[1]} | {bin_.human_p[-1]:.5f} "
            f"| {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def _evaluation(evaluation: Evaluation) -> list[str]:
    return [
        markdown_table(evaluation.overall, "kind"),
        "Expected calibration error of the score (15 bins, labels weighed alike): "
        f"{evaluation.expected_calibration_error:.3f}.",
        markdown_table(evaluation.by_set, "set"),
        markdown_table(evaluation.by_length, "words"),
        markdown_table(evaluation.by_model, "generator"),
    ]
