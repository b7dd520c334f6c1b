"""Tables, JSON, sizes and the bar: what a person and a program can rely on whatever the values are."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal

import pytest

from provenance.cli import output


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (2_500_000, "2.5 MB"), (7.2e9, "7.2 GB"), (3e15, "3,000.0 TB")],
)
def test_sizes(count, said):
    assert output.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (12_000, "3 h 20 min"), (259_200, "3 days")],
)
def test_durations(seconds, said):
    assert output.duration(seconds) == said


def test_json_of_what_json_lacks():
    value = {"b": b"\x00\xff", "whole": Decimal("7"), "part": Decimal("7.5"), "set": {"z", "a"}, "far": [float("inf")]}
    assert json.loads(output.as_json(value)) == {
        "b": "00ff",
        "whole": 7,
        "part": 7.5,
        "set": ["a", "z"],
        "far": [None],
    }


def test_cells_of_a_table(capsys):
    output.table(("yes", "n", "x", "long"), [(True, Decimal("12345"), 0.123456, "y" * 4001)])
    said = " ".join(capsys.readouterr().out.split())
    assert "yes 12,345 0.1235 y" in said
    assert "(4,001" in said


def test_a_narrow_terminal_gets_one_value_a_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "12")
    output.answer(("first", "second"), [(1, 2)])
    assert capsys.readouterr().out.split() == ["row", "1", "first", "1", "second", "2"]


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self):
        return True


def test_the_bar_is_for_who_watches(monkeypatch):
    with output.progress("scan") as nobody:
        assert nobody is None
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with output.progress("scan") as told:
        told(500_000, 1_000_000, 1234)
        told(1_000_000, 1_000_000, 5678)
    assert "scan" in screen.getvalue()
    assert "5,678 records" in screen.getvalue()
