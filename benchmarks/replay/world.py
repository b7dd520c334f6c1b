"""The world of the replay: people go on writing, and what models wrote seeps into the next crawl."""

from __future__ import annotations

import json
from dataclasses import dataclass

import ngram
import numpy as np

LONGEST = 220
SHARPNESS = 1.3
"""Models write more like their most frequent text than they were taught, as sampling below temperature 1 does."""
EDITED = (0.1, 0.3)


@dataclass(frozen=True)
class World:
    """What all arms of one seed have in common.

    Attributes:
        vocabulary: The words that every model knows.
        crawls: For each generation, the texts that people wrote.
        held_out: Human texts that no model is trained on, encoded.
        foreign: For each generation, what another maker's model writes: nobody registers it.
    """

    vocabulary: ngram.Vocabulary
    crawls: list[list[str]]
    held_out: list[np.ndarray]
    foreign: list[list[str]]

    def train(self, texts):
        """A model of some texts."""
        return ngram.train(self.vocabulary.encode(texts), len(self.vocabulary.words))

    def write(self, model, texts, seed):
        """What a model writes; texts too short to matter are written again."""
        written = []
        while len(written) < texts:
            drawn = model.sample(2 * (texts - len(written)) + 8, LONGEST, seed, SHARPNESS)
            written += [self.vocabulary.decode(text) for text in drawn if len(text) >= 40]
            seed += 1_000_003
        return written[:texts]


@dataclass(frozen=True)
class Crawl:
    """One generation's crawl: texts, and who wrote each (``human``, ``own``, ``foreign``), with what was registered."""

    texts: list[str]
    writers: list[str]
    registered: list[str]

    def save(self, path):
        """Write it as JSON lines."""
        with path.open("w", encoding="utf-8") as file:
            for number, text in enumerate(self.texts):
                file.write(json.dumps({"id": str(number), "text": text}) + "\n")


def make_world(texts, *, generations, per_crawl, rate, seed):
    """Deal out human texts to crawls, and let another maker's line of models, which filters nothing, write along."""
    chance = np.random.default_rng([seed, 1])
    order = chance.permutation(len(texts))
    dealt = [" ".join(texts[k].lower().split()[:LONGEST]) for k in order]
    needed = (2 * generations + 2) * per_crawl + 300
    if len(dealt) < needed:
        raise SystemExit(f"replay: {needed:,} human texts are needed, {len(dealt):,} were found; lower --per-crawl")
    crawls = [dealt[k * per_crawl : (k + 1) * per_crawl] for k in range(2 * generations + 2)]
    vocabulary = ngram.Vocabulary.of(dealt)
    world = World(vocabulary, crawls[: generations + 1], vocabulary.encode(dealt[-300:]), [])
    leaked = leaks(per_crawl, rate)
    model = world.train(crawls[generations + 1])
    for generation in range(1, generations + 1):
        written = world.write(model, leaked, seed * 1000 + generation)
        world.foreign.append(written[: leaked - leaked // 2])
        mixed = [*crawls[generations + 1 + generation], *written]
        model = world.train([mixed[k] for k in chance.permutation(len(mixed))[:per_crawl]])
    return world


def leaks(per_crawl, rate):
    """How many texts of a crawl models wrote, so that they are this share of it."""
    return round(per_crawl * rate / (1 - rate))


def make_crawl(world, model, generation, rate, seed):
    """A crawl: people's texts, the foreign model's, and an arm's own model's, of which every other one is edited."""
    chance = np.random.default_rng([seed, 2, generation])
    human, foreign = world.crawls[generation], world.foreign[generation - 1]
    own = world.write(model, leaks(len(human), rate) // 2, seed * 1000 + 500 + generation)
    seen = [edited(text, chance, world.vocabulary) if number % 2 else text for number, text in enumerate(own)]
    texts = [*human, *foreign, *seen]
    writers = ["human"] * len(human) + ["foreign"] * len(foreign) + ["own"] * len(seen)
    order = chance.permutation(len(texts))
    return Crawl([texts[k] for k in order], [writers[k] for k in order], own)


def edited(text, chance, vocabulary):
    """Change 10 to 30 % of the words, at scattered places, to others."""
    words = text.split()
    places = chance.choice(len(words), round(len(words) * chance.uniform(*EDITED)), replace=False)
    for place in places:
        # Frequent words have low numbers: the square makes them frequent here too.
        number = ngram.RESERVED + int((len(vocabulary.words) - ngram.RESERVED) * chance.random() ** 4)
        words[place] = vocabulary.words[number]
    return " ".join(words)
