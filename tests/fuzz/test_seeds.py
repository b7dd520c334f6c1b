"""What fuzzing starts from, and what it once found, passes every check that fuzzing makes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("torture_fuzz", ROOT / "benchmarks" / "torture" / "fuzz.py")
FUZZ = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = FUZZ
SPEC.loader.exec_module(FUZZ)


@pytest.mark.parametrize("target", FUZZ.TARGETS)
def test_seeds(target):
    for content in FUZZ.seeds(target):
        FUZZ.TARGETS[target].check(content)
