"""Ask a store 1,000 questions while two scans write into it: none fails, none is wrong, no scan waits for a reader.

Pairs of scans run at once, each publishing after every source, while readers open the store anew for every query; one
reader keeps the snapshot that it began with. What a snapshot says has to add up in itself (every part that it lists
is there, with its rows), and never to go back. The first pair is also scanned one after the other, alone: the rows
are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rig

READERS = 2
QUESTIONS = (
    "select tag, count(*) from records group by tag order by tag",
    "select reason, count(*) from records group by reason order by all",
    "select count(*) from matches",
    "select s.name, count(*) from scans as s join observations using (scan_id) group by s.name order by s.name",
    "select count(*), sum(words) from observations",
    "select count(*) from lineage_edges",
    "select uri, records from sources order by uri limit 5",
)


def lay_out(torture: rig.Rig, pair: int, files: int) -> list[Path]:
    """Write the sources of two scans; no two sources have the same rows."""
    lines = (rig.SAMPLE / "dataset.jsonl").read_text().splitlines()
    folders = []
    for scan in range(2):
        folder = torture.folder / f"pair-{pair}" / f"scan-{scan}"
        folder.mkdir(parents=True)
        for number in range(files):
            rows = [json.loads(lines[(number + k) % len(lines)]) for k in range(3)]
            rows = [{**row, "id": f"{pair}-{scan}-{number}-{k}"} for k, row in enumerate(rows)]
            (folder / f"{number:03d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        folders.append(folder)
    return folders


def scan_at_once(torture: rig.Rig, folders: Sequence[Path], store: Path) -> list[int]:
    """Start one scan for each folder; return their processes."""
    return [_start(torture, folder, store) for folder in folders]


def _start(torture: rig.Rig, folder: Path, store: Path) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        said = os.open(folder.with_suffix(".said"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        from provenance import cli

        name = f"{folder.parent.name}-{folder.name}"
        code = cli.run(
            ["scan", str(folder), "--name", name, "--jobs", "1", "--root", str(torture.folder), "--store", str(store)]
        )
    finally:
        os._exit(code)


def ended(children: Sequence[int]) -> list[int]:
    """Wait for processes; return their exit codes."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def ask(store: Path, count: int, out: Path, stop: Path) -> int:
    """Ask in a child, up to ``count`` times or until there is a file ``stop``; write down how it went."""
    child = os.fork()
    if child:
        return child
    took: list[float] = []
    wrong: list[str] = []
    before = -1
    try:
        from provenance.store import Store

        with Store.open(store).read() as first:
            held = first.execute(QUESTIONS[0]).fetchall()
            for number in range(count):
                if stop.exists():
                    break
                began = time.monotonic()
                try:
                    with Store.open(store).read() as snapshot:
                        snapshot.execute(QUESTIONS[number % len(QUESTIONS)]).fetchall()
                        ((listed, there),) = snapshot.execute(
                            "select (select coalesce(sum(rows), 0) from parts where kind = 'observations' and "
                            "withdrawn_at is null), (select count(*) from observations)"
                        ).fetchall()
                    if listed != there or there < before:
                        wrong.append(f"{listed} rows are listed, {there} are there, {before} were")
                    before = there
                except Exception as error:
                    wrong.append(f"{type(error).__name__}: {error}")
                took.append(time.monotonic() - began)
            if first.execute(QUESTIONS[0]).fetchall() != held:
                wrong.append("the snapshot that was kept has changed")
    finally:
        out.write_text(json.dumps({"took": took, "wrong": wrong}))
        os._exit(0)


def main(argv: Sequence[str]) -> int:
    """Ask while scans write, and print one row; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="torture readers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="60 queries, one pair of scans")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--files", type=int, default=24, help="sources of each scan")
    parser.add_argument("--json", type=Path, help="append the row")
    options = parser.parse_args(argv)
    rig.begin("readers")
    torture = rig.Rig()
    torture.prepare()
    queries = 60 if options.quick else options.queries
    files = 8 if options.quick else options.files
    base = torture.folder / "base1" / "store"
    alone, busy = torture.folder / "alone" / "store", torture.folder / "busy" / "store"
    for store in (alone, busy):
        shutil.copytree(base, store)

    pair = lay_out(torture, 0, files)
    began = time.monotonic()
    codes = [code for folder in pair for code in ended(scan_at_once(torture, [folder], alone))]
    sequential = time.monotonic() - began
    stop = torture.folder / "stop"
    outs = [torture.folder / f"reader-{number}.json" for number in range(READERS)]
    readers = [ask(busy, queries // READERS, out, stop) for out in outs]
    began, writing, pairs = time.monotonic(), 0.0, 0
    while True:
        folders = pair if pairs == 0 else lay_out(torture, pairs, files)
        codes += ended(scan_at_once(torture, folders, busy))
        pairs += 1
        writing = time.monotonic() - began
        if pairs == 1:
            first_pair = writing
            shutil.copytree(busy.parent, torture.folder / "first")
        if all(out.exists() for out in outs):
            break
        if options.quick:
            stop.touch()
            break
    ended(readers)
    told = [json.loads(out.read_text()) for out in outs]
    took = sorted(seconds for one in told for seconds in one["took"])
    wrong = [line for one in told for line in one["wrong"]]
    wrong += [f"a scan ended with {code}" for code in codes if code]
    wrong += _compare(torture, alone.parent, torture.folder / "first", busy.parent)
    row: dict[str, Any] = {
        "verb": "readers",
        "queries": len(took),
        "failed": len(wrong),
        "scans": 2 * pairs,
        "commits": int((busy / "CURRENT").read_text().split(".")[0]),
        "median query, s": round(statistics.median(took), 3),
        "slowest, s": round(took[-1], 2),
        "two scans in turn, nobody reads, s": round(sequential, 1),
        "the same at once, two read, s": round(first_pair, 1),
        "wrong": len(wrong),
    }
    print(json.dumps(row), flush=True)
    for line in wrong[:20]:
        print("WRONG", line, file=sys.stderr)
    if options.json:
        with options.json.open("a") as file:
            file.write(json.dumps(row) + "\n")
    return int(bool(wrong))


def _compare(torture: rig.Rig, alone: Path, first: Path, busy: Path) -> list[str]:
    apart, together, at_last = (torture.look(folder) for folder in (alone, first, busy))
    wrong = [
        f"{name} differ between two scans at once and in turn"
        for name in rig.STATE
        if apart["state"][name] != together["state"][name]
    ]
    return wrong + [str(problem) for seen in (apart, together, at_last) for problem in seen["problems"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
