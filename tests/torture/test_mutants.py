"""The makers of mutants: what they change, and that a change takes effect in what is loaded."""

from __future__ import annotations

import ast
import importlib
import sys
import textwrap
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "torture"

PYTHON = '''
"""What it is."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import os
LEAST: int = 3

def within(values: list[int], most: int = 9) -> list[int]:
    """Say which."""
    found = []
    for value in values:
        if not value:
            continue
        if LEAST <= value < most and value % 2 == 1:
            found.append(value + 1)
    return found
'''
SQL = """-- What it is, and 1 more.
create or replace view v as
select a, coalesce(b, 0) as b, count(*) from t left join u on u.a = t.a and u.x between 1 and 5
where t.x > 3 and t.y is not null
"""


@pytest.fixture
def makers(part, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return part("mutations")


@pytest.fixture
def server(part, makers, monkeypatch):
    monkeypatch.setitem(sys.modules, "mutations", makers)
    return part("mutants")


def made(makers, tmp_path, name, text):
    (tmp_path / name).write_text(textwrap.dedent(text))
    return makers.mutants_of(tmp_path, name)


def test_each_mutant_of_python_is_another_program(makers, tmp_path):
    mutants = made(makers, tmp_path, "m.py", PYTHON)
    changes = [mutant.change for mutant in mutants]
    assert changes == [
        *("3 -> 4", "3 -> 2", "9 -> 10", "9 -> 8", "negated: not value", "dropped not: not value", "continue -> break"),
        "negated: LEAST <= value < most and value % 2 == 1",
        "LEAST <= value < most and value % 2 == 1 -> or",
        *("LEAST <= value -> <", "value < most -> <=", "value % 2 == 1 -> !=", "value % 2 -> //"),
        *("2 -> 3", "2 -> 1", "1 -> 2", "1 -> 0", "removed: found.append(value + 1)", "value + 1 -> -", "1 -> 2"),
        *("1 -> 0", "returns nothing: return found"),
    ]
    assert [mutant.whole for mutant in mutants] == [True] * 4 + [False] * 18
    programs = {ast.unparse(makers.mutated_tree(PYTHON, mutant.number)) for mutant in mutants}
    assert len(programs) == len(mutants)
    assert ast.unparse(ast.parse(PYTHON)) not in programs
    assert mutants[0].names == ("LEAST",)


def test_each_mutant_of_sql_is_another_query(makers, tmp_path):
    mutants = made(makers, tmp_path, "m.sql", SQL)
    changes = [mutant.change.split(" in: ")[0] for mutant in mutants]
    assert changes == [
        *("coalesce dropped: b", "0 -> 1", "0 -> -1", "left -> dropped"),
        *("predicate dropped: u.a = t.a", "= -> <>", "and -> or", "predicate dropped: u.x between 1 and 5"),
        *("1 -> 2", "1 -> 0", "5 -> 6", "5 -> 4"),
        *("predicate dropped: t.x > 3", "> -> >=", "3 -> 4", "3 -> 2", "and -> or"),
        *("predicate dropped: t.y is not null", "is not -> is"),
    ]
    assert len({mutant.text for mutant in mutants}) == len(mutants)
    assert all(mutant.text.startswith("-- What it is, and 1 more.") for mutant in mutants)


def test_a_change_takes_effect_in_what_is_loaded(server, makers, tmp_path, monkeypatch):
    folder = tmp_path / "src" / "provenance_loaded"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "m.py").write_text(PYTHON)
    (folder / "user.py").write_text("from provenance_loaded.m import LEAST, within\n")
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.setattr(server, "ROOT", tmp_path)
    from provenance_loaded import user

    file = "src/provenance_loaded/m.py"
    expected = {"3 -> 4": [6, 8], "9 -> 10": [4, 6, 8, 10], "value + 1 -> -": [2, 4, 6], "returns nothing": None}
    for change, result in expected.items():
        (mutant,) = (one for one in makers.mutants_of(tmp_path, file) if one.change.startswith(change))
        server.adopt(mutant)
        assert user.within([0, 1, 2, 3, 4, 5, 7, 9]) == result
        for name in ("m", "user"):
            importlib.reload(sys.modules[f"provenance_loaded.{name}"])


def test_the_interval_is_wilsons(server):
    low, high = server.wilson(85, 100)
    assert (round(low, 4), round(high, 4)) == (0.7672, 0.9069)
    assert server.wilson(0, 0) == (0.0, 1.0)
