from __future__ import annotations

import ast
import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from numba import njit

from provenance.text.utf8 import kernel

SOURCE = Path(kernel.__file__).parents[2]
ENTRIES = (
    "classifier/families/kernel.py",
    "classifier/kernel.py",
    "classifier/scoring/kernel.py",
    "classifier/training/kernel.py",
    "fingerprint/kernel.py",
    "text/flaws/kernel.py",
    "text/fragments/kernel.py",
    "text/kernel.py",
    "text/language/kernel.py",
    "text/page/choice/kernel.py",
    "text/page/kernel.py",
    "text/page/seek/kernel.py",
    "text/prose/flow/kernel.py",
    "text/prose/kernel.py",
    "text/tokens/kernel.py",
)
KERNEL = """
from provenance.text.utf8.kernel import entry

@entry
def double(value):
    return 2 * value
"""


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    """Load what numba loads late, while this process may read all of Python's own folders."""
    njit(lambda value: value)(1)


def load(folder: Path) -> ModuleType:
    """A kernel of its own, in a folder that is writable for nobody once this returns its file's module."""
    path = folder / "package" / "kernel.py"
    path.parent.mkdir()
    path.write_text(KERNEL)
    path.parent.chmod(0o555)
    spec = importlib.util.spec_from_file_location("frozen_kernel", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_machine_code_goes_to_the_user_where_the_package_cannot_be_written(
    bound_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(bound_folder / "cache"))
    double = load(bound_folder).double
    assert double(21) == 42
    assert list((bound_folder / "cache").rglob("*.nbc"))
    assert not list((bound_folder / "package").rglob("*.nbc"))


def test_without_any_place_for_machine_code_kernels_still_run(
    bound_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(bound_folder / "package" / "cache"))
    assert load(bound_folder).double(21) == 42
    assert not list(bound_folder.rglob("*.nbc"))


def kernels_in(path: Path) -> set[Path]:
    """The kernel files whose code a kernel file holds."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("provenance.") and node.level == 0:
            imported = SOURCE.joinpath(*str(node.module).split(".")[1:]).with_suffix(".py")
            if imported.name == "kernel.py":
                found |= {imported} | kernels_in(imported)
    return found


@pytest.mark.parametrize("name", ENTRIES)
def test_a_kernel_file_changes_when_code_that_is_compiled_into_it_changes(name: str) -> None:
    """Numba asks for the text of the entry's own file only: without this an upgrade could run old machine code."""
    path = SOURCE / name
    parts = [
        f"{part.relative_to(SOURCE).as_posix()} {hashlib.sha256(part.read_bytes()).hexdigest()[:8]}"
        for part in sorted(kernels_in(path))
    ]
    line = f"# Compiled in: {', '.join(parts)}"
    assert line in path.read_text().splitlines(), f"put this line into {name}: {line}"
