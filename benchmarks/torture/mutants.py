"""Mutation testing: change the code by one small step at a time, and ask whether a test notices.

    scripts/torture mutants [--package verdict,index,lineage,readers] [--sample 150] [--seed 1] [--minutes 10]
                            [--state FILE] [--again FILE] [--kernels] [--quick]

A mutant is one change of `mutations.py` (all of a package's, or a sample of them). The package's tests are collected
once in one process; for every mutant a fork of it takes the change over into the loaded functions and constants (of a
``.sql`` file: into what reading it gives) and runs the tests that reach the changed line, those that killed its
neighbours first, up to the first that fails. Nothing is written to the tree. Kernels are changed only with
``--kernels``: they run as plain Python then (``NUMBA_DISABLE_JIT``), with the tests that are quick enough for that.
Hypothesis draws with a fixed seed and does not shrink. Processes that a test starts do not have the change.

A test that takes five times the processor time that it takes with the code as it is, and 5 s, has noticed, too. What
can't be noticed, because both forms do the same, is listed with the reason in `equivalent.txt` and does not count.
``--state`` keeps what is known, so that a run goes on where another ended (for at most ``--minutes``); ``--again``
runs the survivors in such a file anew.

Prints one row a package and each survivor; exits with 1 if less than 85 % of a package's mutants were killed.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import contextlib
import importlib
import json
import math
import os
import pathlib
import pkgutil
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutations import Mutant, mutants_of, mutated_tree

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "src/provenance"
TARGET = 0.85
SLOWEST = 15.0
"""Processor seconds of a test that is run; a slower one is left out."""
ALL_TESTS = 8.0
"""Processor seconds of the tests that are run for one mutant, as the unchanged code takes them."""
HANGS = 150.0
"""Seconds by the clock after which a process is ended that uses no processor."""

PACKAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "verdict": (("verdict/*",), ("tests/verdict",)),
    "index": (("index/*.py", "index/overlap/*.py"), ("tests/index",)),
    "lineage": (
        (
            *("lineage/loops.py", "lineage/cycles.py", "lineage/textflow.py", "lineage/network/*.py"),
            *(
                f"lineage/sql/{name}.sql"
                for name in (
                    *("amounts", "dataset_members", "feedback_loops", "held_text", "lineage_edges", "number"),
                    *("numbered_edges", "possible_loops", "relatives", "sealed_amounts", "self_grading", "set_authors"),
                    *("text_flow", "text_reach", "trained_through", "trainings", "walk"),
                )
            ),
            *("lineage/gate/reachable.sql", "lineage/gate/concerned.sql", "lineage/gate/parts_of.sql"),
        ),
        ("tests/lineage",),
    ),
    "readers": (("readers/*.py",), ("tests/readers", "tests/torture")),
}
"""Files that are changed, and tests that ought to notice, of each package."""


def main(argv: list[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default=",".join(PACKAGES))
    parser.add_argument("--sample", type=int, default=150, help="of each package; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--state", type=Path, help="a JSON-lines file that is read and added to")
    parser.add_argument("--again", type=Path, help="such a file: its survivors are run anew")
    parser.add_argument("--kernels", action="store_true", help="the kernels' mutants, and no others")
    parser.add_argument("--quick", action="store_true", help="10 mutants of each package")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        return _worker(json.loads(options.worker))
    ends = time.time() + 60 * options.minutes
    state = options.state or Path(tempfile.mkdtemp(prefix="mutants-")) / "state.jsonl"
    equivalent = _equivalent()
    failed = False
    print("package   mutants  killed  timed out  survived  equivalent  killed of the rest  95 %")
    for package in options.package.split(","):
        known = _read(state)
        chosen = _chosen(package, 10 if options.quick else options.sample, options.seed, options.kernels)
        if options.again:
            survivors = {key for key, outcome in _read(options.again).items() if outcome == "survived"}
            chosen = [mutant for mutant in _chosen(package, 0, 0, options.kernels) if mutant.key in survivors]
        wanted = [mutant for mutant in chosen if mutant.key not in known and mutant.name not in equivalent]
        if wanted and time.time() < ends:
            _serve(package, wanted, options.kernels, state, ends)
        failed |= not _report(package, chosen, _read(state), equivalent)
    return int(failed)


def _equivalent() -> dict[str, str]:
    lines = (Path(__file__).parent / "equivalent.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" || ") for line in lines if " || " in line and not line.startswith("#"))
    return {key.strip(): reason.strip() for key, reason in pairs}


def _read(state: Path) -> dict[str, str]:
    if not state.exists():
        return {}
    rows = (json.loads(line) for line in state.read_text(encoding="utf-8").splitlines())
    return {row["key"]: row["outcome"] for row in rows}


def _chosen(package: str, sample: int, seed: int, kernels: bool) -> list[Mutant]:
    """Return the mutants of a package, or so many of them as drawn; what is the same change of one line, once."""
    files = sorted(
        {
            path.relative_to(ROOT).as_posix()
            for pattern in PACKAGES[package][0]
            for path in (ROOT / SOURCE).glob(pattern)
            if path.suffix in {".py", ".sql"} and (path.name == "kernel.py") == kernels
        }
    )
    mutants = list({mutant.key: mutant for file in files for mutant in mutants_of(ROOT, file)}.values())
    if sample:
        random.Random(seed).shuffle(mutants)  # a smaller sample is the beginning of a larger one
        mutants = mutants[:sample]
    return mutants


def _report(package: str, chosen: list[Mutant], known: dict[str, str], equivalent: dict[str, str]) -> bool:
    outcomes = Counter(
        "equivalent" if mutant.name in equivalent else known.get(mutant.key, "not run") for mutant in chosen
    )
    tried = outcomes["killed"] + outcomes["timed out"] + outcomes["survived"]
    noticed = outcomes["killed"] + outcomes["timed out"]
    low, high = wilson(noticed, tried)
    share = noticed / tried if tried else 0.0
    print(
        f"{package:8}  {len(chosen) - outcomes['not run']:7}  {outcomes['killed']:6}  {outcomes['timed out']:9}  "
        f"{outcomes['survived']:8}  {outcomes['equivalent']:10}  {share:18.1%}  {low:.1%} to {high:.1%}"
        + (f"  ({outcomes['not run']} not run)" if outcomes["not run"] else "")
    )
    for mutant in sorted(chosen, key=lambda mutant: (mutant.file, mutant.line, mutant.number)):
        if known.get(mutant.key) == "survived" and mutant.name not in equivalent:
            print(f"  survived  {mutant.line:4}  {mutant.name}")
    if share < TARGET:
        print(f"WRONG: of the mutants of {package} {share:.1%} were killed")
    return share >= TARGET


def wilson(hits: int, tries: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    if not tries:
        return 0.0, 1.0
    share, spread = hits / tries, z * z / tries
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / tries + spread / (4 * tries))
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def _serve(package: str, mutants: list[Mutant], plain: bool, state: Path, ends: float) -> None:
    task = {
        "package": package,
        "mutants": [(mutant.file, mutant.number) for mutant in mutants],
        "plain": plain,
        "state": str(state.resolve()),
        "ends": ends,
    }
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT / "src")}
    environment |= {"NUMBA_DISABLE_JIT": "1"} if plain else {}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(task, file)
        file.flush()
        command = [sys.executable, __file__, "--worker", json.dumps({"task": file.name})]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)


def _worker(where: dict[str, str]) -> int:
    import hypothesis
    import pytest

    # Only what finds a failure: a mutant is killed by the first example that fails.
    hypothesis.settings.register_profile(
        "mutants", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], database=None, deadline=None
    )
    hypothesis.settings.load_profile("mutants")
    task = json.loads(Path(where["task"]).read_text(encoding="utf-8"))
    off = [part for name in ("cacheprovider", "warnings", "faulthandler") for part in ("-p", f"no:{name}")]
    arguments = ["-q", "-n", "0", "--tb=no", "--hypothesis-seed=0", *off]
    return int(pytest.main([*arguments, *PACKAGES[task["package"]][1]], plugins=[_Server(task)]))


class _Server:
    """Runs the mutants in place of pytest's own loop over the tests."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.kills: dict[str, Counter[str]] = defaultdict(Counter)
        self.mentions: dict[str, list[tuple[str, int]]] = {}

    def pytest_runtestloop(self, session: Any) -> bool:
        session.config.pluginmanager.unregister(name="terminalreporter")
        self.items = {item.nodeid: item for item in session.items}
        began = time.time()
        _import_everything()
        self.took, self.reached = self._baseline(session)
        print(f"# {len(self.took)} of {len(self.items)} tests, {sum(self.took.values()):.0f} s; "
              f"known after {time.time() - began:.0f} s", file=sys.stderr)  # fmt: skip
        with Path(self.task["state"]).open("a", encoding="utf-8") as state:
            for file, number in self.task["mutants"]:
                if time.time() > self.task["ends"]:
                    break
                mutant = _mutants(file)[number]
                tests = self._tests(mutant)
                began = time.time()
                outcome, killer = self._try(mutant, tests)
                if killer:
                    self.kills[file][killer] += 1
                    self.kills[""][killer] += 1
                row = {"key": mutant.key, "outcome": outcome, "killer": killer, "tests": len(tests)}
                print(json.dumps({**row, "seconds": round(time.time() - began, 2)}), file=state, flush=True)
        return True

    def _baseline(self, session: Any) -> tuple[dict[str, float], dict[str, dict[str, set[int]]]]:
        """Return how long each test takes that passes on the code as it is, and the lines that it reaches."""
        folder = ROOT / SOURCE / self.task["package"]
        stamp = max(path.stat().st_mtime for path in folder.rglob("*") if path.suffix in {".py", ".sql"})
        keys = {name: f"{name} {stamp} {item.path.stat().st_mtime}" for name, item in self.items.items()}
        cache = Path(self.task["state"] + f".{self.task['package']}{'-plain' * self.task['plain']}")
        cache.touch()

        def known() -> dict[str, Any]:
            return dict(json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines())

        def run(names: list[str]) -> int:
            import coverage

            with cache.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as temporary:
                for place, name in enumerate(names):
                    signal.setitimer(signal.ITIMER_PROF, SLOWEST)
                    lines = coverage.Coverage(None, config_file=False, include=[f"{folder}/*"], messages=False)
                    began = time.process_time()
                    lines.start()
                    failed = self._run(session, self.items[name], f"{temporary}/{place}")
                    lines.stop()
                    seconds = time.process_time() - began
                    reached = lines.get_data()
                    found = {file: sorted(reached.lines(file) or ()) for file in sorted(reached.measured_files())}
                    print(json.dumps([keys[name], None if failed else [seconds, found]]), file=file, flush=True)
            return 0

        while True:
            done = known()
            left = [name for name in self.items if keys[name] not in done]
            if not left or time.time() > self.task["ends"]:
                break
            _forked(lambda left=left: run(left[:50]), 3600, HANGS * 10)
            done = known()
            still = [name for name in left[:50] if keys[name] not in done]
            if still:  # it ended in the first of these
                with cache.open("a", encoding="utf-8") as file:
                    print(json.dumps([keys[still[0]], None]), file=file)
        found = {name: done[keys[name]] for name in self.items if keys[name] in done}
        took = {name: one[0] for name, one in found.items() if one}
        reached = {name: {file: set(lines) for file, lines in one[1].items()} for name, one in found.items() if one}
        for name in found.keys() - took.keys():
            print(f"# left out: {name}", file=sys.stderr)
        return took, reached

    def _run(self, session: Any, item: Any, folder: str, then: Any = None) -> int:
        """Run one test in this process, with a folder of its own for temporary files; ``then`` is the next one."""
        factory = session.config._tmp_path_factory
        factory._given_basetemp, factory._basetemp = Path(folder), None
        before = session.testsfailed
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=then)
        return int(session.testsfailed > before)

    def _tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that may notice, the likeliest and quickest first."""
        own = f"/test_{Path(mutant.file).stem}.py::"  # it may look at a constant without reaching a line
        names = list(dict.fromkeys([*self._reaching(mutant), *(name for name in self.took if own in name)]))
        here, anywhere = self.kills[mutant.file], self.kills[""]
        names.sort(key=lambda name: (-here[name], own not in name, -anywhere[name], self.took[name]))
        chosen, total = [], 0.0
        for name in names:
            total += self.took[name]
            if chosen and total > ALL_TESTS:
                break
            chosen.append(name)
        return chosen

    def _reaching(self, mutant: Mutant) -> list[str]:
        if mutant.file.endswith(".sql"):
            places = [place for name in self._built_on(Path(mutant.file).stem) for place in self._mentioning(name)]
            users = [name for name in self.took if any(line in self.reached[name].get(at, ()) for at, line in places)]
            return users or list(self.took)
        file = str(ROOT / mutant.file)
        if not mutant.whole:
            lines = _statement_lines(mutant)
            return [name for name in self.took if self.reached[name].get(file, set()) & lines]
        places = [place for name in mutant.names for place in self._mentioning(name)]
        users = [name for name in self.took if any(line in self.reached[name].get(at, ()) for at, line in places)]
        return users or [name for name in self.took if file in self.reached[name]] or list(self.took)

    def _built_on(self, name: str) -> set[str]:
        """Return the names of this query and of those, among the package's, that mention it or one that does."""
        texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / SOURCE).rglob("*.sql")}
        names, before = {name}, set()
        while names != before:
            before = set(names)
            names |= {stem for stem, text in texts.items() if any(re.search(rf"\b{known}\b", text) for known in before)}
        return names

    def _mentioning(self, name: str) -> list[tuple[str, int]]:
        if name not in self.mentions:
            self.mentions[name] = [
                (str(path), number)
                for path in (ROOT / SOURCE / self.task["package"]).rglob("*.py")
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                if re.search(rf"\b{name}\b", line)
            ]
        return self.mentions[name]

    def _try(self, mutant: Mutant, tests: list[str]) -> tuple[str, str | None]:
        if not tests:
            return "survived", None
        limit = 20 + 5 * sum(self.took[name] for name in tests)
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"

            def run() -> int:
                try:
                    adopt(mutant)
                except BaseException as error:  # it does not even import
                    log.write_text(f"import: {type(error).__name__}", encoding="utf-8")
                    return 1
                session = next(iter(self.items.values())).session
                for place, name in enumerate(tests):
                    log.write_text(name, encoding="utf-8")
                    signal.setitimer(signal.ITIMER_PROF, 5 + 5 * self.took[name])
                    then = self.items[tests[place + 1]] if place + 1 < len(tests) else None
                    if self._run(session, self.items[name], str(Path(folder) / str(place)), then):
                        return 1
                return 0

            code, _ = _forked(run, limit)
            killer = log.read_text(encoding="utf-8") if log.exists() else None
        if code == 0:
            return "survived", None
        return ("timed out" if code in {-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL} else "killed"), killer


def _forked(run: Any, seconds: float, hangs: float = HANGS) -> tuple[int, float]:
    """Run a function in a fork; return its result, or minus the signal that ended it, and its processor seconds."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setpgid(0, 0)
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), math.ceil(seconds) + 5))
            code = run()
        finally:
            os._exit(code)
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    ends = time.time() + hangs
    pause = 0.002
    done = 0
    while not done:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if not done and time.time() > ends:
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)
            done, status, usage = os.wait4(child, 0)
        elif not done:
            time.sleep(pause)
            pause = min(0.1, pause * 1.5)
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)  # what it may have started
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


_MADE: dict[str, list[Mutant]] = {}


def _mutants(file: str) -> list[Mutant]:
    if file not in _MADE:
        _MADE[file] = mutants_of(ROOT, file)
    return _MADE[file]


def _statement_lines(mutant: Mutant) -> set[int]:
    """Return the lines of the statement that the change is in; of one with a body, those before the body."""
    tree = ast.parse((ROOT / mutant.file).read_text(encoding="utf-8"))
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and node.lineno <= mutant.line <= (node.end_lineno or node.lineno)
    ]
    inner = max(around, key=lambda node: (node.lineno, -(node.end_lineno or node.lineno)))
    last = inner.end_lineno or inner.lineno
    if body := getattr(inner, "body", None):
        last = max(inner.lineno, body[0].lineno - 1)
    return set(range(inner.lineno, last + 1))


def _import_everything() -> None:
    """Import what forks would each import anew."""
    import provenance

    for module in pkgutil.walk_packages(provenance.__path__, "provenance."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def adopt(mutant: Mutant) -> None:
    """Let the loaded package behave as if it had been imported from the changed file."""
    path = ROOT / mutant.file
    text = path.read_text(encoding="utf-8")
    if mutant.file.endswith(".sql"):
        reads = pathlib.Path.read_text

        def read_text(self: Path, *arguments: Any, **named: Any) -> str:
            return mutant.text if str(self) == str(path) else reads(self, *arguments, **named)

        pathlib.Path.read_text = read_text  # type: ignore[method-assign]
        return
    name = ".".join(Path(mutant.file).with_suffix("").parts[1:]).removesuffix(".__init__")
    __import__(name)
    module = sys.modules[name]
    space = {"__builtins__": builtins, "__name__": name, "__file__": str(path), "__package__": module.__package__}
    space["__spec__"] = module.__spec__
    code = compile(mutated_tree(text, mutant.number), str(path), "exec", dont_inherit=True)
    holder = types.ModuleType(name)
    holder.__dict__.update(space)
    sys.modules[name] = holder  # dataclasses look their module up
    exec(code, holder.__dict__)
    sys.modules[name] = module
    _take_over(vars(module), vars(holder), name, module)


def _take_over(old: Any, new: dict[str, Any], module: str, owner: Any) -> None:
    for name, value in list(new.items()):
        before = old.get(name)
        if name.startswith("__") and not callable(value):
            continue
        if isinstance(value, type):
            if value.__module__ == module and isinstance(before, type):
                _take_over(dict(vars(before)), dict(vars(value)), module, before)
            continue
        ours, theirs = list(_code_of(before)), list(_code_of(value))
        if ours and theirs:
            for mine, other in zip(ours, theirs, strict=False):
                if other.__module__ == module:
                    mine.__defaults__, mine.__kwdefaults__ = other.__defaults__, other.__kwdefaults__
                    if mine.__code__ != other.__code__ and mine.__code__.co_freevars == other.__code__.co_freevars:
                        mine.__code__ = other.__code__
        elif repr(before) != repr(value) and " at 0x" not in repr(value) and not callable(value):
            _rebind(owner, name, before, value)


def _rebind(owner: Any, name: str, before: object, value: object) -> None:
    if isinstance(owner, type):
        with contextlib.suppress(AttributeError, TypeError):
            setattr(owner, name, value)
        return
    for other in list(sys.modules.values()):
        space = getattr(other, "__dict__", {})
        ours = str(space.get("__name__", "")).startswith("provenance")
        if other is owner or (ours and name in space and space[name] is before):
            setattr(other, name, value)


def _code_of(value: Any) -> Iterator[types.FunctionType]:
    """Give the functions behind a function, method, property or whatever a decorator made of one."""
    for _ in range(5):
        if isinstance(value, types.FunctionType):
            yield value
        inner = [getattr(value, name, None) for name in ("__wrapped__", "__func__", "fget", "func", "py_func")]
        value = next((one for one in inner if one is not None), None)
        if value is None:
            return


if __name__ == "__main__":
    raise SystemExit(main())
