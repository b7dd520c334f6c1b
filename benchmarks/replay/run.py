"""Replay ten generations of a language model whose output seeps into the crawls that it is trained on.

Everything is real but the size: texts that people wrote, a language model that is trained anew each generation, and
the product between crawl and training set. Each generation a trainer draws a fixed number of texts from what its arm
lets it train on. Prints a table, and writes it with a plot and every figure into a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from arms import ARMS
from report import figure, summary, table
from world import make_crawl, make_world

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ("detectrl", "nltk_movie_snippets_x10", "biscope", "outfox", "raidar", "nltk_product_reviews")
LEAST_WORDS = 100
SAMPLED = 200


def main():
    """Run the grid that was asked for."""
    parser = argparse.ArgumentParser(prog="scripts/replay", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--rates", default="0.35", help="shares of a crawl that models wrote, with commas (%(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many (%(default)s)")
    parser.add_argument("--generations", type=int, default=10, help="how many (%(default)s)")
    parser.add_argument("--per-crawl", type=int, default=500, help="human texts of each crawl (%(default)s)")
    parser.add_argument("--arms", default=",".join(ARMS), help="which, with commas (all)")
    parser.add_argument("--text", type=Path, action="append", help="JSONL or Parquet with human texts in `text`")
    parser.add_argument("--out", type=Path, default=Path("replay-output"), help="folder of the results (%(default)s)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (%(default)s)")
    given = parser.parse_args()
    texts = read(given.text or default_corpus())
    arms = [arm.strip() for arm in given.arms.split(",")]
    tasks = [
        (texts, float(rate), seed, given.generations, given.per_crawl, arms)
        for rate in given.rates.split(",")
        for seed in range(given.seeds)
    ]
    print(f"{len(texts):,} human texts; {len(tasks)} worlds of {given.generations} generations", file=sys.stderr)
    started = time.monotonic()
    rows = []
    with get_context("spawn").Pool(given.jobs) as pool:
        for done, found in enumerate(pool.imap(replay, tasks), start=1):
            rows += found
            print(f"{done} of {len(tasks)} worlds, {time.monotonic() - started:.0f} s", file=sys.stderr)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "figures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    shown = "\n\n".join([table(rows), summary(rows)])
    (given.out / "table.md").write_text(shown + "\n", encoding="utf-8")
    for rate in sorted({row["rate"] for row in rows}):
        (given.out / f"perplexity-{rate:.0%}.svg").write_text(figure(rows, rate, "perplexity"), encoding="utf-8")
    print(shown)
    print(f"\n{time.monotonic() - started:.0f} s; results are in {given.out}")


def default_corpus():
    """The human texts of the developers' data, where it is there."""
    shared = Path(os.environ.get("PROVENANCE_SHARED", ROOT.parent / "shared"))
    found = [shared / "data" / "labelled" / "train" / f"{name}.parquet" for name in CORPUS]
    if not all(path.exists() for path in found):
        raise SystemExit("replay: name files with some thousand human texts with --text")
    return found


def read(paths):
    """Texts of at least 100 words, each once; of labelled sets the English human ones."""
    texts = {}
    for path in paths:
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            rows = [json.loads(line) for line in path.open(encoding="utf-8")]
        for row in rows:
            is_human = row.get("label", "human") == "human" and row.get("lang", "en") == "en"
            if is_human and row["text"] and len(row["text"].split()) >= LEAST_WORDS:
                texts[" ".join(row["text"].split())] = None
    return list(texts)


def replay(task):
    """All arms of one world; one row for each arm and generation."""
    texts, rate, seed, generations, per_crawl, arms = task
    world = make_world(texts, generations=generations, per_crawl=per_crawl, rate=rate, seed=seed)
    first = world.train(world.crawls[0])
    rows = []
    for name in arms:
        folder = Path(tempfile.mkdtemp(prefix="replay-"))
        arm = ARMS[name](name, world, folder)
        model = first
        row = {"rate": rate, "seed": seed, "arm": name}
        rows.append({**row, "generation": 0, **measured(world, model, seed)})
        for generation in range(1, generations + 1):
            crawl = make_crawl(world, model, generation, rate, seed)
            chosen, weights = arm.choose(crawl, generation)
            # Every arm trains on as many texts; one that may use less of the crawl draws again from what it has.
            chance = np.random.default_rng([seed, 3, generation])
            drawn = draw(chance, weights, per_crawl)
            model = world.train([chosen[k] for k in drawn])
            rows.append(
                {**row, "generation": generation, **measured(world, model, seed), **kept(crawl, chosen, weights)}
            )
        for note in arm.notes:
            print(f"rate {rate:.0%}, seed {seed}, {name}: {note}", file=sys.stderr)
        shutil.rmtree(folder)
    return rows


def draw(chance, weights, count):
    """Indices of so many texts by weight, none twice as long as there are enough."""
    possible = np.flatnonzero(weights > 0)
    if len(possible) <= count:
        return np.resize(possible, count)
    return chance.choice(len(weights), count, replace=False, p=weights / weights.sum())


def kept(crawl, chosen, weights):
    """Which share of each writer's texts may be trained on, by weight."""
    allowed = {}
    for text, weight in zip(chosen, weights, strict=True):
        allowed[text] = max(allowed.get(text, 0.0), float(weight))
    shares = {}
    for writer in ("human", "own", "foreign"):
        of = [allowed.get(text, 0.0) for text, by in zip(crawl.texts, crawl.writers, strict=True) if by == writer]
        shares[f"{writer}_kept"] = float(np.mean(of)) if of else float("nan")
    return shares


def measured(world, model, seed):
    """Perplexity on human text, and the variety of what the model writes."""
    from provenance.diversity import Texts
    from provenance.diversity.measures import mtld, self_bleu, tail_coverage

    def as_texts(encoded):
        offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
        return Texts(offsets, np.concatenate(encoded).astype(np.uint32), b"", np.zeros(len(offsets), np.int64))

    written = as_texts(world.vocabulary.encode(world.write(model, SAMPLED, seed * 1000 + 999)))
    human = as_texts(world.held_out)
    return {
        "perplexity": model.perplexity(world.held_out),
        "tail_coverage": tail_coverage(written, human),
        "self_bleu": self_bleu(written),
        "mtld": mtld(written),
    }


if __name__ == "__main__":
    main()
