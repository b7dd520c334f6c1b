"""The store: immutable Parquet parts, and a DuckDB catalogue that is published by an atomic pointer swap."""

from __future__ import annotations

from provenance.store.parts import PartFile, write_part
from provenance.store.store import Commit, Store
from provenance.store.verify import VerifyReport

__all__ = ["Commit", "PartFile", "Store", "VerifyReport", "write_part"]
