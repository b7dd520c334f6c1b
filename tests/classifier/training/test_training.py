"""Training on a small made-up corpus: two ways of writing, several sets, one pair of hands each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.classifier.alphabet import build_table
from provenance.classifier.features import symbolise
from provenance.classifier.modelfile import encode
from provenance.classifier.training import Expert, TrainingOptions, train
from provenance.classifier.training.augment import misspell_spans
from provenance.classifier.training.calibrate import Scored, SetRates, p_table
from provenance.classifier.training.corpus import build_corpus, mix, several_windows
from provenance.classifier.training.labelled import (
    COLUMNS,
    is_base_model,
    licence_kind,
    read_labelled,
    select_licences,
)
from provenance.classifier.training.optimise import HUMAN_COST, fit, hash_rows, on_one_scale
from provenance.errors import UsageError

SYLLABLES = ["ka", "lo", "mi", "ren", "ta", "vos", "ul", "pe", "shi", "dor", "nam", "qui", "est", "bra"]
SHARED = ["".join(SYLLABLES[(i * k) % 14] for k in (3, 5)) for i in range(1, 60)]
HUMAN = ["anyway", "reckon", "stuff", "got", "kinda", "mate"]
SYNTHETIC = ["furthermore", "delve", "crucial", "tapestry", "comprehensive", "overall"]


def text_of(number: int, own: list[str], words: int) -> str:
    draws = mix(np.arange(words, dtype=np.int64) + number * 100_000, 7)
    chosen = [
        (own if d % 7 == 0 else SHARED)[int(d >> np.uint64(8)) % (len(own) if d % 7 == 0 else 59)]
        for d in draws.tolist()
        for d in [np.uint64(d)]
    ]
    sentences = [" ".join(chosen[at : at + 11]).capitalize() + "." for at in range(0, words, 11)]
    return " ".join(sentences)


def corpus_table(sets: int = 4, rows: int = 180, words: int = 120) -> pa.Table:
    texts = []
    for number in range(sets * rows * 2):
        synthetic, dataset = number % 2 == 1, f"set{number % (2 * sets) // 2}"
        texts.append(
            {
                "text": text_of(number, SYNTHETIC if synthetic else HUMAN, words),
                "label": "synthetic" if synthetic else "human",
                "model": "made-up" if synthetic else None,
                "domain": None,
                "lang": "en",
                "pair_id": None,
                "document_id": None,
                "dataset": dataset,
                "licence": "CC0",
                "year": None,
                "attack": None,
            }
        )
    return pa.Table.from_pylist(texts, COLUMNS)


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return corpus_table()


@pytest.fixture(scope="module")
def result(table):
    return train(table, TrainingOptions(bits=12, epochs=3))


def test_the_same_corpus_gives_the_same_bytes(table, result) -> None:
    again = train(table, TrainingOptions(bits=12, epochs=3))
    assert encode(again.model.arrays) == encode(result.model.arrays)


def test_it_learns_calibrates_and_knows_what_it_has_not_learned(result) -> None:
    model = result.model
    assert [bin_.name for bin_ in model.arrays.bins] == ["en:50-99", "en:100-199"]
    fresh = pa.array([text_of(900_000 + n, HUMAN if n % 2 else SYNTHETIC, 120) for n in range(60)], pa.large_string())
    score = model.score(fresh)
    assert score[0::2].min() > score[1::2].max()
    batch = model.judge(fresh, ["en"] * 60, [120] * 60, ["prose"] * 60)
    p_human = np.array(batch["p_human"].to_pylist())
    assert p_human[0::2].max() < 0.01 < p_human[1::2].min()


def test_a_restricted_licence_never_reaches_the_model(table, result) -> None:
    poisoned = table.slice(0, 300).set_column(
        table.schema.get_field_index("licence"), "licence", pa.array(["CC BY-NC-SA 4.0"] * 300, pa.string())
    )
    mixed = train(pa.concat_tables([poisoned, table]), TrainingOptions(bits=12, epochs=3))
    assert encode(mixed.model.arrays) == encode(result.model.arrays)


def test_one_label_alone_is_refused(table) -> None:
    human = table.filter(pa.array([label == "human" for label in table["label"].to_pylist()]))
    with pytest.raises(UsageError, match="both labels"):
        train(human, TrainingOptions(bits=12))


def test_a_label_in_one_set_only_is_refused(table) -> None:
    keep = [
        d == "set0" or x == "human"
        for d, x in zip(table["dataset"].to_pylist(), table["label"].to_pylist(), strict=True)
    ]
    with pytest.raises(UsageError, match="one label stands in a single set"):
        train(table.filter(pa.array(keep)), TrainingOptions(bits=12, epochs=1))


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("Apache-2.0 code; README data badge CC-BY-NC-4.0; outputs subject to model terms", "restricted"),
        ("research (Pang & Lee)", "restricted"),
        ("nltk: unspecified/academic", "restricted"),
        ("no licence file in repo; research use", "restricted"),
        ("academic/non-commercial per nltk", "restricted"),
        ("none stated (HC3: CC-BY-SA)", "unstated"),
        (None, "unstated"),
        ("", "unstated"),
        ("CC-BY-SA-4.0", "open"),
        ("MIT (repo LICENSE: results/ under MIT); model terms", "open"),
        ("public domain / CC0", "open"),
    ],
)
def test_licences_as_publishers_state_them(licence: str | None, kind: str) -> None:
    assert licence_kind(licence) == kind


def test_open_leaves_out_what_is_not_stated(table) -> None:
    statements = pa.array(["MIT", None, "none stated", "research"] * (table.num_rows // 4), pa.string())
    mixed = table.set_column(table.schema.get_field_index("licence"), "licence", statements)
    counts = [select_licences(mixed, choice).num_rows for choice in ("all", "default", "open")]
    assert counts == [table.num_rows, table.num_rows * 3 // 4, table.num_rows // 4]
    with pytest.raises(UsageError):
        select_licences(mixed, "some")  # type: ignore[arg-type]


def test_base_models_by_name() -> None:
    assert all(map(is_base_model, ["gpt2-xl", "opt-13b", "bloom-7b", "davinci", "llama-1-13b", "gpt-neo-2.7B"]))
    assert not any(map(is_base_model, ["gpt-4o", "llama-2-7b-chat-hf", "text-davinci-003", "phi-2-dpo", None]))


def test_the_name_of_a_tuned_model_without_its_suffix_means_what_its_set_means() -> None:
    for model, dataset in (("llama-2-70b", "detectrl"), ("llama-3-70b", "l2r"), ("llama-3-8b", "imbd")):
        assert not is_base_model(model, dataset)
    assert is_base_model("llama-3-8b", "lastde")
    rows = [
        {"text": text_of(n, SYNTHETIC, 90), "label": "synthetic", "model": "llama-3-8b", "dataset": name}
        for n, name in enumerate(("imbd", "lastde"))
    ]
    corpus = build_corpus(pa.Table.from_pylist(rows, COLUMNS), build_table(), frozenset())
    assert corpus.base.tolist() == [False, True]


def test_reading_labelled_files(tmp_path, table) -> None:
    pq.write_table(table.select(["text", "label"]).slice(0, 3), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"text": "x", "label": "human", "lang": "de"}\n', encoding="utf-8")
    both = read_labelled([tmp_path])
    assert both.schema == COLUMNS
    assert both["dataset"].to_pylist() == ["a", "a", "a", "b"]
    assert both["lang"].to_pylist() == ["en", "en", "en", "de"]
    (tmp_path / "c.jsonl").write_text('{"text": "x", "label": "robot"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="robot"):
        read_labelled([tmp_path / "c.jsonl"])
    (tmp_path / "d.jsonl").write_text('{"body": "x"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="needs the column 'text'"):
        read_labelled([tmp_path / "d.jsonl"])
    (tmp_path / "e.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="can't be read"):
        read_labelled([tmp_path / "e.parquet"])
    with pytest.raises(UsageError, match="no such file"):
        read_labelled([tmp_path / "none"])


def test_recurring_documents_are_found_in_other_sets_and_pieces_count_once() -> None:
    base = [text_of(n, HUMAN, 150) for n in range(20)]
    again = [f"Someone said: {text[30:].upper()}" for text in base[:6]]
    rows = [
        {"text": t, "label": "human", "dataset": "a" if i < 20 else "b", "domain": "one"}
        for i, t in enumerate(base + again)
    ]
    table = pa.Table.from_pylist(rows, COLUMNS)
    corpus = build_corpus(table, build_table(), frozenset())
    assert corpus.document[20:].tolist() == list(range(6))
    assert len(set(corpus.document.tolist())) == 20
    assert len(set(build_corpus(table, build_table(), frozenset({"a", "b"})).work.tolist())) == 2


def test_misspelling_changes_one_letter_of_long_words_and_nothing_else() -> None:
    text = text_of(3, HUMAN, 400) + " I am so it is, isn't 1999-ish."
    symbols, starts = symbolise(build_table(), pa.array([text, text], pa.large_string()))
    first, final = starts[:-1], starts[1:]
    none, limits = misspell_spans(symbols, first, final, np.array([0.0, 0.0]))
    assert none.tolist() == symbols.tolist()
    assert limits.tolist() == starts.tolist()
    copies, limits = misspell_spans(symbols, first, final, np.array([1.0, 0.1]))
    before, all_words, some = (
        "".join(chr(97 + s - 32) if 32 <= s < 58 else f"<{s}>" for s in part.tolist()).split("<1>")
        for part in (symbols[: starts[1]], copies[: limits[1]], copies[limits[1] :])
    )
    assert len(before) == len(all_words) == len(some)
    assert 0.04 < np.mean([a != b for a, b in zip(before, some, strict=True)]) < 0.16
    for word, slip in zip(before, all_words, strict=True):
        if len(word.split("<")[0]) < 4:
            assert slip == word
        assert slip[0] == word[0]
        assert abs(len(slip) - len(word)) <= 1
    long_words = [pair for pair in zip(before, all_words, strict=True) if len(pair[0].split("<")[0]) >= 4]
    # Exchanging two equal letters changes nothing.
    assert np.mean([word != slip for word, slip in long_words]) > 0.8


def test_several_windows_only_of_long_texts_and_more_of_human_ones() -> None:
    table = pa.concat_tables([corpus_table(sets=2, rows=10, words=words) for words in (80, 900)])
    corpus = build_corpus(table, build_table(), frozenset())
    rows = np.flatnonzero(corpus.lengths >= 300)
    places, first, final = several_windows(corpus, rows)
    assert (first >= corpus.starts[rows[places]]).all()
    assert (final <= corpus.starts[rows[places] + 1]).all()
    assert ((final - first) >= 300).all()
    counts = np.bincount(places)
    long = corpus.lengths[rows] > 3000
    human = corpus.labels[rows] < 0
    assert set(counts[~long].tolist()) == {1}
    assert set(counts[long & human].tolist()) == {3}
    assert set(counts[long & ~human].tolist()) == {2}
    assert len(set(zip(first.tolist(), final.tolist(), strict=True))) == len(first)


def test_the_optimiser_agrees_with_scikit_learn() -> None:
    svm = pytest.importorskip("sklearn.svm")
    sparse = pytest.importorskip("scipy.sparse")
    table = corpus_table(sets=2, rows=40, words=60)
    corpus = build_corpus(table, build_table(), frozenset())
    rows = np.arange(table.num_rows, dtype=np.int64)
    hashed = hash_rows(corpus.symbols, rows, corpus.starts[:-1], corpus.starts[1:], 10)
    weights = fit(hashed, corpus.labels, np.ones(len(rows)), cost=0.5, epochs=400)
    sizes = np.diff(hashed.starts)
    owner = np.repeat(rows, sizes)
    within = np.arange(len(owner)) - np.repeat(hashed.starts[:-1], sizes)
    of_characters = within < hashed.characters[owner]
    block = np.where(of_characters, hashed.characters[owner], sizes[owner] - hashed.characters[owner])
    matrix = sparse.csr_matrix((1 / np.sqrt(block), (owner, hashed.buckets[: len(owner)])), shape=(len(rows), 2 << 10))
    oracle = svm.LinearSVC(
        C=0.5, loss="squared_hinge", tol=1e-8, max_iter=100_000, class_weight={-1: HUMAN_COST, 1: 1.0}
    )
    oracle.fit(matrix, corpus.labels)
    scale = np.repeat(weights.scales[:2], 1 << 10)
    ours = matrix @ (weights.steps * scale) + weights.scales[2]
    # What is left is rounding to 255 steps.
    assert np.abs(ours - oracle.decision_function(matrix)).max() < 0.02


def test_a_set_that_errs_more_moves_the_p_value_of_all() -> None:
    calm = np.sort(np.sin(np.arange(4000.0)))
    sets = np.repeat(np.arange(4), 1000)
    works = np.arange(4000)
    shifted = calm.copy()
    rows = sets == 3
    order = mix(works, 3).argsort()
    shifted = calm[order]
    even = Scored(shifted, sets, works)
    uneven = Scored(np.where(rows, shifted + 0.5, shifted), sets, works)
    at = float(np.quantile(shifted, 0.98))
    assert SetRates(uneven, upper=True).bound(at) > 2 * SetRates(even, upper=True).bound(at)
    assert SetRates(even, upper=True).bound(at) > 0.02


def test_for_synthetic_text_the_mean_rate_of_a_set_suffices() -> None:
    margins = np.sort(np.sin(np.arange(4000.0)))[mix(np.arange(4000), 3).argsort()]
    sets = np.repeat(np.arange(4), 1000)
    low = Scored(np.where(sets == 3, margins - 0.5, margins), sets, np.arange(4000))
    high = Scored(-low.margins, sets, low.works)
    at = float(np.quantile(low.margins, 0.02))
    rates = [float((low.margins[sets == number] <= at).mean()) for number in range(4)]
    assert SetRates(low, upper=False).bound(at) >= np.mean(rates)
    assert SetRates(low, upper=False).bound(at) < 1.5 * np.mean(rates) < SetRates(high, upper=True).bound(-at)


def test_pieces_of_one_work_are_one_document() -> None:
    margins = np.linspace(-1, 1, 2000)
    order = mix(np.arange(2000), 5).argsort()
    sets = np.arange(2000) % 4
    many = SetRates(Scored(margins[order], sets, np.arange(2000)), upper=True)
    few = SetRates(Scored(margins[order], sets, np.arange(2000) // 80), upper=True)
    assert 1.0 > few.bound(0.9) > 1.3 * many.bound(0.9)


def test_a_set_of_few_works_does_not_narrow_the_bound_over_sets() -> None:
    margins = np.linspace(-1, 1, 4000)[mix(np.arange(4000), 5).argsort()]
    sets = np.arange(4000) % 4
    works = np.where(sets == 3, 4000 + np.arange(4000) // 4 % 5, np.arange(4000))
    calm = np.where(sets == 3, -1.0, margins)
    with_it = SetRates(Scored(calm, sets, np.arange(4000)), upper=True)
    without = SetRates(Scored(calm, sets, works), upper=True)
    assert (with_it.sets, without.sets) == (4, 3)
    others = SetRates(Scored(margins[sets < 3], sets[sets < 3], np.arange(3000)), upper=True)
    assert abs(without.bound(0.9) - others.bound(0.9)) < 0.01
    assert with_it.at(0.9).mean() < without.at(0.9)[:3].mean() <= without.bound(0.9)


def test_tables_are_monotone_and_bound_the_observed_share() -> None:
    margins = np.tan(np.linspace(-1.4, 1.4, 4000))[mix(np.arange(4000), 9).argsort()]
    scored = Scored(margins, np.arange(4000) % 4, np.arange(4000))
    grid, values = p_table(scored, upper=True)
    assert list(values) == sorted(values, reverse=True)
    for margin, value in zip(grid, values, strict=True):
        assert value >= (margins >= margin).mean()
    grid, values = p_table(scored, upper=False)
    assert list(values) == sorted(values)
    for margin, value in zip(grid, values, strict=True):
        assert value >= (margins <= margin).mean()


LATER = ["honestly", "quietly", "load-bearing", "genuinely", "underneath", "plainly"]
NEW_SETS = frozenset({"set2", "set3"})
EXPERTS = (Expert("earlier", NEW_SETS, others=True), Expert("later", NEW_SETS))


@pytest.fixture(scope="module")
def generations() -> pa.Table:
    """Four sets; in two of them the synthetic texts have other words of their own."""
    before = corpus_table()
    texts = [
        text_of(number, LATER, 120) if label == "synthetic" and dataset in NEW_SETS else text
        for number, (text, label, dataset) in enumerate(
            zip(*(before[name].to_pylist() for name in ("text", "label", "dataset")), strict=True)
        )
    ]
    return before.set_column(0, before.schema.field("text"), pa.chunked_array([pa.array(texts, pa.large_string())]))


@pytest.fixture(scope="module")
def of_two(generations):
    return train(generations, TrainingOptions(bits=12, epochs=3, experts=EXPERTS))


def test_each_expert_finds_its_own_generation_and_none_takes_a_person_for_it(of_two) -> None:
    assert len(of_two.model.arrays.weights) == len(of_two.model.arrays.scales) == 2
    own = [SYNTHETIC, LATER, HUMAN]
    fresh = pa.array([text_of(900_000 + n, own[n % 3], 120) for n in range(90)], pa.large_string())
    p_human = np.array(of_two.model.judge(fresh, ["en"] * 90, [120] * 90, ["prose"] * 90)["p_human"].to_pylist())
    assert max(p_human[0::3].max(), p_human[1::3].max()) < 0.01 < p_human[2::3].min()


def test_the_experts_say_so_in_the_card_and_the_bytes_repeat(generations, of_two) -> None:
    assert [expert["name"] for expert in of_two.model.card["options"]["experts"]] == ["earlier", "later"]
    again = train(generations, TrainingOptions(bits=12, epochs=3, experts=EXPERTS))
    assert encode(again.model.arrays) == encode(of_two.model.arrays)


def test_a_handicap_lowers_one_experts_scores(generations, of_two) -> None:
    held_back = (EXPERTS[0], Expert("later", NEW_SETS, handicap=0.5))
    lower = train(generations, TrainingOptions(bits=12, epochs=3, experts=held_back)).model.arrays.scales
    before = of_two.model.arrays.scales
    assert lower[0] == before[0]
    assert lower[1][:2] == before[1][:2]
    assert lower[1][2] == pytest.approx(before[1][2] - 0.5)


def test_an_expert_that_has_nothing_to_learn_is_left_out(generations) -> None:
    experts = (*EXPERTS, Expert("of sets that are not there", frozenset({"elsewhere"})))
    trained = train(generations, TrainingOptions(bits=12, epochs=3, experts=experts))
    assert len(trained.model.arrays.scales) == 2


@pytest.mark.parametrize("number", [0, 4])
def test_no_expert_and_more_than_a_cell_holds_are_refused(number: int) -> None:
    with pytest.raises(UsageError, match="one to 3 experts"):
        TrainingOptions(experts=(Expert("x", others=True),) * number)


def test_one_scale_has_the_median_at_minus_one_and_the_last_of_200_at_zero() -> None:
    margins = np.arange(1000.0)
    factor, term = on_one_scale(margins, np.ones(1000))
    assert factor * np.quantile(margins, 0.5) + term == pytest.approx(-1, abs=0.01)
    assert factor * np.quantile(margins, 0.995) + term == pytest.approx(0, abs=0.01)


def test_texts_weigh_by_their_share_on_the_scale() -> None:
    margins = np.concatenate([np.linspace(0, 1, 1000), np.full(100, 5.0)])
    factor, term = on_one_scale(margins, np.where(margins > 1, 1e-6, 1.0))
    assert (factor, term) == pytest.approx((1 / 0.495, -0.995 / 0.495), abs=0.01)


def test_sets_can_count_as_one_where_error_rates_are_compared(generations) -> None:
    joined = TrainingOptions(bits=12, epochs=3, experts=EXPERTS, populations=dict.fromkeys(NEW_SETS, "new"))
    trained = train(generations, joined)
    entries = trained.model.arrays.populations
    assert {entry.group for entry in entries} == {entry.name for entry in entries} == {"set0", "set1", "new"}
