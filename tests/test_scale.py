"""The page on scale shows what its script prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "scale-paper"


def printed(*arguments: str) -> str:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True).stdout


def test_page_and_script_agree() -> None:
    assert printed().strip() in (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_a_figure_can_be_replaced() -> None:
    assert "| machines that hold the postings in memory | postings / (0.9 × machine_memory) | 12 |" in printed(
        "machine_memory=100e9"
    )
    done = subprocess.run([sys.executable, str(SCRIPT), "speed=1"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no figure speed" in done.stderr
