"""Fingerprints: what is kept of a text so that its copies can be found later."""

from __future__ import annotations

from provenance.fingerprint.fingerprints import Fingerprints, fingerprint
from provenance.fingerprint.identity import content_checks, content_ids
from provenance.fingerprint.minhash import (
    BANDS,
    NUM_PERM,
    ROWS,
    SEED,
    SHINGLE_TOKENS,
    band_keys,
    jaccard,
    shingle_hash,
)
from provenance.fingerprint.packing import StoredFingerprints, pack, unpack
from provenance.fingerprint.passages import PASSAGE_TOKENS, PASSAGE_WINDOW, passage_hash
from provenance.fingerprint.sketches import from_datasketch, signatures, to_datasketch

__all__ = [
    "BANDS",
    "NUM_PERM",
    "PASSAGE_TOKENS",
    "PASSAGE_WINDOW",
    "ROWS",
    "SEED",
    "SHINGLE_TOKENS",
    "Fingerprints",
    "StoredFingerprints",
    "band_keys",
    "content_checks",
    "content_ids",
    "fingerprint",
    "from_datasketch",
    "jaccard",
    "pack",
    "passage_hash",
    "shingle_hash",
    "signatures",
    "to_datasketch",
    "unpack",
]
