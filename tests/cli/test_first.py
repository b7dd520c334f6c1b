"""The first run on a machine says why nothing is to be seen; later ones don't."""

from __future__ import annotations

import os
import sys

import pytest

from provenance.cli import first

NAME = f"kernel.f-1.py{sys.version_info.major}{sys.version_info.minor}.nbi"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    path = tmp_path / "tokens" / "kernel.py"
    path.parent.mkdir()
    path.write_text("")
    os.utime(path, (1000, 1000))
    return path


@pytest.mark.parametrize("place", ["tokens/__pycache__", "cache/numba/tokens_ab12", "own/tokens_ab12"])
def test_a_kernel_is_compiled_where_numba_has_kept_it(kernel, tmp_path, monkeypatch, place):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "own"))
    assert not first.is_compiled(kernel)
    kept = tmp_path / place / NAME
    kept.parent.mkdir(parents=True)
    kept.write_text("")
    assert first.is_compiled(kernel)
    os.utime(kept, (999, 999))  # of an older kernel
    assert not first.is_compiled(kernel)


def test_another_pythons_do_not_count(kernel):
    (kernel.parent / "__pycache__").mkdir()
    (kernel.parent / "__pycache__" / "kernel.f-1.py27.nbi").write_text("")
    assert not first.is_compiled(kernel)


def test_it_is_said_to_who_watches(kernel, monkeypatch, capsys):
    monkeypatch.setattr(first, "_KERNEL", kernel)
    first.say_if_compiling()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    first.say_if_compiling()
    assert "once for this machine" in capsys.readouterr().err
