"""One changed byte costs one record at most, by a count that shares no code with the reader."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def torture(part):
    return part("bytes")


def test_one_changed_byte(torture, tmp_path):
    figures = torture.run(250, 5, tmp_path)
    assert sum(seen.files for seen in figures.values()) > 240
    assert [what for seen in figures.values() for what in seen.found] == []


def test_a_lost_record_is_found(torture, tmp_path, monkeypatch):
    original = torture.read

    def forgetful(path, content):
        rows, tally = original(path, content)
        return rows[2:], tally

    monkeypatch.setattr(torture, "read", forgetful)
    figures = torture.run(10, 5, tmp_path)
    assert any(seen.found for seen in figures.values())
