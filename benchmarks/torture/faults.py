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
import re
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

CAUSES = (
    *("disk is full", "no space left", "input/output error", "read-only file system", "can't be written"),
    "disk did not take",  # DuckDB does not say why a sync failed
)
EVERY = "scan-small"
"""The verb of which every call fails in every way; of the others, some calls fail, each in one way."""
MOST = {"register": 270, "compact": 165, "filter": 110, "scan": 90}
OTHERS = 60
VERBS = (EVERY, "register", "compact", "filter", "scan", "scan-new", "export", "dedup", "rematch", "retag")
_NAMED_AT_RANDOM = re.compile(r"[0-9a-f]{12,}|(?<=[.-])[0-9a-z_]{8}(?=\.|$)")


class Tries:
    """The tries of one verb, with what it leaves when nothing happens."""

    def __init__(self, torture: rig.Rig, verb: str) -> None:
        self.torture, self.verb = torture, verb
        with torture.attempt(verb) as folder:
            self.usual = torture.run(torture.command(verb, folder), folder)
            if self.usual.code != 0:
                raise SystemExit(f"{verb} fails undisturbed: {self.usual.said}")
            self.wanted = torture.look(folder)
        self.left: set[str] = set()

    def fail_at(self, number: int, kind: str) -> list[str]:
        """Let one call fail; return what was wrong.

        The store is verified each time. From files that an earlier try left likewise (all their names, those drawn at
        random aside, and sizes) the verb is not run a second time: it would do the same.
        """
        torture, verb = self.torture, self.verb
        how, error, keeps = KINDS[kind]
        with torture.attempt(verb) as folder:
            command = torture.command(verb, folder)
            ended = torture.run(command, folder, call=number, how=how, error=error, keeps=keeps)
            what = f"{verb}, call {number} ({ended.struck or '?'}), {kind}"
            wrong = []
            if ended.code not in (0, 2):
                wrong.append(f"ended with {ended.code}: {ended.said[-300:]}")
            elif ended.code == 2 and not _says_why(ended.said):
                wrong.append(f"does not say why: {ended.said[-300:]}")
            seen = torture.look(folder, rows=ended.code == 0)
            wrong += seen["problems"]
            if ended.code == 0 and not _same(seen, self.wanted):
                wrong.append(f"ended well, but the rows differ: {ended.said[-300:]}")
            there = files_of(folder)
            if there not in self.left:
                wrong += self._go_on(command, folder)
                self.left.add(there)
        return [f"{what}: {problem}" for problem in wrong]

    def _go_on(self, command: list[str], folder: Path) -> list[str]:
        again = self.torture.run(command, folder)
        wrong = [f"does not go on: {again.said[-300:]}"] if again.code != 0 else []
        seen = self.torture.look(folder, repair=True)
        wrong += [f"at the end: {problem}" for problem in seen["problems"]]
        if not _same(seen, self.wanted):
            differing = [name for name in rig.STATE if seen["state"].get(name) != self.wanted["state"][name]]
            wrong.append(f"differ at the end: {differing or 'outputs'}")
        left = self.torture.look(folder, rows=False)["orphans"]
        return wrong + [f"{name} is left after repair" for name in left]


def files_of(folder: Path) -> str:
    """Say which files a folder holds, whatever was drawn at random in their names."""
    found = (path for path in folder.rglob("*") if path.is_file())
    names = ((_NAMED_AT_RANDOM.sub("*", str(path.relative_to(folder))), path.stat().st_size) for path in found)
    pointer = folder / "store" / "CURRENT"
    return repr((sorted(names), pointer.read_text() if pointer.exists() else ""))


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


def failures(
    torture: rig.Rig, verb: str, seed: int, most: int | None, share: tuple[int, int], until: float
) -> dict[str, Any]:
    """Let many calls of a verb fail, and return the row; of all tries, only those of one share."""
    draw = random.Random(f"{seed} {verb}")
    began = time.monotonic()
    tries = Tries(torture, verb)
    numbers = range(1, tries.usual.calls + 1)
    if verb == EVERY:
        chosen = [(number, kind) for number in numbers for kind in KINDS]
    else:
        fewer = sorted(draw.sample(numbers, min(MOST.get(verb, OTHERS), len(numbers))))
        chosen = [(number, draw.choice(tuple(KINDS))) for number in fewer]
    draw.shuffle(chosen)
    number, shares = share
    mine = chosen[:most][number - 1 :: shares]
    counts: Counter[str] = Counter()
    for number, kind in mine:
        if time.monotonic() >= until:
            break
        counts.update(["failed", kind])
        found = tries.fail_at(number, kind)
        for line in found:
            print("WRONG", line, file=sys.stderr, flush=True)
        counts["wrong"] += len(found)
    row = {"verb": verb, "calls": tries.usual.calls, "share": f"{share[0]}/{share[1]}", "of": len(mine)}
    seconds = round(time.monotonic() - began)
    return {**row, "wrong": 0, **counts, "gone on with": len(tries.left), "seconds": seconds}


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
    current = store / "catalogue" / (store / "CURRENT").read_text().split()[0]
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
    parser.add_argument("--share", default="1/1", help="i/n: the i-th of n shares, which add up")
    parser.add_argument("--seconds", type=float, default=7200.0, help="begin no try after so long")
    parser.add_argument("--json", type=Path, help="append one line for each verb")
    options = parser.parse_args(argv)
    share = (int(options.share.partition("/")[0]), int(options.share.partition("/")[2]))
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
            most = options.most or (8 if options.quick else None)
            rows = [failures(torture, verb, options.seed, most, share, until)]
        for row in rows:
            print(json.dumps(row), flush=True)
            wrong += row["wrong"]
            if options.json:
                with options.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
