"""What each arm trains its next model on. Two go through the whole product: register, scan, filter, check."""

from __future__ import annotations

import json

import numpy as np

import provenance as pv
from provenance import lineage

POLICY = """
name = "replay"
[gate]
max_synthetic_share = 0.02
max_unknown_share = 1.0
min_human_share = 0.0
"""
"""The texts have no dates and are no model's prose of today, so nearly all are `unknown`: that must not refuse them."""


class Arm:
    """Texts and weights to train on, by generation. ``kept`` counts the human texts that were left in."""

    def __init__(self, name, world, folder):
        self.name, self.world, self.folder = name, world, folder
        self.notes = []

    def choose(self, crawl, generation):
        """Return the texts that may be trained on, and a weight for each."""
        raise NotImplementedError


class NoFilter(Arm):
    """The crawl as it is."""

    def choose(self, crawl, _generation):
        return crawl.texts, np.ones(len(crawl.texts))


class Replace(Arm):
    """Nothing but what the last model wrote."""

    def choose(self, crawl, _generation):
        own = [text for text, writer in zip(crawl.texts, crawl.writers, strict=True) if writer == "own"]
        return own, np.ones(len(own))


class Accumulate(Arm):
    """All crawls so far, unfiltered."""

    def __init__(self, *given):
        super().__init__(*given)
        self.past = list(self.world.crawls[0])

    def choose(self, crawl, _generation):
        self.past += crawl.texts
        return self.past, np.ones(len(self.past))


class Oracle(Arm):
    """Only what people wrote."""

    writers = frozenset({"human"})

    def choose(self, crawl, _generation):
        texts = [text for text, writer in zip(crawl.texts, crawl.writers, strict=True) if writer in self.writers]
        return texts, np.ones(len(texts))


class OracleOfRegistered(Oracle):
    """All but what was registered, whether it was edited or not."""

    writers = frozenset({"human", "foreign"})


class Tagged(Arm):
    """Arms that ask the product."""

    def observe(self, crawl, generation):
        """Scan the crawl; every other generation is registered only after its crawl was scanned."""
        source = self.folder / f"crawl-{generation}.jsonl"
        crawl.save(source)
        known = self.folder / f"generated-{generation - 1}.jsonl"
        with known.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in crawl.registered)
        store = self.folder / "store"

        def register():
            pv.register(known, label="synthetic", model=f"m{generation - 1}", name=known.stem, store=store)

        def scan():
            pv.scan(source, store=store, name=source.stem, jobs=1)

        for step in (register, scan) if generation % 2 else (scan, register):
            step()
        return source


class Gate(Tagged):
    """Register, scan, filter, check, and train on what passed."""

    def choose(self, crawl, generation):
        source = self.observe(crawl, generation)
        store, clean = self.folder / "store", self.folder / f"clean-{generation}.jsonl"
        opened = pv.Store(store)
        lineage.add_model(opened, f"m{generation}", parent=f"m{generation - 1}")
        whole = lineage.add_dataset(opened, f"all-{generation}", scans=[source.stem])
        if pv.check(whole, for_model=f"m{generation}", policy=self.policy, store=store).allowed:
            self.notes.append(f"generation {generation}: the unfiltered crawl passed the gate")
        pv.filter(source.stem, keep={"human", "unknown"}, out=clean, dataset=f"clean-{generation}", store=store)
        asked = {"for_model": f"m{generation}", "policy": self.policy, "store": store}
        trained_on = f"clean-{generation}"
        checked = pv.check(trained_on, **asked)
        if not checked.allowed:
            clean, said = self.folder / f"fixed-{generation}.jsonl", "; ".join(map(str, checked.violations))
            fixed = pv.fix(trained_on, out=clean, **asked)
            self.notes.append(f"generation {generation}: {fixed.dropped} records went to pass the gate: {said}")
            trained_on = fixed.dataset
            fixed.check.require()
        lineage.add_run(pv.Store(store), trains=f"m{generation}", on=[trained_on])
        kept = [json.loads(line)["text"] for line in clean.open(encoding="utf-8")]
        return kept, np.ones(len(kept))

    @property
    def policy(self):
        path = self.folder / "replay.toml"
        if not path.exists():
            path.write_text(POLICY)
        return path


class Weights(Tagged):
    """Nothing is dropped: a text counts by the share of its words that are no verified copy of a model's."""

    def choose(self, crawl, generation):
        source = self.observe(crawl, generation)
        rows = pv.Store(self.folder / "store").sql(
            "select position, if(tag = 'synthetic', 1 - match_share, 1.0) as weight from records "
            "join scans using (scan_id) where name = $1 order by position",
            [source.stem],
        )
        weights = np.array([weight for _, weight in rows.fetchall()])
        return crawl.texts, weights


ARMS = {
    "no filter": NoFilter,
    "replace": Replace,
    "accumulate": Accumulate,
    "tags as weights": Weights,
    "gate": Gate,
    "oracle (registered)": OracleOfRegistered,
    "oracle": Oracle,
}
