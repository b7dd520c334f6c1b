"""Measure how a scan's processor time divides among its stages.

Runs ``pv.scan`` with one job over the given sources, with a clock around each stage's function: what a stage calls is
counted as its own unless it is a stage too. The clock is the process's processor time, so a busy machine disturbs it
little and waiting for the disk does not show. ``--known FILE`` registers a set to match against first; ``--repeat``
scans several times (in new stores) and prints the median and the range of each share.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import provenance as pv

STAGES = {
    "digest of the source": ["provenance.pipeline.identity:digest_of"],
    "HTML decoding": ["provenance.readers.crawl:decode"],
    "HTML extraction": ["provenance.readers.crawl:extract"],
    "reading": ["provenance.pipeline.worker:open_shard"],
    "repair": ["provenance.text.prepare:repair"],
    "folding": ["provenance.text.prepare:fold"],
    "language": ["provenance.text.prepare:identify"],
    "prose test": ["provenance.text.prepare:classify"],
    "tokens": ["provenance.pipeline.observe:tokenize"],
    "content ids and checks": ["provenance.pipeline.observe:content_ids", "provenance.pipeline.observe:content_checks"],
    "MinHash": ["provenance.fingerprint.fingerprints:minhash"],
    "passages": ["provenance.fingerprint.fingerprints:winnow"],
    "packing": ["provenance.pipeline.observe:pack"],
    "matching": ["provenance.pipeline.observe:_matches"],
    "style": ["provenance.classifier:StyleModel.judge"],
    "markers": ["provenance.evidence.markers:observe"],
    "declarations": ["provenance.evidence.declared:observe"],
    "rights": ["provenance.rights:observe"],
    "record ids and hosts": ["provenance.pipeline.observe:record_ids", "provenance.pipeline.observe:hosts"],
    "loading detectors": ["provenance.pipeline.worker:detectors"],
    "writing parts": ["provenance.pipeline.worker:write_part"],
    "commits": ["provenance.pipeline.publisher:Publisher.publish", "provenance.pipeline.scan:_begin",
                "provenance.pipeline.scan:_finish"],
    "counting tags at the end": ["provenance.pipeline.scan:_result"],
}  # fmt: skip


class Clock:
    """Time by stage; a stage that calls another pauses meanwhile."""

    def __init__(self):
        self.spent = defaultdict(float)
        self.stack = []
        self.mark = time.process_time()

    def _turn(self):
        now = time.process_time()
        if self.stack:
            self.spent[self.stack[-1]] += now - self.mark
        self.mark = now

    def enter(self, stage):
        self._turn()
        self.stack.append(stage)

    def leave(self):
        self._turn()
        self.stack.pop()


CLOCK = Clock()


def timed(function, stage):
    def run(*arguments, **named):
        CLOCK.enter(stage)
        try:
            result = function(*arguments, **named)
        finally:
            CLOCK.leave()
        return stepped(result, stage) if hasattr(result, "__next__") else result

    return run


def stepped(rows, stage):
    """Time a generator step by step."""
    while True:
        CLOCK.enter(stage)
        try:
            row = next(rows, None)
        finally:
            CLOCK.leave()
        if row is None:
            return
        yield row


def install():
    reading = importlib.import_module("provenance.pipeline.reading")
    reading._processes = lambda *_: 0  # in this process, where the clocks are
    for stage, places in STAGES.items():
        for place in places:
            module, _, name = place.partition(":")
            owner = importlib.import_module(module)
            *path, last = name.split(".")
            for part in path:
                owner = getattr(owner, part)
            setattr(owner, last, timed(getattr(owner, last), stage))


def measure(sources, known, folder):
    if known:
        pv.register(known, label="synthetic", model="bench-model", store=folder)
    CLOCK.spent.clear()
    CLOCK.enter("all else")
    result = pv.scan(sources, store=folder, jobs=1)
    CLOCK.leave()
    chars = pv.Store(folder).sql("select sum(chars) from records").fetchall()[0][0]
    return result, chars, dict(CLOCK.spent)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--known", help="texts to register and match against")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    install()
    runs = []
    with tempfile.TemporaryDirectory(prefix="stages-") as temporary:
        measure(options.sources[:1], options.known, Path(temporary) / "warm")  # compiles, loads, fills the page cache
        for number in range(options.repeat):
            runs.append(measure(options.sources, options.known, Path(temporary) / f"store-{number}"))
    seconds = sorted(sum(spent.values()) for *_, spent in runs)
    result, chars, _ = runs[0]
    print(
        f"{result.records} records, {chars / 1e6:.1f} million characters of text, {result.bytes / 1e6:.1f} MB stored; "
        f"{', '.join(f'{s:.2f}' for s in seconds)} s of processor, "
        f"{chars / 1e6 / seconds[0]:.2f} million characters/s at best"
    )
    print("| stage | median s | share | range of shares |\n|---|--:|--:|--:|")
    for stage in sorted({s for *_, spent in runs for s in spent}, key=lambda s: -runs[0][2].get(s, 0)):
        times = [spent.get(stage, 0.0) for *_, spent in runs]
        shares = [t / sum(spent.values()) for t, (*_, spent) in zip(times, runs, strict=True)]
        print(
            f"| {stage} | {statistics.median(times):.2f} | {statistics.median(shares):.1%} | "
            f"{min(shares):.1%} to {max(shares):.1%} |"
        )


if __name__ == "__main__":
    main()
