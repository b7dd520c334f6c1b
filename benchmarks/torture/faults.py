"""Let the n-th write of a verb fail, for every n: the error says why, the store stays sound, the rerun completes.

Writes are those of this program, of Arrow and of DuckDB alike: write, pwrite, writev, sendfile, copy_file_range,
fsync, fdatasync, ftruncate, rename, link, mkdir and open with O_CREAT, on files below the store and the output's
folder. A second part damages files that are there (one bit, a lost end, an empty file, no file) and asks what the
verbs and `verify` say.
"""

from __future__ import annotations

import argparse
import errno
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rig

KINDS = {
    "disk full": (rig.FAIL, errno.ENOSPC, True),
    "I/O error": (rig.FAIL, errno.EIO, False),
    "read-only": (rig.FAIL, errno.EROFS, True),
    "cut short": (rig.SHORT, errno.ENOSPC, False),
    "done, but said to have failed": (rig.LATE, errno.EIO, False),
}
"""How a call fails: what the shim does, the errno, and whether all later calls fail as well."""

CAUSES = ("disk is full", "no space left", "input/output error", "read-only file system", "can't be written")
MOST = {"scan-small": 100_000, "scan": 90, "scan-new": 60}
"""Failing calls that are tried of each verb; of the others, so many."""
OTHERS = 60
VERBS = ("scan-small", "register", "compact", "filter", "scan", "scan-new", "export", "dedup", "rematch", "retag")


def fail_at(torture: rig.Rig, verb: str, number: int, kind: str, wanted: dict[str, Any], thorough: bool) -> list[str]:
    """Let one call of a verb fail; return what was wrong."""
    how, error, keeps = KINDS[kind]
    wrong = []
    with torture.attempt(verb) as folder:
        command = torture.command(verb, folder)
        ended = torture.run(command, folder, call=number, how=how, error=error, keeps=keeps)
        what = f"{verb}, call {number} ({ended.struck or '?'}), {kind}"
        if ended.code not in (0, 2):
            wrong.append(f"{what}: ended with {ended.code}: {ended.said[-300:]}")
        elif ended.code == 2 and not _says_why(ended.said):
            wrong.append(f"{what}: does not say why: {ended.said[-300:]}")
        seen = torture.look(folder, rows=ended.code == 0)
        wrong += [f"{what}: {problem}" for problem in seen["problems"]]
        if ended.code == 0 and not _same(seen, wanted):
            wrong.append(f"{what}: ended well, but the rows differ: {ended.said[-300:]}")
        again = torture.run(command, folder)
        if again.code != 0:
            wrong.append(f"{what}: does not go on: {again.said[-300:]}")
        seen = torture.look(folder, repair=True)
        wrong += [f"{what}, at the end: {problem}" for problem in seen["problems"]]
        if not _same(seen, wanted):
            differing = [name for name in rig.STATE if seen["state"].get(name) != wanted["state"][name]]
            wrong.append(f"{what}: differ at the end: {differing or 'outputs'}")
        if thorough:
            wrong += [f"{what}: {name} is left after repair" for name in torture.look(folder, rows=False)["orphans"]]
    return wrong


def _same(seen: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return bool(seen["state"] == wanted["state"] and seen.get("out") == wanted.get("out"))


def _says_why(said: str) -> bool:
    message = said.strip().splitlines()
    return (
        bool(message)
        and "Traceback" not in said
        and "fault of the program" not in said
        and any(cause in said.lower() for cause in CAUSES)
    )


def failures(torture: rig.Rig, verb: str, seed: int, most: int, until: float) -> dict[str, Any]:
    """Let many calls of a verb fail, each in one way that the seed draws."""
    draw = random.Random(f"{seed} {verb}")
    began = time.monotonic()
    with torture.attempt(verb) as folder:
        usual = torture.run(torture.command(verb, folder), folder)
        if usual.code != 0:
            raise SystemExit(f"{verb} fails undisturbed: {usual.said}")
        wanted = torture.look(folder)
    numbers = range(1, usual.calls + 1)
    chosen = sorted(draw.sample(numbers, most)) if most < len(numbers) else list(numbers)
    draw.shuffle(chosen)
    wrong: list[str] = []
    tried = 0
    for place, number in enumerate(chosen):
        if time.monotonic() >= until:
            break
        tried += 1
        kind = draw.choice(tuple(KINDS))
        found = fail_at(torture, verb, number, kind, wanted, thorough=place % 5 == 0)
        for line in found:
            print("WRONG", line, file=sys.stderr, flush=True)
        wrong += found
    seconds = round(time.monotonic() - began)
    return {"verb": verb, "calls": usual.calls, "failed": tried, "wrong": len(wrong), "seconds": seconds}


HARMS = ("bit flipped", "cut off", "emptied", "gone")


def harm(path: Path, how: str, draw: random.Random) -> None:
    """Damage a file."""
    whole = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
        return
    if how == "bit flipped":
        whole[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
    path.write_bytes(
        whole if how == "bit flipped" else whole[: draw.randrange(1, len(whole))] if how == "cut off" else b""
    )


def damage(torture: rig.Rig, seed: int, rounds: int) -> list[dict[str, Any]]:
    """Damage each kind of file of a store; return a row for each kind."""
    draw = random.Random(f"{seed} damage")
    with torture.attempt("filter") as folder:
        whole = torture.look(folder)
        kinds = {kind: [path.relative_to(folder) for path in paths] for kind, paths in _files(folder / "store").items()}
    rows = []
    for kind, names in kinds.items():
        began = time.monotonic()
        counts: Counter[str] = Counter()
        for number in range(rounds * len(HARMS)):
            with torture.attempt("filter") as folder:
                path, how = folder / draw.choice(names), HARMS[number % len(HARMS)]
                harm(path, how, draw)
                found = _told(torture, folder, path, whole)
                if found == "WRONG":
                    print("WRONG", path.relative_to(folder), how, file=sys.stderr, flush=True)
                counts.update([found, "damaged"])
        seconds = round(time.monotonic() - began)
        rows.append({"verb": f"damage {kind}", **counts, "wrong": counts["WRONG"], "seconds": seconds})
    return rows


def _files(store: Path) -> dict[str, list[Path]]:
    current = store / "catalogue" / (store / "CURRENT").read_text().strip()
    return {
        "parts": sorted((store / "parts").rglob("*.parquet")),
        "segments": sorted((store / "index" / "segments").glob("*/*")),
        "catalogue": [current],
        "CURRENT": [store / "CURRENT"],
    }


def _told(torture: rig.Rig, folder: Path, path: Path, whole: dict[str, Any]) -> str:
    """Say whether `verify` finds the damage, and whether a verb that meets it names the file."""
    name = path.parent.name if path.name in ("arrays.bin", "segment.json") else path.name
    verified = torture.run(["verify", "--store", str(folder / "store")], folder)
    if verified.code == 0:
        return "harmless" if torture.look(folder)["state"] == whole["state"] else "WRONG"
    if name not in verified.said or "Traceback" in verified.said or verified.code not in (1, 2):
        sys.stderr.write(verified.said[-500:])
        return "WRONG"
    for arguments in (["status"], ["filter", "crawl", "--out", str(folder / "out" / "damaged.jsonl")], ["rematch"]):
        ended = torture.run([*arguments, "--store", str(folder / "store")], folder)
        clear = ended.code == 0 or (
            ended.code == 2 and name in ended.said and "Traceback" not in ended.said and "fault of" not in ended.said
        )
        if not clear:
            sys.stderr.write(f"{arguments[0]}: {ended.code} {ended.said[-500:]}\n")
            return "WRONG"
    return "found"


def main(argv: Sequence[str]) -> int:
    """Let writes fail and print a table; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="torture faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="eight failures of each verb")
    parser.add_argument("--only", help="some verbs, or `damage`")
    parser.add_argument("--most", type=int, help="failures of each verb at most")
    parser.add_argument("--seconds", type=float, default=7200.0, help="begin no try after so long")
    parser.add_argument("--json", type=Path, help="append one line for each verb")
    options = parser.parse_args(argv)
    rig.begin("faults")
    until = time.monotonic() + options.seconds
    torture = rig.Rig()
    torture.prepare()
    wrong = 0
    for verb in (*VERBS, "damage"):
        if options.only and verb not in options.only.split(","):
            continue
        if verb == "damage":
            rows = damage(torture, options.seed, 1 if options.quick else 12)
        else:
            most = options.most or (8 if options.quick else MOST.get(verb, OTHERS))
            rows = [failures(torture, verb, options.seed, most, until)]
        for row in rows:
            print(json.dumps(row), flush=True)
            wrong += row["wrong"]
            if options.json:
                with options.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
