"""The lineage at scale: search in a graph of a million edges; a dataset of a hundred million records and its tags.

    python benchmarks/lineage.py graph [--edges 1000000] [--seed 0]
    python benchmarks/lineage.py membership [--records 100000000] [--memory 2GB]

`graph` draws sixty thousand models, a hundred thousand datasets, their generation sets and runs in the order of time,
with text that reaches back, records them in an empty store, and times `lineage.feedback_loops` and the macro
`ancestors`. `membership` writes observations, seals a dataset of all of them, and counts its tags in SQL. Both work in
a temporary folder (beneath --folder), which needs 25 GB for a hundred million records.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from provenance import lineage, policy, schema
from provenance.store import Store, write_part

BATCH = 122_880


def peak() -> float:
    """Most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def draw(edges: int, seed: int) -> tuple[pa.Table, dict[str, int]]:
    """Return edges of a world whose things are made one after the other, each from older ones."""
    rng = np.random.default_rng(seed)
    counts = {kind: edges * share // 100 for kind, share in (("m", 6), ("d", 10), ("g", 12), ("t", 8), ("w", 6))}
    prefix = {"m": "model:m", "d": "dataset:d", "g": "set:g", "t": "run:t", "w": "run:w"}
    tables: list[pa.Table] = []

    def add(kind: str, numbers: np.ndarray, relation: str, other: str, back: float, before: int = 0) -> None:
        """Edges from things to others made up to ``back`` of all time before, or to the one so many before."""
        moment = numbers / counts[kind] - rng.random(len(numbers)) * back
        target = np.clip((moment * counts[other]).astype(int), 0, counts[other] - 1) - before
        if kind == other:
            keep = target < numbers
            numbers, target = numbers[keep], target[keep]
        names = [pa.array(np.char.add(prefix[k], n.astype(str))) for k, n in ((kind, numbers), (other, target))]
        tables.append(
            pa.table({"subject": names[0], "relation": pa.array([relation] * len(numbers)), "object": names[1]})
        )

    def some(kind: str, count: int) -> np.ndarray:
        return rng.integers(1, counts[kind], count)

    families = max(counts["m"] // 10, 1)  # of ten versions each
    add("m", np.arange(families, counts["m"]), "successor_of", "m", 0.0, families)
    add("m", np.arange(counts["m"]), "wasGeneratedBy", "t", 0.0001)
    add("t", some("t", counts["t"] * 2), "used", "d", 0.02)
    add("g", np.arange(counts["g"]), "wasAttributedTo", "m", 0.02)
    add("g", some("g", counts["g"] // 2), "wasGeneratedBy", "w", 0.001)
    add("w", np.arange(counts["w"]), "used", "m", 0.02)
    add("g", some("g", counts["g"] // 2), "wasDerivedFrom", "g", 0.005)
    add("d", some("d", counts["d"]), "wasDerivedFrom", "d", 0.005)
    add("d", some("d", edges - sum(len(table) for table in tables)), "hadMember", "g", 0.05)
    return pa.concat_tables(tables), counts


def graph(folder: Path, edges: int, seed: int) -> None:
    """Time the loop search and ancestors."""
    table, counts = draw(edges, seed)
    store = Store.create(folder / "graph")
    with store.commit("import") as commit:
        commit.connection.register("drawn", table)
        for query in (
            "insert into edges select *, now()::timestamp, null from (select distinct * from drawn)",
            f"insert into models (model, recorded_at) select 'm' || i, now()::timestamp from range({counts['m']}) r(i)",
            "insert into datasets (dataset_id, name, recorded_at) "
            f"select 'dataset:d' || i, 'd' || i, now()::timestamp from range({counts['d']}) r(i)",
            "insert into reference_sets (set_id, name, label, recorded_at) "
            f"select 'set:g' || i, 'g' || i, 'synthetic', now()::timestamp from range({counts['g']}) r(i)",
            "insert into runs (run_id, kind, name, recorded_at) "
            f"select 'run:t' || i, 'training', 't' || i, now()::timestamp from range({counts['t']}) r(i)",
            "insert into runs (run_id, kind, name, recorded_at) "
            f"select 'run:w' || i, 'generation', 'w' || i, now()::timestamp from range({counts['w']}) r(i)",
        ):
            commit.connection.execute(query)
    ((recorded, trained),) = store.sql(
        "select (select count(*) from lineage_edges), (select count(*) from trainings)"
    ).fetchall()
    lineage.feedback_loops(Store.create(folder / "empty"))  # so that no compilation is counted
    print(f"{recorded:,} edges, {trained:,} pairs of a model and a dataset that trains it")
    for _ in range(3):
        begun, used = time.perf_counter(), time.process_time()
        loops = lineage.feedback_loops(store)
        wall, used = time.perf_counter() - begun, time.process_time() - used
        print(f"all loops: {wall:.2f} s, {used:.2f} s of processor time, {len(loops):,} found, peak {peak():.1f} GB")
    rng = np.random.default_rng(seed)
    nodes = [f"model:m{n}" for n in rng.integers(0, counts["m"], 20)] + ["model:m100", "dataset:d500"]
    with store.read() as connection:
        connection.execute("select count(*) from ancestors('model:m1')").fetchall()
        taken = []
        for node in nodes:
            begun = time.perf_counter()
            ((found,),) = connection.execute("select count(*) from ancestors($1)", [node]).fetchall()
            taken.append((found, time.perf_counter() - begun))
    few = [seconds for found, seconds in taken if found <= 10_000]
    print(f"ancestors, up to 10,000 of them: median {statistics.median(few) * 1000:.0f} ms of {len(few)} nodes")
    most, seconds = max(taken)
    print(f"ancestors, {most:,} of them: {seconds * 1000:.0f} ms")


def membership(folder: Path, records: int, memory: str) -> None:
    """Time sealing a large dataset, and joining its records with their tags."""
    store = Store.create(folder / "membership")
    begun = time.perf_counter()
    with store.read() as connection:
        connection.execute("set memory_limit = $1", [memory])
        drawn = connection.sql(
            "select md5(i::varchar) as record_id, 'scan-1' as scan_id, i as position, i % 5 = 0 as old, "
            f"i % 997 as words from range({records}) r(i)"
        ).to_arrow_reader(BATCH)
        part = write_part(store.root, "observations", "scan-1", "0", (observed(batch) for batch in drawn))
    with store.commit("scan") as commit:
        policy_id = commit.add_policy(policy.load("default"))
        commit.insert(
            "scans", [{"scan_id": "scan-1", "name": "all", "state": "finished", "started_at": commit.recorded_at}]
        )
        commit.insert("scan_policies", [{"scan_id": "scan-1", "policy_id": policy_id}])
        commit.add_part(part)
    print(
        f"{records:,} observations written in {time.perf_counter() - begun:.0f} s, {part.bytes / 1e9:.1f} GB",
        flush=True,
    )
    begun = time.perf_counter()
    lineage.add_dataset(store, "all", scans=["all"])
    print(f"dataset sealed in {time.perf_counter() - begun:.0f} s, peak memory {peak():.1f} GB", flush=True)
    with store.read() as connection:
        connection.execute("set memory_limit = $1", [memory])
        connection.execute("set temp_directory = $1", [str(folder / "spill")])
        begun = time.perf_counter()
        rows = connection.execute(
            "select record.tag, count(*), sum(record.words) from dataset_records as member "
            "join records as record using (record_id) where member.dataset_id = 'dataset:all' group by all order by all"
        ).fetchall()
    print(f"joined with tags in {time.perf_counter() - begun:.0f} s, peak memory {peak():.1f} GB: {rows}")


def observed(batch: pa.RecordBatch) -> pa.Table:
    """Return rows as a scan of a web archive would have left them."""
    count = batch.num_rows
    old = batch.column("old")
    constants = {
        "source_id": "s",
        "date_origin": "container",
        "language": "en",
        "text_kind": "prose",
        "chars": 5000,
        "recovered": False,
    }
    seconds = pa.array(np.where(old.to_numpy(zero_copy_only=False), 1_400_000_000, 1_700_000_000) * 1_000_000)
    columns = {
        "record_id": batch.column("record_id"),
        "content_id": batch.column("record_id"),
        "scan_id": batch.column("scan_id"),
        "position": batch.column("position"),
        "words": batch.column("words"),
        "captured_at": seconds.cast(pa.timestamp("us")),
        "evidence": pa.ListArray.from_arrays([0] * (count + 1), pa.array([], schema.EVIDENCE)),
    }
    arrays = [
        columns[field.name] if field.name in columns else pa.array([constants.get(field.name)] * count, field.type)
        for field in schema.OBSERVATIONS
    ]
    return pa.table(arrays, names=schema.OBSERVATIONS.names)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("graph", "membership"))
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--records", type=int, default=100_000_000)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="lineage-") as name:
        if options.what == "graph":
            graph(Path(name), options.edges, options.seed)
        else:
            membership(Path(name), options.records, options.memory)


if __name__ == "__main__":
    main()
