"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party data that stands beside a developer's checkout."""
    folder = Path(os.environ.get("PROVENANCE_SHARED", CHECKOUT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the third-party data folder, which is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def sample() -> Path:
    """The sample crawl that ships with the project."""
    return CHECKOUT / "data" / "sample"
