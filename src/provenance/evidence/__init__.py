"""Evidence: one file for each kind of reason to believe that a person or a model wrote a record.

`markers` and `declared` read a batch and are stored with the observation. ``dated.sql``, ``matched.sql`` and
``style.sql`` follow from other columns under a policy: macros that the verdict and the ``records`` view share.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

_DERIVED: Final = ("dated", "matched", "style")


def macros() -> str:
    """Return the SQL text that creates the macros of the kinds that follow from other columns."""
    folder = resources.files(__package__)
    return "\n".join(folder.joinpath(f"{kind}.sql").read_text(encoding="utf-8") for kind in _DERIVED)
