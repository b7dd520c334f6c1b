"""Caps are what the documentation says, and are kept to the unit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provenance.errors import SourceError
from provenance.readers import ReadOptions, Tally

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def test_defaults_are_documented():
    text = (Path(__file__).parents[2] / "docs" / "readers.md").read_text(encoding="utf-8")
    documented = {}
    for names, values in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]+) \|", text.partition("## Caps")[2], re.M):
        for name, value in zip(names.split(", "), values.split("; "), strict=False):
            number, _, unit = value.strip().partition(" ")
            documented[name.strip("`")] = int(number.replace(",", "")) * UNITS[unit]
    options = ReadOptions()
    assert {name: getattr(options, name) for name in documented if hasattr(options, name)} == documented
    assert set(documented) == {name for name in ReadOptions.__dataclass_fields__ if not name.endswith("_column")}


def test_one_reject_more_than_the_cap_ends_the_source():
    tally, options = Tally(), ReadOptions(max_rejects=3)
    for position in range(3):
        tally.reject(position, "bad-line", "x" * 600, options)
    with pytest.raises(SourceError, match="More than 3 units"):
        tally.reject(3, "bad-line", "", options)
    assert {len(reject.detail) for reject in tally.rejects[:3]} == {500}


def test_a_unit_that_broke_a_parser_is_a_reject_and_others_are_taken():
    told = []
    tally = Tally(watch=told.append, given_up={7: ("crash", "it ended the process")})
    assert tally.takes(6, ReadOptions())
    assert not tally.takes(7, ReadOptions())
    tally.rests()
    assert told == [6, 7, None]
    assert tally.rejects == [(7, "crash", "it ended the process")]
    tally.records, tally.skipped["dns"] = 2, 3
    assert tally.read == 6
