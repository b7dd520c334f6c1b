"""The gate over a dataset of many records: time and memory of a check, its list of records, and a greedy subset.

The records are made up: nobody's text is read, only what a scan would have stored of it is drawn.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import provenance as pv
from provenance import lineage, policy, schema
from provenance.lineage import gate
from provenance.store import Store, write_part

STEP = 500_000
POLICY = """
name = "benchmark"
[gate]
max_unknown_share = 0.2
min_human_share = 0.6
"""
"""Of the records, 55 % are human, so that a subset has to be chosen."""


def observations(first: int, count: int, draw: np.random.Generator) -> pa.Table:
    """Draw what a scan would have stored of some records."""
    ids = pa.array([f"{number:032x}" for number in range(first, first + count)])
    words = pa.array(draw.integers(50, 900, count), pa.int32())
    human = draw.random(count) < 0.55
    columns = {field.name: pa.nulls(count, field.type) for field in schema.OBSERVATIONS} | {
        **dict.fromkeys(("record_id", "content_id"), ids),
        **{name: pa.repeat(value, count) for name, value in FIXED.items()},
        **dict.fromkeys(("chars", "words"), words),
        "position": pa.array(np.arange(first, first + count)),
        "evidence": pa.array([[]] * count, schema.OBSERVATIONS.field("evidence").type),
        "style_score": pa.array(draw.normal(-2, 3, count)),
        "p_human": pa.array(draw.random(count)),
        "p_synthetic": pa.array(np.where(human, 0.01, 0.5)),
        "host": pa.array([f"h{number}.example" for number in draw.integers(0, 5000, count)]),
    }
    return pa.table([columns[field.name].cast(field.type) for field in schema.OBSERVATIONS], schema=schema.OBSERVATIONS)


FIXED = {
    "scan_id": "s",
    "source_id": "src",
    "date_origin": "container",
    "captured_at": dt.datetime(2024, 6, 1, tzinfo=dt.UTC),
    "language": "en",
    "text_kind": "prose",
    "recovered": False,
    "calibration_bin": "en:100-199",
}


def make(root: Path, count: int) -> Store:
    """Make a store with one scan, sealed as one dataset."""
    store, draw = Store.create(root), np.random.default_rng(1)
    parts = [
        write_part(root, "observations", "s", str(first), observations(first, min(STEP, count - first), draw))
        for first in range(0, count, STEP)
    ]
    with store.commit("scan") as commit:
        policy_id = commit.add_policy(policy.load("default"))
        now = dt.datetime.now(dt.UTC)
        commit.insert("scans", [{"scan_id": "s", "name": "s", "state": "finished", "started_at": now}])
        commit.insert("scan_policies", [{"scan_id": "s", "policy_id": policy_id}])
        source = {"source_id": "src", "scan_id": "s", "uri": "a.warc", "read": count, "records": count}
        commit.insert("sources", [{**source, "rejects": 0, "skipped": 0}])
        for part in parts:
            commit.add_part(part)
    lineage.add_dataset(store, "d", scans=["s"])
    return store


def timed(what: str, begun: tuple[float, float], result: object) -> None:
    """Print what a step took."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall, used = time.monotonic() - begun[0], time.process_time() - begun[1]
    print(f"{what}: {wall:.1f} s, {used:.1f} s of processor time, peak {peak:.1f} GB, {result}", flush=True)


def main() -> None:
    """Make a store, check it, list the records concerned, choose a subset."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--records", type=int, default=2_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="provenance-gate-") as folder:
        root, judged_by = Path(folder) / "store", Path(folder) / "policy.toml"
        judged_by.write_text(POLICY)
        begun = time.monotonic(), time.process_time()
        store = make(root, given.records)
        timed("made", begun, given.records)
        begun = time.monotonic(), time.process_time()
        result = pv.check("d", for_model="m", policy=judged_by, store=root)
        timed("check", begun, [violation.limit for violation in result.violations])
        begun = time.monotonic(), time.process_time()
        pv.check("d", for_model="m", policy=judged_by, store=root, records=Path(folder) / "records.parquet")
        timed("check --records", begun, (Path(folder) / "records.parquet").stat().st_size)
        begun = time.monotonic(), time.process_time()
        with gate.examine(store, "dataset:d", policy.load(judged_by), ["m"]) as examined:
            timed("choose a subset", begun, gate.choose(examined, for_model=True))


if __name__ == "__main__":
    main()
