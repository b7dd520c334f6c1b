from __future__ import annotations

import json
import subprocess
import sys

import pytest

SCAN = """
import sys
from provenance.cli import main
try:
    main()
finally:
    print(*(name for name in ("pandas", "scipy", "provenance.pipeline.dedup") if name in sys.modules), file=sys.stderr)
"""


def test_a_command_loads_no_package_that_it_does_not_need(tmp_path):
    pytest.importorskip("scipy")  # installed, or nothing is shown
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "It rained all day, and we stayed at home and read."}) + "\n")
    line = [sys.executable, "-c", SCAN, "scan", "a.jsonl", "--store", "s"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "1 records" in done.stdout
    assert done.stderr.strip() == ""
    line[2] = "from provenance.lean import leave_out_unused; leave_out_unused(); import scipy"
    assert "left out" in subprocess.run(line, capture_output=True, text=True, check=False).stderr
