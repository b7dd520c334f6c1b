"""Measure what the reference index finds and what it finds wrongly, against brute force.

``near SHARED``: near-duplicates by true Jaccard of 5-grams. ``edits SHARED``: texts edited at scattered places or put
into pages. ``unrelated SHARED``: 400,000 texts against references of other data sets, every match listed. ``common
SHARED``: a notice that very many references have. How fast it is, ``index_scale.py`` measures.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_array

from provenance import fingerprint
from provenance.index import Index, ReferenceBatch, build_segment
from provenance.index.findings import KEPT
from provenance.text.fold import fold
from provenance.text.tokens import tokenize

SEED = 20
BATCH = 8192
NEAR = 0.7


def prepared(texts):
    folded = fold(pa.array(texts, pa.large_string()))
    fp = fingerprint.fingerprint(tokenize(folded))
    return fp, fingerprint.content_ids(folded), fingerprint.content_checks(folded)


def register(folder, texts, names, set_id="set", label="synthetic"):
    fp, ids, checks = prepared(texts)
    return build_segment(folder, ReferenceBatch(names, set_id, label, ids, checks, fp))


def indexed(texts, names):
    folder = Path(tempfile.mkdtemp(prefix="index-bench-"))
    return folder, Index.open(folder, [register(folder, texts, names).id])


def matched(index, texts):
    """Match texts batch by batch; give the rows with ``row`` counted over all."""
    for start in range(0, len(texts), BATCH):
        table = index.match(*prepared(texts[start : start + BATCH]))
        for row in table.drop_columns(["label", "set_id"]).to_pylist():
            yield {**row, "row": start + row["row"]}


def rows_of(shared, pool):
    rows = []
    for path in sorted((shared / "data" / "labelled" / pool).glob("*.parquet")):
        table = pq.read_table(path, columns=["text", "label", "lang"])
        for k, row in enumerate(table.to_pylist()):
            if row["text"]:
                rows.append((row["text"], row["label"], f"{path.stem}/{k}", row["lang"]))
    return rows


def scattered(text, share, source, vocabulary):
    """Change single words at scattered places."""
    words = text.split()
    for k in source.sample(range(len(words)), round(share * len(words))):
        words[k] = source.choice(vocabulary)
    return " ".join(words)


def runs_changed(text, share, source, vocabulary):
    """Change runs of 3 to 8 words that make up a share of the text."""
    words = text.split()
    left = round(share * len(words))
    while left > 0:
        size = min(left, source.randint(3, 8))
        at = source.randrange(max(1, len(words) - size))
        words[at : at + size] = [source.choice(vocabulary) for _ in range(size)]
        left -= size
    return " ".join(words)


def embedded(text, others, source):
    """Put a text into a page of which it is at least a third."""
    budget = 2 * len(text.split())
    around = " ".join(source.sample(others, 40)).split()[: int(budget * source.uniform(0.7, 1.0))]
    cut = source.randrange(len(around) + 1)
    return " ".join([*around[:cut], text, *around[cut:]])


def grams_of(tokens, start, end):
    """The set of 5-grams of one text, of all its tokens where there are fewer; as numbers of 64 bits."""
    size = min(5, end - start)
    grams = np.zeros(max(1, end - start - 4), dtype=np.uint64)
    for place in range(size):
        grams = (grams ^ tokens[start + place : start + place + len(grams)]) * np.uint64(0x9E3779B97F4A7C15)
        grams ^= grams >> np.uint64(29)
    return np.unique(grams)


def gram_sets(texts):
    tokens = tokenize(fold(pa.array(texts, pa.large_string())))
    return [grams_of(tokens.hashes, start, end) for start, end in itertools.pairwise(tokens.offsets)]


def tokens_of(texts):
    tokens = tokenize(fold(pa.array(texts, pa.large_string())))
    for start, end in itertools.pairwise(tokens.offsets):
        yield tokens.hashes[start:end].tolist()


def near_pairs(records, references):
    """Every pair of a record and a reference with a Jaccard similarity of 5-grams of at least 0.7, by brute force."""
    left, right = gram_sets(records), gram_sets(references)
    grams = np.unique(np.concatenate(left + right))
    sizes, other_sizes = (np.array([len(grams) for grams in side]) for side in (left, right))
    matrices = []
    for side in (left, right):
        columns = np.searchsorted(grams, np.concatenate(side))
        starts = np.cumsum([0, *map(len, side)])
        matrices.append(csr_array((np.ones(len(columns), np.int32), columns, starts), shape=(len(side), len(grams))))
    for start in range(0, len(left), 256):
        common = (matrices[0][start : start + 256] @ matrices[1].T).tocoo()
        rows = common.row + start
        near = common.data >= NEAR * (sizes[rows] + other_sizes[common.col] - common.data)
        yield from zip(rows[near].tolist(), common.col[near].tolist(), strict=True)


def jaccard(left, right):
    """The Jaccard similarity of 5-grams of two token sequences."""
    sets = [{tuple(side[k : k + 5]) for k in range(max(1, len(side) - 4))} for side in (left, right)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def show_near(name, records, references, planted=()):
    """Compare what is found with brute force."""
    names = [str(k) for k in range(len(references))]
    folder, index = indexed(references, names)
    truth = set(near_pairs(records, references))
    found = {(row["row"], int(row["reference_id"])) for row in matched(index, records)}
    matches = Counter(row for row, _ in found)
    left, right = (list(tokens_of(texts)) for texts in (records, references))
    verified = {pair for pair in found if jaccard(left[pair[0]], right[pair[1]]) >= NEAR}
    by_row = Counter(row for row, _ in truth)
    few = {pair for pair in truth if matches[pair[0]] < KEPT}
    any_of = len({row for row, number in truth if (row, number) in found})
    print(
        f"{name}: {len(records):,} records, {len(references):,} references, {len(truth):,} pairs of Jaccard >= {NEAR}\n"
        f"  records with such a pair: {len(by_row):,}, with one of them found {any_of / max(1, len(by_row)):.4%}\n"
        f"  pairs of records with fewer than {KEPT} matches: {len(few):,}, "
        f"recall {len(few & found) / max(1, len(few)):.4%}; "
        f"verified: recall {len(few & verified) / max(1, len(few)):.4%}, "
        f"precision {len(verified & truth) / max(1, len(verified)):.4%} of {len(verified):,} (of all matches "
        f"{len(found & truth) / max(1, len(found)):.1%} are as near as that)"
    )
    for row, number in sorted(few - found)[:10]:
        print(f"  missed: {len(left[row])} and {len(right[number])} tokens: {records[row][:90]!r}")
    if planted:
        print(f"  planted pairs {len(planted)}, found {len(set(planted) & found)}")
    shutil.rmtree(folder)


def near(shared):
    source = random.Random(SEED)
    rows = rows_of(shared, "dev")
    source.shuffle(rows)
    texts = [row[0] for row in rows if len(row[0].split()) >= 40]
    chosen, vocabulary = texts[:4000], [word for text in texts[-500:] for word in text.split()]
    changed = [scattered(text, source.uniform(0, 0.05), source, vocabulary) for text in chosen[:2000]]
    changed += [runs_changed(text, source.uniform(0, 0.2), source, vocabulary) for text in chosen[2000:3000]]
    for text in chosen[3000:]:
        words = text.split()
        cut = round(len(words) * source.uniform(0, 0.3))
        changed.append(" ".join(words[cut:] if source.random() < 0.5 else words[: len(words) - cut]))
    show_near("planted in labelled/dev", changed, texts[:14_000])
    folder = shared / "data" / "duplicates"
    articles = pq.read_table(folder / "minhash_articles_1000.parquet").to_pydict()
    place = {name: k for k, name in enumerate(articles["id"])}
    truth = pq.read_table(folder / "minhash_articles_1000_truth.parquet").to_pylist()
    planted = [(place[row["id_a"]], place[row["id_b"]]) for row in truth]
    show_near("minhash_articles_1000", articles["text"], articles["text"], planted)
    licences = pq.read_table(folder / "scancode_licence_clusters.parquet", columns=["text"])["text"].to_pylist()
    show_near("scancode_licence_clusters", licences, licences)
    graded = pq.read_table(folder / "clough_stevenson_plagiarism.parquet").to_pandas()
    sources = sorted(set(graded["wikipedia_source"]))
    place, index = indexed(sources, [str(k) for k in range(len(sources))])
    share = {}
    for row in matched(index, graded["answer"].tolist()):
        if sources[int(row["reference_id"])] == graded["wikipedia_source"][row["row"]]:
            share[row["row"]] = row["share"]
    graded["share"] = [share.get(k, 0.0) for k in range(len(graded))]
    for kind, some in graded.groupby("label_name")["share"]:
        print(f"clough_stevenson: {kind}: {(some > 0).sum()} of {len(some)} found, median share {some.median():.2f}")
    shutil.rmtree(place)


def best(rows, names):
    """For each copy the best share with the right reference, and the tier of that."""
    shares, tiers = np.zeros(len(names)), Counter()
    right = [row for row in rows if row["reference_id"] == names[row["row"]]]
    for row in right:
        shares[row["row"]] = max(shares[row["row"]], row["share"])
        tiers[row["tier"]] += 1
    return shares, tiers


def edits(shared):
    source = random.Random(SEED)
    rows = rows_of(shared, "dev")
    source.shuffle(rows)
    long_enough = [row for row in rows if len(row[0].split()) >= 150]
    chosen = long_enough[:10_000]
    around = [row[0] for row in rows if row[3] == "en" and 60 < len(row[0].split()) < 150]
    vocabulary = [word for text in around[:500] for word in text.split()]
    folder, index = indexed([row[0] for row in chosen], [row[2] for row in chosen])
    copies = chosen[:1000]
    kinds = {
        "verbatim": lambda text: text,
        "embedded": lambda text: embedded(text, around, source),
        "runs changed 10 %": lambda text: runs_changed(text, 0.10, source, vocabulary),
        **{
            f"scattered {p} %": (lambda text, p=p: scattered(text, p / 100, source, vocabulary))
            for p in (5, 10, 20, 30)
        },
    }
    print("| kind | found | near | passage | exact | share p5 | median | unverified, from fingerprints alone |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for kind, change in kinds.items():
        changed = [change(row[0]) for row in copies]
        names = [row[2] for row in copies]
        shares, tiers = best(list(matched(index, changed)), names)
        fp, ids, checks = prepared(changed)
        guessed, _ = best(index.match_packed(fingerprint.pack(fp, ids, checks)).to_pylist(), names)
        tier = " | ".join(f"{tiers[name] / len(copies):.1%}" for name in ("near", "passage", "exact"))
        print(
            f"| {kind} | {(shares > 0).mean():.1%} | {tier} | {np.quantile(shares, 0.05):.2f} | "
            f"{np.median(shares):.2f} | {(guessed > 0).mean():.1%} |",
            flush=True,
        )
    shutil.rmtree(folder)


CHARACTERS = r"\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff"
WORD = re.compile(rf"[{CHARACTERS}]|(?:(?![{CHARACTERS}])\w)+")


def truly_shared(record, reference):
    """How many words of a record lie in runs of five words that the reference has too, by words of the script's own."""
    left, right = (WORD.findall(text.lower()) for text in (record, reference))
    grams = {tuple(right[k : k + 5]) for k in range(len(right) - 4)}
    marks = np.zeros(len(left) + 1, dtype=bool)
    for k in range(len(left) - 4):
        if tuple(left[k : k + 5]) in grams:
            marks[k : k + 5] = True
    return int(marks.sum()), max(1, len(left))


def unrelated(shared):
    """Pieces of texts against references of other data sets; which matches are not there by brute force."""
    dev, train = rows_of(shared, "dev"), rows_of(shared, "train")
    print(f"{len(dev):,} and {len(train):,} references")
    hits = asked = 0
    wrong = []
    kinds = Counter()
    for records, references in ((train, dev), (dev, train)):
        folder, index = indexed([row[0] for row in references], [row[2] for row in references])
        texts = {row[2]: row[0] for row in references}
        pieces, origins = [], []
        for text, _, name, _ in records:
            words = text.split()
            for at in range(0, max(1, len(words) - 59), 150):
                piece = text if len(words) < 60 else " ".join(words[at : at + 150])
                pieces.append(piece)
                origins.append(name)
        for row in matched(index, pieces):
            origin, other = origins[row["row"]].split("/")[0], row["reference_id"].split("/")[0]
            words, total = truly_shared(pieces[row["row"]], texts[row["reference_id"]])
            hits += 1
            kinds[origin, other, row["tier"]] += 1
            if words / total < row["share"] / 2 or words < 16:
                wrong.append((row, origins[row["row"]], words / total, pieces[row["row"]]))
        asked += len(pieces)
        shutil.rmtree(folder)
    print(f"{asked:,} records, {hits:,} matches; not there by brute force: {len(wrong)} in "
          f"{len({(w[1], w[0]['row']) for w in wrong})} records")  # fmt: skip
    for (origin, other, tier), count in kinds.most_common(25):
        print(f"  {count:5d} {tier:8s} {origin} in {other}")
    for row, origin, share, piece in wrong[:60]:
        span = max(row["spans"], key=lambda s: s["end"] - s["start"])
        tokens = re.findall(r"\w+", piece)
        print(f"  NOT THERE {origin} | {row['reference_id']} | claimed {row['share']:.2f}, brute force {share:.2f}, "
              f"{row['matched_words']} words: {' '.join(tokens[span['start'] : span['end']])[:240]}")  # fmt: skip


def common(shared):
    """A notice that 1,000 references have: it is capped and counted and proves nothing, but what is beside it does."""
    rows = [row for row in rows_of(shared, "dev") if row[3] == "en" and 80 < len(row[0].split()) < 400]
    notice = max((row[0] for row in rows if row[2].startswith("licence")), key=lambda text: len(text.split()))
    notice = " ".join(notice.split()[:120])
    rows = [row for row in rows if not row[2].startswith("licence")]
    folder, index = indexed([f"{row[0]} {notice}" for row in rows[:1000]], [row[2] for row in rows[:1000]])
    records = [f"{row[0]} {notice}" for row in rows[1000:3000]]
    copies = [f"{a[0]} {b[0]} {notice}" for a, b in zip(rows[:1000], rows[3000:4000], strict=True)]
    other = index.match(*prepared(records))
    found = index.match(*prepared(copies))
    right = {row for row, name in zip(*(found[c].to_pylist() for c in ("row", "reference_id")), strict=True)
             if name == rows[row][2]}  # fmt: skip
    print(json.dumps({
        "passages of the index that are too common": index.common_passages,
        "such passages met": [int(table.schema.metadata[b"common_passages"]) for table in (other, found)],
        "records with the notice alone": len(records),
        "of them matched": len(set(other["row"].to_pylist())),
        "copies with the notice": len(copies),
        "of them found": len(right),
    }, indent=1))  # fmt: skip
    shutil.rmtree(folder)


if __name__ == "__main__":
    verb, place = sys.argv[1:]
    {"near": near, "edits": edits, "unrelated": unrelated, "common": common}[verb](Path(place))
