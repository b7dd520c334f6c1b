"""One large file scanned by one worker and by two: time by the clock, CPU time, memory, and whether the rows agree.

    python benchmarks/shards.py FILE… [--jobs 1 2] [--rounds 1] [--cut MiB]

Each FILE is scanned by itself, once for each number of jobs and round, into a store of its own that is removed again.
CPU time tells on a busy machine what time by the clock can't: with n workers it can be at best n times as fast as
``CPU(1) / CPU(n)`` says. ``parent`` is the CPU time of the process that hands out and commits.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import provenance as pv

ROWS = """
    select count(*), bit_xor(hash(record_id, content_id, tag, position)),
        (select bit_xor(hash(position, reason)) from rejects)
    from records
"""
COLUMNS = (
    *("file", "jobs", "MB/s as stored", "seconds", "CPU of workers", "CPU of parent"),
    *("parent MiB", "worker MiB", "× by clock", "× at best"),
)


def scan(path: str, store: str, jobs: int, shard_bytes: int) -> None:
    """One measured scan, in a process of its own; prints its figures."""
    began = time.monotonic()
    result = pv.scan(path, store=store, jobs=jobs, shard_bytes=shard_bytes or None)
    seconds = time.monotonic() - began
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = [usage.ru_utime + usage.ru_stime for usage in (own, children)]
    print(result.bytes, result.records, seconds, *cpu, own.ru_maxrss / 1024, children.ru_maxrss / 1024)


def measured(path: str, jobs: int, shard_bytes: int) -> tuple[list[float], object]:
    """Figures of a scan, and a digest of what it saw."""
    with tempfile.TemporaryDirectory(prefix="provenance-shards-") as folder:
        command = [
            sys.executable,
            __file__,
            path,
            "--one",
            folder + "/s",
            "--jobs",
            str(jobs),
            "--cut",
            str(shard_bytes),
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return [float(value) for value in done.stdout.split()], pv.Store(folder + "/s").sql(ROWS).fetchall()


def main() -> None:
    """Parse arguments and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cut", type=float, default=0, help="MiB of a part; as suits the file if left out")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        scan(chosen.files[0], chosen.one, chosen.jobs[0], int(chosen.cut * (1 << 20)))
        return
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for path in chosen.files:
        first, seen = None, None
        for _ in range(chosen.rounds):
            for jobs in chosen.jobs:
                (size, _records, seconds, own, children, memory, worker), rows = measured(path, jobs, chosen.cut)
                if seen is not None and rows != seen:
                    raise SystemExit(f"{path}: {jobs} jobs saw {rows}, not {seen}")
                seen = rows
                first = first or (seconds, children + own, jobs)
                best = jobs / first[2] * first[1] / (children + own)
                shown = (size / 1e6 / seconds, seconds, children, own, memory, worker)
                times = (first[0] / seconds, best)
                cells = [Path(path).name, str(jobs), *(f"{value:.1f}" for value in shown), *(f"{x:.2f}" for x in times)]
                print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
