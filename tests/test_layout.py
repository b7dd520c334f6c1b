"""The shape of the package: who may import whom, how long a file may be, what no file may do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "provenance"

ORDER = (
    "errors",
    "bounded",
    "escapes",
    "lean",
    "schema",
    "policy",
    "rights",
    "text",
    "readers",
    "fingerprint",
    "diversity",
    "index",
    "classifier",
    "evidence",
    "verdict",
    "store",
    "lineage",
    "engine",
    "pipeline",
    "report",
    "integrations",
    "cli",
)
"""A package may import those before it; ``provenance/__init__.py`` stands above all."""

LONGEST = 420
HEAVY = ("numba", "pyarrow", "duckdb", "polars", "scipy", "resiliparse", "fastwarc", "datasketch", "rich")
RUNS_WHAT_IT_READS = {
    *("pickle", "cPickle", "_pickle", "pickle5", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle"),
    *("torch", "runpy", "code", "codeop"),
}
CALLS_THAT_RUN = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all"),
}
METHODS_THAT_RUN = {"read_pickle", "to_pickle", "unsafe_load"}
FILES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def part_of(path: Path) -> str | None:
    """The entry of ORDER that a file belongs to; None for the package's own front door."""
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return None if first in {"__init__", "__main__"} else first


def imported_parts(path: Path, tree: ast.AST) -> set[str]:
    """The parts of the package that a file imports anywhere, also inside functions."""
    package = ("provenance", *path.relative_to(SOURCE).parent.parts)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            modules = [f"{stem}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            pieces = module.split(".")
            if pieces[0] == "provenance" and len(pieces) > 1 and pieces[1] in ORDER:
                found.add(pieces[1])
    return found


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 20


def test_every_module_has_a_place_in_the_order() -> None:
    assert {part for path in FILES if (part := part_of(path)) is not None} <= set(ORDER)


def test_imports_run_upward_only(trees: dict[Path, ast.Module]) -> None:
    wrong = [
        f"{name_of(path)} imports {other}"
        for path, tree in trees.items()
        if (part := part_of(path)) is not None
        for other in sorted(imported_parts(path, tree))
        if ORDER.index(other) > ORDER.index(part)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("place", "statement", "part"),
    [
        ("store/parts.py", "from provenance.pipeline import scan", "pipeline"),
        ("store/parts.py", "from provenance import cli", "cli"),
        ("store/parts.py", "from ..pipeline.scan import scan", "pipeline"),
        ("store/parts.py", "def f():\n    import provenance.report", "report"),
        ("store/parts.py", "import provenance_tools.cli", None),
    ],
)
def test_each_way_to_import_is_seen(place: str, statement: str, part: str | None) -> None:
    assert imported_parts(SOURCE / place, ast.parse(statement)) == ({part} if part else set())


def test_no_file_holds_two_ideas() -> None:
    texts = [*FILES, *sorted(SOURCE.rglob("*.sql"))]
    long = {name_of(path): lines for path in texts if (lines := path.read_text(encoding="utf-8").count("\n")) > LONGEST}
    assert long == {}


def forbidden(tree: ast.AST) -> list[str]:
    """What a file does that could run what it reads."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in RUNS_WHAT_IT_READS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in RUNS_WHAT_IT_READS:
            found.append(node.module or "")
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS_THAT_RUN or called.split(".")[-1] in METHODS_THAT_RUN:
                found.append(called)
            for keyword in node.keywords:
                is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in {"allow_pickle", "shell"} and not is_false:
                    found.append(f"{called}({keyword.arg}=…)")
    return found


def test_nothing_runs_what_it_reads(trees: dict[Path, ast.Module]) -> None:
    assert {name_of(path): found for path, tree in trees.items() if (found := forbidden(tree))} == {}


@pytest.mark.parametrize(
    "statement",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "yaml.load(stream)",
        "numpy.load(path, allow_pickle=True)",
        "numpy.load(path, allow_pickle=trusted)",
        "import marshal",
        "import shelve",
        "import dill as d",
        "def f():\n    from torch import load",
        "pandas.read_pickle(path)",
        "yaml.full_load(stream)",
        "compile(text, '', 'exec')",
        "subprocess.run(line, shell=True)",
    ],
)
def test_what_would_run_it_is_seen(statement: str) -> None:
    assert forbidden(ast.parse(statement)) != []


def test_numba_is_imported_by_kernels_only(trees: dict[Path, ast.Module]) -> None:
    users = {
        path.name
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "numba" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba")
    }
    assert users <= {"kernel.py"}


@pytest.mark.parametrize("module", ["provenance", "provenance.cli", "provenance.cli.app"])
def test_importing_is_light(module: str) -> None:
    """``provenance --help`` has to answer at once, so nothing heavy may load before it is needed."""
    program = f"import sys, {module}\nprint(*sorted(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_database_draws_a_progress_bar():
    """DuckDB draws on stdout: connections that are asked anything come from `store.catalogue.quiet`."""
    opened = {
        name_of(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
    }
    assert opened <= {"store/catalogue.py", "store/store.py"}  # the store keeps one that is never asked
    from provenance.store.catalogue import quiet

    with quiet() as connection:
        assert connection.execute("select current_setting('enable_progress_bar')").fetchall() == [(False,)]
