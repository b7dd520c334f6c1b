"""What the store forces to the disk and when, and what a disk that refuses, or a power cut, leaves of it.

Under a preloaded library that sees every write of the process, DuckDB's and Arrow's too. The long versions are the
parts ``kill`` and ``faults`` of ``scripts/torture``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).resolve().parents[2] / "benchmarks" / "torture"

DRIVER = """
import errno, json, os, random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import rig
import pyarrow as pa
from provenance.errors import StoreError
from provenance.store import Store, write_part

folder = Path(sys.argv[2])
shim = rig.Shim()
rows = pa.table({"dataset_id": ["d"] * 3, "record_id": ["a", "b", "c"]})

def publish(store):
    part = write_part(store.root, "dataset_records", "d", "0", rows)
    with store.commit("fill") as commit:
        commit.add_part(part)
        commit.insert("models", [{"model": "m"}])

def work(root, **how):
    def child():
        shim.arm(root, how.get("call", 0), how.get("how", rig.COUNT), how.get("error", 0), how.get("keeps", False),
                 how.get("log"))
        said = ""
        try:
            publish(Store.create(root))
        except StoreError as error:
            said = str(error)
        calls, struck = shim.disarm()
        return {"code": 2 if said else 0, "said": said, "calls": calls, "struck": struck}
    ended = rig.fork(child, folder / "said")
    told = (folder / "said.json").read_text() if (folder / "said.json").exists() else "{}"
    return {"code": ended.code, **json.loads(told), "trace": ended.said}

def look_and_go_on(root):
    def child():
        before = {"problems": [], "rows": 0}
        if (root / "CURRENT").exists():
            store = Store.open(root)
            before = {"problems": store.verify(repair=True).problems, "rows": count(store)}
        publish(Store.create(root))
        store = Store.open(root)
        store.verify(repair=True)
        after = store.verify()
        return {"before": before, "after": {"problems": after.problems, "orphans": after.orphans, "rows": count(store)}}
    ended = rig.fork(child, folder / "said")
    return json.loads((folder / "said.json").read_text()) if ended.code == 0 else {"trace": ended.said}

def count(store):
    return store.sql("select count(*) from dataset_records").fetchall()[0][0]

publish(Store.create(folder / "warm"))  # loads what the children would each load anew
"""

EVERY_WAY = """
draw = random.Random(7)
log = folder / "log"
usual = work(folder / "usual", log=log)
result = {"usual": usual, "log": log.read_text(), "tries": []}
ways = [(rig.FAIL, errno.ENOSPC, True), (rig.FAIL, errno.EIO, False), (rig.SHORT, errno.ENOSPC, False),
        (rig.LATE, errno.EIO, False), (rig.FAIL, errno.EROFS, True), (rig.KILL, 0, False)]
calls = sorted(draw.sample(range(1, usual["calls"] + 1), int(sys.argv[3])))
for number, call in enumerate(calls):
    how, error, keeps = ways[number % len(ways)]
    root, cut = folder / f"try-{number}", folder / "cut"
    cut.unlink(missing_ok=True)
    first = work(root, call=call, how=how, error=error, keeps=keeps, log=cut)
    lost = rig.power_cut(cut, draw) if how == rig.KILL else 0
    result["tries"].append({"call": call, "how": how, "errno": error, "lost": lost, "first": first,
                            "then": look_and_go_on(root)})
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Make a store and publish into it, again and again, with another write failing each time."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("disk")
    library = folder / "shim.so"
    compiled = subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(library), str(TORTURE / "shim.c"), "-ldl"],
        capture_output=True,
        check=False,
    )
    if compiled.returncode != 0:
        pytest.skip(f"the library can't be compiled: {compiled.stderr.decode()[-200:]}")
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(TORTURE.parents[1] / "src")}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER + EVERY_WAY, str(TORTURE), str(folder), "9"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_everything_that_a_catalogue_names_is_on_the_disk_before_it_is_named(tortured: dict[str, object]) -> None:
    """When CURRENT moves, no file may have unsynced bytes, and no folder unsynced names."""
    unsynced: set[str] = set()
    names: set[str] = set()
    moves = 0
    for line in str(tortured["log"]).splitlines():
        call, path, other = line.split("\t")
        if call == "rename":
            unsynced = {other + name[len(path) :] if name.startswith(path) else name for name in unsynced}
            names = {other + name[len(path) :] if name.startswith(path) else name for name in names} | {other}
            if other.endswith("/CURRENT"):
                moves += 1
                root = os.path.dirname(other)  # noqa: PTH120
                passing = {root, *(name for name in unsynced | names if "/staging/" in name or name.endswith(".lock"))}
                assert (unsynced | names) - passing == {other}
        elif call == "fsync":
            unsynced.discard(path)
            names = {name for name in names if os.path.dirname(name) != path}  # noqa: PTH120
        elif call == "unlink":
            unsynced.discard(path)
            names.discard(path)
        else:
            names |= {path} if call in ("create", "mkdir") else set()
            unsynced |= {path} if call in ("create", "write") else set()
    assert moves == 2  # an empty store, and the commit
    assert not [name for name in names if name.endswith("/CURRENT")]


def test_a_write_that_fails_is_named_and_leaves_a_store_that_goes_on(tortured: dict[str, object]) -> None:
    usual = tortured["usual"]
    assert isinstance(usual, dict)
    assert usual["calls"] > 100
    tries = tortured["tries"]
    assert isinstance(tries, list)
    for one in tries:
        assert "Traceback" not in one["first"]["trace"], one
        if one["first"]["code"] == 2:
            causes = ("disk is full", "Input/output error", "can't be written")
            assert any(cause in one["first"]["said"] for cause in causes), one
        assert one["then"].keys() == {"before", "after"}, one
        assert one["then"]["before"]["problems"] == [], one
        assert one["then"]["before"]["rows"] in (0, 3), one
        assert one["then"]["after"] == {"problems": [], "orphans": [], "rows": 3}, one
    assert {one["first"]["code"] for one in tries} >= {2, -9}
