"""What the torture parts share: a warmed-up process that forks a child for each try, under a shim that counts writes.

A program takes seconds to load and a small scan takes less: the driver loads everything once, and every verb runs in
a fork of it. The shim (`shim.c`) is compiled into a temporary folder and loaded by starting the driver anew under
``LD_PRELOAD``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLE = CHECKOUT / "data" / "sample"
COUNT, FAIL, SHORT, LATE, KILL = range(5)
"""What the shim does; see `shim.c`."""

STATE = {
    "records": "select * from records order by all",
    "matches": "select * exclude (recorded_at) from matches order by all",
    "edges": "select subject, relation, object, detail from edges order by all",
    "scans": "select scan_id, name, state, configuration, records, rejects, skipped from scans order by all",
    "sources": "select distinct * exclude (recorded_at) from sources where error is null order by all",
    "reference_sets": "select * exclude (recorded_at) from reference_sets where withdrawn_at is null order by all",
    "withdrawn": "select distinct set_id from reference_sets where withdrawn_at is not null order by all",
    "segments": "select segment_id, set_id, reference_count from segments where withdrawn_at is null order by all",
    "datasets": "select * exclude (recorded_at, sealed_at, location) from datasets order by all",
    "dataset_records": "select * from dataset_records order by all",
    "duplicates": "select * from duplicates order by all",
    "policies": "select scan_id, policy_id from current_policies order by all",
}
"""What must be the same after an accident as without one."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal that killed it.

    ``calls``: writes that it made below its folder; ``struck``: the call that failed, if one did.
    """

    code: int
    said: str
    calls: int
    struck: str
    cpu: float
    wall: float


class Shim:
    """The functions that the preloaded library adds to this process."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        self._library.shim_calls.restype = ctypes.c_long
        self._library.shim_last.restype = ctypes.c_char_p
        self._library.shim_arm.argtypes = [
            *(ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p)
        ]

    def arm(self, below: Path, call: int, how: int, error: int, keeps: bool, log: Path | None) -> None:
        """Watch calls on files below a folder from here on; see `shim.c` for what the numbers mean."""
        self._library.shim_arm(str(below).encode(), call, how, error, int(keeps), str(log or "").encode())

    def disarm(self) -> tuple[int, str]:
        """Return how many calls there were, and which one failed."""
        self._library.shim_disarm()
        return int(self._library.shim_calls()), self._library.shim_last().decode()


def begin(name: str) -> None:
    """Start this program anew with the shim loaded, unless it is."""
    if os.environ.get("TORTURE_SHIM"):
        return
    # In memory a forced write takes no time; whether it was asked for is what the shim sees.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    folder = tempfile.mkdtemp(prefix=f"torture-{name}-", dir=memory if roomy else None)
    library = Path(folder) / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "TORTURE_SHIM": folder,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.environ.get("TORTURE_SRC", str(CHECKOUT / "src")),
    }
    code = 1
    try:
        code = subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


class Rig:
    """A folder with inputs and stores, and the verbs that are run on them."""

    def __init__(self) -> None:
        self.folder = Path(os.environ["TORTURE_SHIM"])
        self.shim = Shim()
        self.inputs = self.folder / "inputs"
        self._tries = 0

    def prepare(self) -> None:
        """Lay out inputs, load the program, and make the stores that the verbs begin with."""
        self.inputs.mkdir()
        (self.inputs / "crawl").mkdir()
        shutil.copy(SAMPLE / "crawl.warc.gz", self.inputs / "crawl")
        lines = (SAMPLE / "dataset.jsonl").read_bytes().splitlines(keepends=True)
        for number, part in enumerate((lines[:5], lines[5:9], [b"{broken\n", *lines[9:]])):
            (self.inputs / "crawl" / f"rows-{number}.jsonl").write_bytes(b"".join(part))
        for name in ("dataset.jsonl", "generations.jsonl", "generations-other.jsonl", "known-human.jsonl"):
            shutil.copy(SAMPLE / name, self.inputs)
        warm()
        first, second, third = (self.folder / f"base{number}" for number in (1, 2, 3))
        store = first / "store"
        self._must(
            ["scan", self._in("dataset.jsonl"), "--name", "base", "--jobs", "1", *self._root(), "--store", str(store)]
        )
        self._must(["register", self._in("known-human.jsonl"), "--human", "--set", "people", "--store", str(store)])
        other = ["register", self._in("generations-other.jsonl"), "--synthetic", "--model", "m0", "--set", "other"]
        self._must([*other, "--store", str(store)])
        shutil.copytree(first, second)
        self._must(self.command("scan", second))
        shutil.copytree(second, third)
        self._must(self.command("register", second))
        self._must([*self.command("register", third), "--no-verify"])

    def _must(self, arguments: list[str]) -> None:
        ended = self.run(arguments, self.folder)
        if ended.code != 0:
            raise SystemExit(f"{' '.join(arguments)} failed: {ended.said}")

    def _in(self, name: str) -> str:
        return str(self.inputs / name)

    def _root(self) -> list[str]:
        return ["--root", str(self.inputs)]

    def base(self, verb: str) -> Path | None:
        """Return the folder that a verb begins with: none, or one that is to be copied."""
        if verb == "scan-new":
            return None
        base = {"scan": "base1", "scan-2": "base1", "scan-small": "base1", "register": "base1", "rematch": "base3"}.get(
            verb, "base2"
        )
        return self.folder / base

    def command(self, verb: str, folder: Path) -> list[str]:
        """Return the command line of a verb."""
        scan = ["scan", self._in("crawl"), "--name", "crawl", *self._root()]
        generations = self._in("generations.jsonl")
        commands = {
            "scan": [*scan, "--jobs", "1"],
            "scan-new": [*scan, "--jobs", "1"],
            "scan-2": [*scan, "--jobs", "2"],
            "scan-small": ["scan", self._in("crawl/rows-2.jsonl"), *self._root(), "--jobs", "1"],
            "register": ["register", generations, "--synthetic", "--model", "m1", "--set", "ours", "--jobs", "1"],
            "compact": ["compact"],
            "filter": [
                *("filter", "crawl", "--keep", "human,unknown", "--dataset", "kept", "--jobs", "1", "--with-tags"),
                *("--out", str(folder / "out" / "kept.jsonl.gz")),
            ],
            "export": [*scan, "--jobs", "1", "--out", str(folder / "out")],
            "dedup": ["dedup", "crawl", "--jobs", "1"],
            "retag": ["retag", "crawl", "--policy", "strict"],
            "rematch": ["rematch", "--jobs", "1"],
            "unregister": ["unregister", "ours"],
        }
        return [*commands[verb], "--store", str(folder / "store")]

    @contextlib.contextmanager
    def attempt(self, verb: str) -> Iterator[Path]:
        """Yield a fresh folder in which a verb may be run."""
        self._tries += 1
        folder = self.folder / f"try-{self._tries}"
        base = self.base(verb)
        if base is None:
            folder.mkdir()
        else:
            shutil.copytree(base, folder)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        call: int = 0,
        how: int = COUNT,
        error: int = errno.EIO,
        keeps: bool = False,
        log: Path | None = None,
        after_cpu: float | None = None,
        after_wall: float | None = None,
        group: bool = True,
    ) -> Ended:
        """Run a command line in a child.

        Args:
            arguments: As a user types them.
            folder: Only calls on files below it count.
            call: The number of the call to which something happens.
            how: What happens; see `shim.c`.
            error: The errno of a failure.
            keeps: Let all later calls fail likewise.
            log: Where the shim writes down what was done.
            after_cpu: Kill the child when it has used so many seconds of processor time.
            after_wall: Kill it after so many seconds.
            group: Kill its workers with it; else they find out by themselves.
        """

        def work() -> dict[str, Any]:
            from provenance import cli

            self.shim.arm(folder, call, how, error, keeps, log)
            code = cli.run([*arguments])
            calls, struck = self.shim.disarm()
            return {"code": code, "calls": calls, "struck": struck}

        return fork(work, self.folder / "said", after_cpu, after_wall, group)

    def look(self, folder: Path, repair: bool = False, rows: bool = True) -> dict[str, Any]:
        """Verify a store and return what it says, with its rows; in a child, so that this process stays clean."""

        def work() -> dict[str, Any]:
            from provenance.errors import ProvenanceError
            from provenance.pipeline import catalogue, verify
            from provenance.store import Store

            store = folder / "store"
            if not catalogue.exists(store):  # it was killed while it made the store
                return {"sound": True, "problems": [], "orphans": [], "state": {}}
            try:
                report = verify(store=store, repair=repair).as_dict()
                if not rows:
                    return report
                opened = Store.open(store)
                with opened.read() as connection:
                    state = {name: repr(connection.execute(query).fetchall()) for name, query in STATE.items()}
            except ProvenanceError as failure:
                return {"sound": False, "problems": [str(failure)], "orphans": [], "state": {}}
            return {**report, "state": state, "out": _outputs(folder / "out")}

        ended = fork(work, self.folder / "said")
        if ended.code != 0:
            raise SystemExit(f"looking at {folder} failed: {ended.said}")
        answer: dict[str, Any] = json.loads((self.folder / "said.json").read_text())
        return answer


def _outputs(folder: Path) -> dict[str, int]:
    """Return a checksum of each file that a verb wrote for its user."""
    import zlib

    return {path.name: zlib.crc32(path.read_bytes()) for path in sorted(folder.glob("*"))} if folder.is_dir() else {}


def fork(
    work: Callable[[], dict[str, Any]],
    said: Path,
    after_cpu: float | None = None,
    after_wall: float | None = None,
    group: bool = True,
) -> Ended:
    """Run a function in a forked child; what it returns is written to ``said.json``, what it prints to ``said``."""
    answer = said.with_suffix(".json")
    answer.unlink(missing_ok=True)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _in_child(work, said, answer)
    clock = (~child << 3) | 2  # the processor time of another process, as clock_getcpuclockid makes it
    cpu = 0.0
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
        with contextlib.suppress(OSError):
            cpu = time.clock_gettime(clock)
        wall = time.monotonic() - began
        if (after_cpu is not None and cpu >= after_cpu) or (after_wall is not None and wall >= after_wall):
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(child, signal.SIGKILL)
            _, status, usage = os.wait4(child, 0)
            break
        time.sleep(0.002)
    text = said.read_text(errors="replace") if said.exists() else ""
    code = os.waitstatus_to_exitcode(status)
    told = json.loads(answer.read_text()) if answer.exists() and code == 0 else {}
    return Ended(
        code=told.get("code", code),
        said=text,
        calls=told.get("calls", 0),
        struck=told.get("struck", ""),
        cpu=usage.ru_utime + usage.ru_stime,
        wall=time.monotonic() - began,
    )


def _in_child(work: Callable[[], dict[str, Any]], said: Path, answer: Path) -> None:
    code = 70
    try:
        os.setsid()
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        result = work()
        sys.stdout.flush()
        sys.stderr.flush()
        answer.write_text(json.dumps(result))
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def warm() -> None:
    """Load everything that the verbs use, and run the kernels once. No thread may be left when this ends."""
    from provenance import cli
    from provenance.pipeline import scan as _  # noqa: F401

    audit_once()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = (SAMPLE / "generations.jsonl").read_text().splitlines()
        (folder / "a.jsonl").write_text("\n".join(text))
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            store = ["--store", str(folder / "store")]
            cli.run(
                ["scan", str(folder / "a.jsonl"), str(SAMPLE / "crawl.warc.gz"), "--name", "x", "--jobs", "1", *store]
            )
            cli.run(["register", str(folder / "a.jsonl"), "--synthetic", "--model", "m", "--jobs", "1", *store])
            cli.run(["dedup", "x", "--jobs", "1", *store])
            cli.run(["filter", "x", "--out", str(folder / "o.jsonl"), "--jobs", "1", *store])
            cli.run(["rematch", "--jobs", "1", *store])
            cli.run(["verify", *store])
    stay_small()


def stay_small() -> None:
    """Let a scan publish after every source, as a large one does, and scan in its own process if it has one job."""
    from provenance.pipeline import publisher, reading

    publisher.COMMIT_SHARDS = 1  # type: ignore[misc]
    reading._processes = lambda _inputs, jobs, _size: 0 if jobs == 1 else jobs  # type: ignore[assignment]


def audit_once() -> None:
    """Let a definition of a catalogue that has passed the audit pass again, here and in every child.

    Each try is a store that was moved, whose definitions, always the same, take most of the time of opening it. Those
    that name parts are looked at every time.
    """
    from provenance.store import audit
    from provenance.store.parts import KINDS

    check, passed = audit._check, set[tuple[str, str]]()

    def remembered(connection: Any, screen: Any, kind: str, name: str, definition: str) -> None:
        if (kind, definition) not in passed:
            check(connection, screen, kind, name, definition)
            if name.removeprefix("stored_") not in KINDS:
                passed.add((kind, definition))

    audit._check = remembered


def power_cut(log: Path, draw: random.Random) -> int:
    """Take away what a process had written but not forced to the disk, as a power cut may; return how many things.

    Unsynced files lose their second half or everything; of names in folders that were not synced since, about half go.
    """
    dirty: set[str] = set()
    names: set[str] = set()
    for line in log.read_text(errors="surrogateescape").splitlines() if log.exists() else ():
        call, path, other = line.split("\t")
        if call in ("write", "create"):
            dirty.add(path)
            if call == "create":
                names.add(path)
        elif call == "fsync":
            dirty.discard(path)
            names = {name for name in names if os.path.dirname(name) != path}  # noqa: PTH120
        elif call == "rename":
            dirty.discard(other)
            dirty = {_moved(name, path, other) for name in dirty}
            names = {_moved(name, path, other) for name in names} | {other}
        elif call == "mkdir":
            names.add(path)
        elif call == "unlink":
            dirty.discard(path)
            names.discard(path)
    return _lose(dirty, names, draw)


def _moved(name: str, path: str, other: str) -> str:
    return other + name[len(path) :] if name == path or name.startswith(path + "/") else name


def _lose(dirty: set[str], names: set[str], draw: random.Random) -> int:
    lost = 0
    for name in sorted(dirty):
        file = Path(name)
        if file.is_file() and file.stat().st_size:
            os.truncate(file, 0 if draw.random() < 0.5 else file.stat().st_size // 2)
            lost += 1
    for name in sorted(names):
        file = Path(name)
        # The pointer is never without a name: a rename over another file leaves the one or the other.
        if file.name != "CURRENT" and draw.random() < 0.5 and file.exists():
            shutil.rmtree(file) if file.is_dir() else file.unlink()
            lost += 1
    return lost
