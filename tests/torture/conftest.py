"""The parts of the torture, as modules."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def part() -> Callable[[str], ModuleType]:
    """Loads ``benchmarks/torture/NAME.py``."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).resolve().parents[2] / "benchmarks" / "torture" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"torture_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load
