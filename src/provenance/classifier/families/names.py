"""Names of generators to families of models, by a table that stands beside this file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

BASE: Final = "base"
"""Models without tuning to instructions, whoever made them."""
OTHER: Final = "other"
"""Known lines of models that are too thinly sampled to be named."""


@dataclass(frozen=True)
class _Table:
    rules: tuple[tuple[re.Pattern[str], str], ...]
    named: tuple[str, ...]
    base_in: dict[str, frozenset[str]]


@cache
def _table() -> _Table:
    text = files("provenance.classifier.families").joinpath("names.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    return _Table(
        tuple((re.compile(f"(?:{pattern})"), family) for pattern, family in content["order"]),
        tuple(content["named"]),
        {dataset: frozenset(names) for dataset, names in content["base_in"].items()},
    )


def named_families() -> tuple[str, ...]:
    """The families that style may name, ``base`` among them."""
    return _table().named


@cache
def family_of(model: str | None, dataset: str | None = None) -> str | None:
    """The family of a generator.

    Args:
        model: Its name as a data set or a user spells it, with or without its maker before a slash.
        dataset: The set it stands in: a few sets write a tuned model's name for a base model.

    Returns:
        A family, ``base``, ``other``, or None: unknown, or a fine-tune that belongs to no one family.
    """
    if not model:
        return None
    name = model.strip().lower().rpartition("/")[2]
    table = _table()
    if name in table.base_in.get(dataset or "", frozenset()):
        return BASE
    return next((family or None for rule, family in table.rules if rule.match(name)), None)
