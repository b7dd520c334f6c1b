"""Settings from ``provenance.toml``, here or in a folder above: defaults for options, below the environment."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from provenance.errors import UsageError


def find(start: Path) -> Path | None:
    """Return the nearest ``provenance.toml`` at or above ``start``."""
    for folder in (start, *start.parents):
        candidate = folder / "provenance.toml"
        if candidate.is_file():
            return candidate
    return None


def load(start: Path) -> dict[str, Any]:
    """Return the settings: top-level keys hold for every command, a table named after one for it alone.

    Raises:
        UsageError: If the file is not valid TOML or can't be read.
    """
    path = find(start)
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"The settings file can't be read: {error}", place=str(path), next_step="Mend or remove it"
        ) from error


def default_map(settings: dict[str, Any], commands: dict[str, Any]) -> dict[str, Any]:
    """Arrange settings as Click wants them: for each command (or group) a mapping from parameter to default."""
    shared = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    arranged: dict[str, Any] = {}
    for name, command in commands.items():
        inner = getattr(command, "commands", None)
        own = {key.replace("-", "_"): value for key, value in {**shared, **_table(settings, name)}.items()}
        arranged[name] = default_map({**shared, **_table(settings, name)}, inner) if inner else own
    return arranged


def _table(settings: dict[str, Any], name: str) -> dict[str, Any]:
    table = settings.get(name, {})
    return table if isinstance(table, dict) else {}
