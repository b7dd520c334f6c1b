"""A store of many made-up records: publishing a million of them, grouping all by tag and host, another policy.

``python benchmarks/store_scale.py --records 10000000`` writes the observations of `gate.py` (200 hosts) and prints
seconds; it needs about 60 bytes a record in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import gate
import numpy as np

import provenance as pv
from provenance.store import write_part

MILLION = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10 * MILLION)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="store-scale-") as folder:
        root = Path(folder) / "store"
        store = gate.make(root, options.records)
        parts = list((root / "observations").rglob("*.parquet")) or list(root.rglob("*.parquet"))
        size = sum(path.stat().st_size for path in parts)
        print(f"{options.records:,} records: {size / options.records:.1f} bytes each in observations")
        for query in ("tag, host", "tag, reason"):
            times = []
            for _ in range(3):
                began = time.perf_counter()
                rows = pv.Store(root).sql(f"select {query}, count(*) from records group by all").fetchall()
                times.append(time.perf_counter() - began)
            print(f"group by {query}: {len(rows)} rows, {', '.join(f'{t:.2f}' for t in times)} s", flush=True)
        draw = np.random.default_rng(1)
        began = time.perf_counter()
        tables = [gate.observations(options.records + at, gate.STEP, draw) for at in range(0, MILLION, gate.STEP)]
        made = time.perf_counter()
        written = [write_part(root, "observations", "s", f"more-{at}", table) for at, table in enumerate(tables)]
        with store.commit("more") as commit:
            for part in written:
                commit.add_part(part)
        print(f"publishing a million records: {time.perf_counter() - made:.2f} s (made up in {made - began:.1f} s)")
        for policy in ("strict", "default"):
            began = time.perf_counter()
            pv.retag("s", policy=policy, store=root)
            print(f"retag under {policy}: {time.perf_counter() - began:.2f} s", flush=True)


if __name__ == "__main__":
    main()
