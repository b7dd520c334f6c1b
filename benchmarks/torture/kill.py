"""Kill a verb with SIGKILL at seeded random moments, then run it again: nothing may be lost, doubled or left broken.

A try copies a prepared store, kills the verb one to four times, and lets it end. Half of the moments are drawn in the
child's own processor time, half as the number of the write before which it dies; of the latter, every other try also
loses what had not been forced to the disk by then, as in a power cut. After every kill `verify` has to find the store
sound; at the end its rows have to be those of an undisturbed run, and `verify --repair` has to leave no file that no
catalogue names.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rig

SHARES = {
    "scan": 60,
    "scan-new": 20,
    "scan-2": 20,
    "register": 36,
    "compact": 20,
    "filter": 20,
    "dedup": 8,
    "rematch": 8,
    "retag": 4,
    "unregister": 4,
}
"""Kills of each verb, of 200. ``scan-2`` has two jobs; ``scan-new`` makes its store."""


def expected(torture: rig.Rig, verb: str) -> tuple[rig.Ended, dict[str, Any]]:
    """Run a verb undisturbed; return what it took and the state that it leaves."""
    with torture.attempt(verb) as folder:
        ended = torture.run(torture.command(verb, folder), folder)
        if ended.code != 0:
            raise SystemExit(f"{verb} fails undisturbed: {ended.said}")
        return ended, torture.look(folder)


def one_try(
    torture: rig.Rig, verb: str, usual: rig.Ended, wanted: dict[str, Any], draw: random.Random, most: int
) -> tuple[Counter[str], list[str]]:
    """Kill a verb up to ``most`` times in one store, let it end, and return counts and what was wrong."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    log = torture.folder / "calls.log"
    with torture.attempt(verb) as folder:
        command = torture.command(verb, folder)
        for _ in range(min(most, draw.choice((1, 2, 3, 4)))):
            log.unlink(missing_ok=True)
            by_write = verb != "scan-2" and draw.random() < 0.5
            if by_write:
                ended = torture.run(command, folder, call=draw.randint(1, usual.calls), how=rig.KILL, log=log)
            elif verb == "scan-2":
                moment = draw.uniform(0, usual.wall)
                ended = torture.run(command, folder, after_wall=moment, group=draw.random() < 0.5)
            else:
                ended = torture.run(command, folder, after_cpu=draw.uniform(0, usual.cpu))
            counts["ended before" if ended.code >= 0 else "killed"] += 1
            if ended.code > 0 and not _done_already(verb, ended):
                wrong.append(f"{verb} ended with {ended.code}: {ended.said[-300:]}")
            if ended.code < 0 and by_write and draw.random() < 0.5:
                counts["things lost"] += rig.power_cut(log, draw)
                counts["power cuts"] += 1
            seen = torture.look(folder, rows=False)
            counts["orphans"] += len(seen["orphans"])
            wrong += [f"{verb} after a kill: {problem}" for problem in seen["problems"]]
        ended = torture.run(command, folder)
        if ended.code != 0 and not _done_already(verb, ended):
            wrong.append(f"{verb} does not go on: {ended.said[-400:]}")
        if verb == "scan-2":
            time.sleep(1.5)  # workers whose parent was killed end within a second
        seen = torture.look(folder, repair=True)
        wrong += [f"{verb} at the end: {problem}" for problem in seen["problems"]]
        wrong += [f"{verb}: {name} differ" for name in rig.STATE if seen["state"].get(name) != wanted["state"][name]]
        wrong += [f"{verb}: its output differs"] if seen.get("out") != wanted.get("out") else []
        left = torture.look(folder, rows=False)["orphans"]
        wrong += [f"{verb}: {name} is left after repair" for name in left]
    return counts, wrong


def _done_already(verb: str, ended: rig.Ended) -> bool:
    return verb == "unregister" and "There is no reference set" in ended.said


def main(argv: Sequence[str]) -> int:
    """Run a number of kills and print a table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="torture kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="slices of other seeds add up")
    parser.add_argument("--quick", action="store_true", help="20 kills")
    parser.add_argument("--only", help="some verbs, with their shares of the kills")
    parser.add_argument("--seconds", type=float, default=3600.0, help="begin no try after so long")
    parser.add_argument("--json", type=Path, help="append one line for each verb")
    options = parser.parse_args(argv)
    rig.begin("kill")
    until = time.monotonic() + options.seconds
    torture = rig.Rig()
    torture.prepare()
    kills = 20 if options.quick else options.kills
    left = {verb: max(1, round(kills * share / sum(SHARES.values()))) for verb, share in SHARES.items()}
    if options.only:
        left = {verb: count for verb, count in left.items() if verb in options.only.split(",")}
    draws = {verb: random.Random(f"{options.seed} {verb}") for verb in left}
    usual = {verb: expected(torture, verb) for verb in left}
    counts: dict[str, Counter[str]] = {verb: Counter() for verb in left}
    failed = False
    while any(left.values()) and time.monotonic() < until:
        for verb in [verb for verb, count in left.items() if count]:
            began = time.monotonic()
            more, wrong = one_try(torture, verb, *usual[verb], draws[verb], left[verb])
            left[verb] -= more["killed"]
            counts[verb].update(more)
            counts[verb].update({"tries": 1, "wrong": len(wrong), "seconds": time.monotonic() - began})
            failed |= bool(wrong)
            for line in wrong:
                print("WRONG", line, file=sys.stderr, flush=True)
            if time.monotonic() >= until:
                break
    for verb, counted in counts.items():
        row = {"verb": verb, "seed": options.seed, **counted, "seconds": round(counted["seconds"])}
        print(json.dumps(row), flush=True)
        if options.json:
            with options.json.open("a") as file:
                file.write(json.dumps(row) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
