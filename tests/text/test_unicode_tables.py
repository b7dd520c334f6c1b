from __future__ import annotations

import runpy
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from provenance.text.fold import NORMALISER_VERSION
from provenance.text.unicode_tables import unicode_tables

SCRIPT = Path(__file__).parents[2] / "scripts" / "make-unicode-tables"
SHIPPED = Path(sys.modules["provenance.text.unicode_tables"].__file__ or "").with_suffix(".npz")


def test_the_version_is_part_of_the_normalisers() -> None:
    version = bytes(np.load(SHIPPED)["unicode_version"]).decode()
    assert NORMALISER_VERSION.endswith(f"unicode{version.removesuffix('.0')}")


def test_eight_bytes_can_be_read_from_every_mapping() -> None:
    tables = unicode_tables()
    assert len(tables.composed) == tables.composed_offsets[-1] + 8


def test_short_mappings_hold_a_space_in_front_only() -> None:
    """The kernel copies mappings of four bytes without looking for white space to collapse."""
    tables = unicode_tables()
    for start, end in zip(tables.composed_offsets[:-1], tables.composed_offsets[1:], strict=True):
        mapping = tables.composed[start:end].tobytes()
        assert len(mapping) > 4 or b" " not in mapping[1:]


@pytest.mark.skipif(unicodedata.unidata_version != "15.1.0", reason="the tables are made by Python 3.13")
def test_the_script_makes_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "tables.npz"
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(made)])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert made.read_bytes() == SHIPPED.read_bytes()
