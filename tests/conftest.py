"""Fixtures that every test may use: the data folders, and rows as a scan would have observed them."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from provenance import policy, schema
from provenance.store import Store, door, write_part

if "COVERAGE_PROCESS_CONFIG" in os.environ:  # the SQL door's process, which inherits nothing else, is measured too
    door._KEPT_ENVIRONMENT = (*door._KEPT_ENVIRONMENT, "COVERAGE_PROCESS_CONFIG")  # type: ignore[misc]

CHECKOUT = Path(__file__).resolve().parent.parent
NOBODY = 65534
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


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


def _observation(record_id: str, scan_id: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "record_id": record_id,
        "content_id": "c" + record_id,
        "scan_id": scan_id,
        "source_id": "src",
        "position": 0,
        "date_origin": "container",
        "captured_at": dt.datetime(2024, 6, 1, tzinfo=dt.UTC),
        "language": "en",
        "text_kind": "prose",
        "chars": 500,
        "words": 100,
        "recovered": False,
        "evidence": [],
    }
    return {**{field.name: None for field in schema.OBSERVATIONS}, **row, **more}


@pytest.fixture
def bound_folder() -> Iterator[Path]:
    """A folder of a user whom permissions bind; where the tests run as root, they run as nobody meanwhile."""
    with tempfile.TemporaryDirectory(prefix="provenance-bound-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield folder
        finally:
            os.setresuid(0, 0, 0)


@pytest.fixture
def observations() -> Callable[..., pa.Table]:
    """Return a maker of observation tables: ``observations("scan", "r1", "r2", words=40)``."""

    def make(scan_id: str, *record_ids: str, **more: Any) -> pa.Table:
        return pa.Table.from_pylist([_observation(r, scan_id, **more) for r in record_ids], schema=schema.OBSERVATIONS)

    return make


@pytest.fixture
def match() -> Callable[..., dict[str, Any]]:
    """Return a maker of match rows; ``words=(a, b)`` are the record's words from a to b."""

    def make(
        scan_id: str, record_id: str, set_id: str, words: tuple[int, int], of: int = 100, **more: Any
    ) -> dict[str, Any]:
        bits = "".join("1" if words[0] <= i < words[1] else "0" for i in range((of + 7) // 8 * 8))
        row = {
            "record_id": record_id,
            "scan_id": scan_id,
            "reference_id": f"{set_id}-ref",
            "set_id": set_id,
            "tier": "passage",
            "share": (words[1] - words[0]) / of,
            "reference_share": 0.5,
            "matched_words": words[1] - words[0],
            "spans": [],
            "cover": int(bits, 2).to_bytes(len(bits) // 8, "big"),
            "verified": True,
            "recorded_at": NOW,
        }
        return {**row, **more}

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store.create(tmp_path / "store")


@pytest.fixture
def fill() -> Callable[..., None]:
    """Return a function that publishes a scan's rows under the default policy."""

    def publish(store: Store, rows: pa.Table, matches: list[dict[str, Any]] | None = None) -> None:
        scan_id = rows["scan_id"][0].as_py()
        parts = [write_part(store.root, "observations", scan_id, "0", rows)]
        if matches:
            table = pa.Table.from_pylist(matches, schema=schema.MATCHES)
            parts.append(write_part(store.root, "matches", scan_id, "0", table))
        with store.commit("scan") as commit:
            policy_id = commit.add_policy(policy.load("default"))
            commit.insert(
                "scans", [{"scan_id": scan_id, "name": f"scan of {scan_id}", "state": "finished", "started_at": NOW}]
            )
            commit.insert("scan_policies", [{"scan_id": scan_id, "policy_id": policy_id}])
            source = {"source_id": "src", "scan_id": scan_id, "uri": "a.warc", "read": rows.num_rows}
            commit.insert("sources", [{**source, "records": rows.num_rows, "rejects": 0, "skipped": 0}])
            for part in parts:
                commit.add_part(part)

    return publish
