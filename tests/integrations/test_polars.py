from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

import provenance  # noqa: F401 - the import under test
from provenance import Detector

TEXTS = ["Too short to say.", "def f(x):\n    return x + 1\n" * 20, None]


@pytest.mark.parametrize("lazy", [False, True])
def test_the_namespace_tags_as_the_detector_does(lazy):
    frame = pl.DataFrame({"text": TEXTS, "year": ["2015-01-01", None, None], "tag": ["old", "old", "old"]})
    if lazy:
        tagged = frame.lazy().provenance.tag("text", captured_at="year").collect()
    else:
        tagged = frame.provenance.tag("text", captured_at="year")
    wanted = Detector().tag(TEXTS, captured_at=["2015-01-01", None, None])
    assert tagged.columns == ["text", "year", "tag", "reason", "score"]
    for name in ("tag", "reason", "score"):
        assert tagged[name].to_list() == wanted.column(name).to_pylist()
    assert tagged["reason"].to_list()[0] == "dated"


@pytest.mark.parametrize("order", ["import provenance, polars", "import polars, provenance"])
def test_either_import_order_registers_it_and_provenance_alone_does_not_load_polars(order):
    first = "" if order.startswith("import polars") else "import provenance\nassert 'polars' not in sys.modules\n"
    code = f"import sys\n{first}{order}\nassert polars.DataFrame().provenance"
    subprocess.run([sys.executable, "-c", code], check=True)
