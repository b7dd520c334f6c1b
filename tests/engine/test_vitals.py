"""What a process uses: from /proc, and from `ps` where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from provenance.engine import vitals


@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="needs ps")
def test_ps_says_what_proc_says() -> None:
    sum(range(3_000_000))
    found, known = vitals._from_ps(os.getpid()), vitals._from_proc(os.getpid())
    assert found is not None
    assert known is not None
    assert abs(found.cpu - known.cpu) <= 2
    assert found.memory >= known.memory // 2  # ps counts mapped files, too
    assert vitals._from_ps(2**22 + 1) is None


@pytest.mark.parametrize(
    ("clock", "seconds"), [("00:01:02", 62), ("2-03:04:05", 183_845), ("12:30", 750), ("0:01.50", 1.5)]
)
def test_clocks_of_every_system_are_read(monkeypatch: pytest.MonkeyPatch, clock: str, seconds: float) -> None:
    class Said:
        stdout = f" {clock} 2048\n"

    monkeypatch.setattr(vitals.subprocess, "run", lambda *_, **__: Said)
    assert vitals._from_ps(1) == vitals.Vitals(seconds, 2048 * 1024)
