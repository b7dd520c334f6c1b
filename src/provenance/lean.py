"""Leave out packages that others load wherever they find them, and that no command needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Final

_UNUSED: Final = frozenset({"coverage", "pandas", "scipy"})
"""Arrow loads pandas with the first list that it converts, numba the others: 0.6 s, and nothing here asks them."""


class _Unseen(MetaPathFinder):
    def find_spec(self, fullname: str, _: Sequence[str] | None, __: ModuleType | None = None) -> None:
        """Say of the packages that are left out that they are not installed."""
        if fullname in _UNUSED:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)


def leave_out_unused() -> None:
    """Let this process, which must be one of ours and not a user's, do without packages that it does not use."""
    sys.meta_path.insert(0, _Unseen())
