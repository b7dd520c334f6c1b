"""Measure matching end to end: which copies of registered texts a scan finds, and what else it takes for copies.

``--shared ../shared`` plants copies among other texts, through ``pv.register``, ``pv.scan`` and SQL alone. With
``--sweep`` every text of the labelled sets that a person wrote is scanned against every text of ``labelled/dev`` that
a model wrote, and the tags that each value of the policy's ``matched.share`` would give are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import unicodedata
from collections import Counter
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import xxhash

import provenance as pv
from provenance.readers import find_sources

SEED = 2
MODEL, DECOY = "bench-model", "bench-decoy"
RELEASED = date(2024, 3, 1)
BEFORE, AFTER = "2023-06-01T00:00:00Z", "2025-01-15T00:00:00Z"
COPIES, EARLY, OTHERS, REGISTERED, DECOYS = 500, 100, 5000, 2000, 500
TRUE_RUN = 50
"""Words in a row that two texts must have in common to count as really sharing text."""

REGISTERED_SETS = (
    "agt2025_en_zh",
    "arena_hard_v01",
    "argugpt_machine",
    "cheat_fusion",
    "deep_research_claude37",
    "lechmazur_persuasion_2026",
)
_WORD = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"
SHARES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


def labelled(shared, *pools):
    """Every text once, with the name of its row, its set and its label."""
    rows, seen = [], set()
    for pool in pools:
        for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
            for number, row in enumerate(pq.read_table(path, columns=["text", "label", "lang"]).to_pylist()):
                if row["text"] and row["text"] not in seen:
                    seen.add(row["text"])
                    name = f"{pool}/{path.stem}/{number}"
                    rows.append({"name": name, "set": path.stem, **row, "size": len(row["text"].split())})
    return rows


def words_of(text):
    """Words by a rule of this script's own: what is judged here must not be the judge."""
    return re.findall(_WORD, unicodedata.normalize("NFKC", text).casefold())


def grams(words, size):
    return {hash(tuple(words[k : k + size])) for k in range(len(words) - size + 1)}


def longest_run(left, right):
    """Words of the longest run that two word lists have in common."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if grams(left, middle) & grams(right, middle):
            low = middle
        else:
            high = middle - 1
    return low


def edited(text, vocabulary, source):
    """Replace runs of 3 to 8 words that do not touch, in all a tenth of the text."""
    words = text.split()
    left = round(0.1 * len(words))
    taken = set()
    while left > 0:
        size = min(left, source.randint(3, 8))
        start = source.randrange(len(words) - size + 1)
        run = range(start, start + size)
        if taken.isdisjoint(range(start - 1, start + size + 1)):
            taken.update(run)
            words[start : start + size] = source.choices(vocabulary, k=size)
            left -= size
    return " ".join(words)


def embedded(text, around, share, source):
    """Put a text into a page of others, before and after it, so that it is this share of the page's words."""
    size = len(text.split())
    budget = int(size / share) - size
    before = source.randint(budget // 5, budget - budget // 5)
    lead, tail = [], []
    while len(lead) + len(tail) < budget:
        place, wanted = (lead, before) if len(lead) < before else (tail, budget - before)
        place.extend(source.choice(around).split()[: wanted - len(place)])
    return f"{' '.join(lead)}\n\n{text}\n\n{' '.join(tail)}"


def embedded_by_characters(text, around, share, source):
    """The same by characters."""
    budget = int(len(text) / share) - len(text) - 4
    before = source.randint(budget // 5, budget - budget // 5)
    filling = ""
    while len(filling) < budget:
        filling += source.choice(around) + " "
    return f"{filling[:before]}\n\n{text}\n\n{filling[before:budget]}"


def write(path, rows):
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")


def plan(rows, mode, source):
    """Choose what is registered, what is put around copies, and the other texts."""
    long_enough = [row for row in rows if row["size"] >= 150]
    if mode == "apart":
        candidates = [row for row in long_enough if row["set"] in REGISTERED_SETS]
        rest = [row for row in rows if row["set"] not in REGISTERED_SETS]
    else:
        candidates, rest = long_enough, rows
    chosen = source.sample(candidates, REGISTERED + DECOYS)
    names = {row["name"] for row in chosen}
    rest = [row for row in rest if row["name"] not in names]
    source.shuffle(rest)
    fillers = [row for row in rest if row["lang"] == "en" and row["size"] >= 60][:1500]
    names = {row["name"] for row in fillers}
    others = [row for row in rest if row["name"] not in names]
    return chosen[:REGISTERED], chosen[REGISTERED:], fillers, others


def without_shared_text(others, registered, size):
    """Leave out texts that have a run of words in common with a registered one; returns the rest and their number."""
    known = set()
    for row in registered:
        known |= grams(words_of(row["text"]), size)
    free = [row for row in others if known.isdisjoint(grams(words_of(row["text"]), size))]
    return free, len(others) - len(free)


def reference_names(path, rows):
    """Names of registered rows by reference id: XXH3-128 of the source's URI, the row number and the row's own id."""
    (found,) = find_sources([str(path)], None)
    return {
        xxhash.xxh3_128_hexdigest(f"{found.uri}\0{number}\0{row['name']}".encode()): row
        for number, row in enumerate(rows)
    }


def planted(registered, fillers, source):
    around = [row["text"] for row in fillers]
    vocabulary = [word for row in fillers[:300] for word in row["text"].split()]
    makers = (
        ("verbatim", COPIES, lambda text: text),
        ("embedded, 1/3 to 1/2", COPIES, lambda text: embedded(text, around, source.uniform(1 / 3, 1 / 2), source)),
        ("edited by 10 %", COPIES, lambda text: edited(text, vocabulary, source)),
        ("early copy", EARLY, lambda text: text),
        ("embedded, 1/3 of words", 200, lambda text: embedded(text, around, 1 / 3, source)),
        ("embedded, 1/3 of characters", 200, lambda text: embedded_by_characters(text, around, 1 / 3, source)),
    )
    rows, start = [], 0
    for kind, count, make in makers:
        for k, row in enumerate(registered[start : start + count]):
            dated = BEFORE if kind == "early copy" else AFTER if k % 2 else None
            rows.append({"id": row["name"], "kind": kind, "text": make(row["text"]), "date_download": dated})
        start += count
    return rows


def copies(shared, mode, folder):
    source = random.Random(SEED)
    registered, decoys, fillers, others = plan(labelled(shared, "dev"), mode, source)
    left_out = 0
    if mode == "apart":
        others, left_out = without_shared_text(others, registered + decoys, TRUE_RUN)
        fillers, _ = without_shared_text(fillers, registered + decoys, TRUE_RUN)
    rows = planted(registered, fillers, source)
    rows += [{"id": row["name"], "kind": "other", "text": row["text"]} for row in others[:OTHERS]]
    source.shuffle(rows)
    folder.mkdir(parents=True)
    store, page = folder / "store", folder / "page.jsonl"
    references = {}
    for model, texts in ((MODEL, registered), (DECOY, decoys)):
        path = folder / f"{model}.jsonl"
        write(path, [{"id": row["name"], "text": row["text"]} for row in texts])
        result = pv.register(path, label="synthetic", model=model, released=RELEASED, store=store)
        references |= reference_names(path, texts)
        print(f"registered {result.references} texts as {model}", file=sys.stderr)
    write(page, rows)
    result = pv.scan(page, store=store, jobs=1)
    print(f"scanned {sum(result.tags.values())} records in {result.seconds:.1f} s", file=sys.stderr)
    columns = ("tag", "reason", "model", "match_share", "synthetic_words", "words", "match_reference")
    found = pv.Store(store).sql(f"select {', '.join(columns)} from records order by position").fetchall()
    records = [dict(zip(columns, row, strict=True)) for row in found]
    print(
        f"\n## Registered and other texts {mode}: {len({row['set'] for row in registered})} sets registered; "
        f"{left_out} of {len(others) + left_out} candidates for others left out for a common run of {TRUE_RUN} words"
    )
    table(rows, records, references)
    false_matches(rows, records, references, matched_references(store))


def table(rows, records, references):
    print("| kind | records | by match, right model | right text | share ≥ 0.25 | ≥ 0.2 | p1 | p5 | median |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for kind in sorted({row["kind"] for row in rows}):
        mine = [(row, record) for row, record in zip(rows, records, strict=True) if row["kind"] == kind]
        count = len(mine)
        right = [pair for pair in mine if matched(pair[1]) and pair[1]["model"] == MODEL]
        same = sum(references[record["match_reference"]]["text"] == text_of(row, references) for row, record in right)
        shares = sorted(record["match_share"] for _, record in mine)
        over = [f"{sum(share >= limit for share in shares) / count:.2%}" for limit in (0.25, 0.2)]
        low = [f"{shares[int(count * part)]:.2f}" for part in (0.01, 0.05, 0.5)]
        print(f"| {kind} | {count} | {len(right) / count:.2%} | {same} | {' | '.join(over + low)} |")
        for row, record in mine:
            if kind not in ("other", "early copy") and not (matched(record) and record["model"] == MODEL):
                print(
                    f"  missed ({kind}): {row['id']} {record['tag']} {record['reason']} by {record['model']}, share "
                    f"{record['match_share']:.3f}, {record['synthetic_words']} of {record['words']} words",
                    file=sys.stderr,
                )


def text_of(row, references):
    return next((reference["text"] for reference in references.values() if reference["name"] == row["id"]), None)


def matched(record):
    return record["tag"] == "synthetic" and record["reason"].startswith("match:")


def false_matches(rows, records, references, found):
    """List others that a scan took for copies, and what the two texts really have in common."""
    kinds = Counter()
    print("\nmatches among the others and the early copies:")
    for position, (row, record) in enumerate(zip(rows, records, strict=True)):
        if row["kind"] in ("other", "early copy") and matched(record):
            reference = references[record["match_reference"]]
            texts = [references[name]["text"] for name in found[position]]
            run, share, kind = common(row["text"], texts, record["match_share"])
            kinds[kind, row["id"].split("/")[1], reference["name"].split("/")[1]] += 1
            print(
                f"  {kind}: {record['synthetic_words']} of {record['words']} words, share {record['match_share']:.2f}; "
                f"by hand {share:.2f}, longest run {run}: {row['id']} | {reference['name']}"
            )
    for names, count in kinds.most_common() or [(("none",), 0)]:
        print(f"{count:5d} {' '.join(names)}")


def common(text, others, claimed):
    """Longest run of words in common, share of the first text in common runs of 5 words, and what to call that.

    Both are counted here by brute force. A match is false if this finds less than half of what was claimed.
    """
    words = words_of(text)
    lists = [words_of(other) for other in others]
    run = max(longest_run(words, other) for other in lists)
    known = set().union(*(grams(other, 5) for other in lists))
    inside = set()
    for k in range(len(words) - 4):
        if hash(tuple(words[k : k + 5])) in known:
            inside.update(range(k, k + 5))
    share = len(inside) / max(len(words), 1)
    kind = "shared run" if run >= TRUE_RUN else "shared phrases" if share >= claimed / 2 else "false"
    return run, share, kind


def matched_references(store):
    """The references that each record matches, best first, by position."""
    query = (
        "select position, list(reference_id order by matched_words desc, reference_id) "
        "from matches join records using (scan_id, record_id) group by position"
    )
    return dict(pv.Store(store).sql(query).fetchall())


def sweep(shared, folder):
    """Count the tags that each ``matched.share`` gives to text by people, against all of dev's text by models."""
    everything = labelled(shared, "dev", "train")
    known = [row for row in everything if row["name"].startswith("dev/") and row["label"] == "synthetic"]
    people = [row for row in everything if row["label"] == "human"]
    folder.mkdir(parents=True)
    store = folder / "store"
    write(folder / "known.jsonl", [{"id": row["name"], "text": row["text"]} for row in known])
    write(folder / "people.jsonl", [{"id": row["name"], "text": row["text"]} for row in people])
    pv.register(folder / "known.jsonl", label="synthetic", model=MODEL, store=store)
    pv.scan(folder / "people.jsonl", store=store, jobs=1)
    references = reference_names(folder / "known.jsonl", known)
    found = (
        pv.Store(store)
        .sql(
            "select position, match_share, synthetic_words, words, match_reference from records "
            "where synthetic_words >= 25"
        )
        .fetchall()
    )
    print(f"\n## {len(people)} texts by people against {len(known)} by models: {len(found)} share at least 25 words")
    limits = min(SHARES)
    matching = matched_references(store)
    judged = {
        position: common(people[position]["text"], [references[name]["text"] for name in matching[position]], share)
        for position, share, *_ in found
        if share >= limits
    }
    print("| matched.share | tagged synthetic | shared run | shared phrases | false |")
    print("|--:|--:|--:|--:|--:|")
    for limit in SHARES:
        there = Counter(judged[position][2] for position, share, *_ in found if share >= limit)
        kinds = [there[kind] for kind in ("shared run", "shared phrases", "false")]
        print(f"| {limit} | {sum(kinds)} | {' | '.join(map(str, kinds))} |")
    groups = Counter()
    print("\nshare from 0.25 to below 0.3, and all false ones:")
    for position, share, inside, words, reference in sorted(found, key=lambda row: (row[1], row[0])):
        if share < limits:
            continue
        run, by_hand, kind = judged[position]
        groups[kind, people[position]["set"], references[reference]["set"]] += 1
        if 0.25 <= share < 0.3 or kind == "false":
            print(
                f"  {kind}: {inside} of {words} words, share {share:.3f}; by hand {by_hand:.2f}, longest run {run}: "
                f"{people[position]['name']} | {references[reference]['name']}"
            )
    for names, count in groups.most_common(15):
        print(f"{count:5d} {' '.join(names)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="folder that holds data/labelled")
    parser.add_argument("--sweep", action="store_true", help="count tags by matched.share instead")
    parser.add_argument("--work", type=Path, help="keep texts and stores in this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="matching-") as temporary:
        work = options.work or Path(temporary)
        if options.sweep:
            sweep(options.shared, work / "sweep")
        else:
            for mode in ("apart", "mixed"):
                copies(options.shared, mode, work / mode)


if __name__ == "__main__":
    main()
