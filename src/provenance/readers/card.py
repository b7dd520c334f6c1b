"""What a Hugging Face dataset card says about the files beside it.

Only the YAML front matter of ``README.md`` is looked at, and of it only a few top-level keys, so a reader of
a dozen lines does: scalars, ``[a, b]`` lists and ``- a`` lists of strings. Anything else of YAML is passed over.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

from provenance.readers.options import Source

KEYS: Final = frozenset({"language_creators", "annotations_creators", "tags", "license", "licence"})
_TELLING_TAG: Final = re.compile(r"synthetic|generated|distill|artificial", re.IGNORECASE)
_ITEM: Final = re.compile(r"\s*+-\s++(?P<value>[^:]++)")
_KEY: Final = re.compile(r"[A-Za-z_]+")
_COMMENT: Final = re.compile(r"\s#")
"""None of them goes back over what it took: a line of spaces would take minutes."""
_MAX_BYTES: Final = 1 << 16
_MAX_LEVELS: Final = 8


def card_declarations(source: Source) -> list[tuple[str, str, str]]:
    """Declarations of the nearest card beside the source or above it, no higher than its URI reaches."""
    folder = Path(source.location).parent
    for _ in range(min(len(PurePosixPath(source.uri).parts), _MAX_LEVELS)):
        card = folder / "README.md"
        if card.is_file():
            try:
                with card.open("rb") as file:
                    return parse_card(file.read(_MAX_BYTES).decode("utf-8", "replace"))
            except OSError:
                return []
        folder = folder.parent
    return []


def parse_card(text: str) -> list[tuple[str, str, str]]:
    """Declarations in the front matter of a card; tags only where they speak of origin."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].strip() != "---":
        return []
    found: list[tuple[str, str, str]] = []
    key = ""
    for line in lines[1:]:
        if line.strip() in ("---", "..."):
            return [item for item in found if item[1] != "tags" or _TELLING_TAG.search(item[2])][:32]
        item = _ITEM.fullmatch(line.partition("#")[0].rstrip())
        if item and key in KEYS:
            found.append(("card", key, _plain(item["value"])))
            continue
        name, colon, rest = line.partition(":")
        if not colon or not _KEY.fullmatch(name):
            continue
        key, values = name, _COMMENT.split(rest, maxsplit=1)[0].strip()
        if key in KEYS and values:
            found += [("card", key, value) for value in map(_plain, values.strip("[]").split(",")) if value]
    return []


def _plain(value: str) -> str:
    return value.strip().strip("'\"")[:256]
