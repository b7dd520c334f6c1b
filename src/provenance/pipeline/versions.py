"""The versions of everything that an observation depends on, recorded with every scan."""

from __future__ import annotations

from functools import cache
from pathlib import Path


def versions(style_model: Path | None = None) -> dict[str, str]:
    """Return the version of each part that decides what is seen in a record.

    Two scans with the same versions see the same things in the same input; a change of any makes another
    scan.

    Args:
        style_model: A model file in place of the one that ships.

    Raises:
        ModelError: If it can't be used.
    """
    from provenance.classifier import StyleModel

    if style_model is None:
        return _shipped()
    return {**_shipped(), "style": StyleModel.load(style_model).version}


@cache
def _shipped() -> dict[str, str]:
    from provenance import schema
    from provenance.classifier import StyleModel
    from provenance.classifier.families.model import FamilyModel
    from provenance.evidence import declared, markers
    from provenance.text import language, prose
    from provenance.text.fold import NORMALISER_VERSION
    from provenance.text.html import EXTRACTOR_VERSION

    return {
        "schema": str(schema.SCHEMA_VERSION),
        "normaliser": NORMALISER_VERSION,
        "extractor": EXTRACTOR_VERSION,
        "language": language.VERSION,
        "prose": prose.VERSION,
        "markers": markers.VERSION,
        "declared": declared.VERSION,
        "style": StyleModel.load().version,
        "families": FamilyModel.load().version,
    }
