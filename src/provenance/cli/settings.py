"""Settings from ``provenance.toml``, here or in a folder above: defaults for options, below the environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from provenance import bounded
from provenance.errors import UsageError

_MAX_BYTES: Final = 1 << 20
_NAMED_POLICIES: Final = ("default", "strict", "lenient")  # as in provenance.policy, which `--help` need not load


def find(start: Path) -> Path | None:
    """Return the nearest ``provenance.toml`` at or above ``start``."""
    for folder in (start, *start.parents):
        candidate = folder / "provenance.toml"
        if candidate.is_file():
            return candidate
    return None


def load(start: Path, commands: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as Click wants them: for each command (or group) a mapping from parameter to default.

    Top-level keys hold for every command that has such an option; a table named after a command holds for it
    alone. Keys are the options' names. A relative store, and a policy file, are looked for beside the file.

    Raises:
        UsageError: If the file is not valid TOML, can't be read, or has a key that no command knows.
    """
    path = find(start)
    if path is None:
        return {}
    try:
        settings = tomllib.loads(bounded.read(path, _MAX_BYTES).decode("utf-8").replace("\r\n", "\n"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"The settings file can't be read: {error}", place=str(path), next_step="Mend or remove it"
        ) from error
    shared = {key: value for key, value in settings.items() if key not in commands}
    known = set().union(*(_all_options(command) for command in commands.values()))
    _refuse_unknown(shared, known, path, "")
    return {
        name: _for_command(command, shared, settings.get(name, {}), path, name) for name, command in commands.items()
    }


def _for_command(command: Any, shared: Mapping[str, Any], own: Any, path: Path, name: str) -> dict[str, Any]:
    inner: Mapping[str, Any] = getattr(command, "commands", {})
    if not isinstance(own, dict):
        raise UsageError(f"`{name}` is a command, so its settings are a table", place=str(path), next_step=f"[{name}]")
    if inner:
        both = {**shared, **{key: value for key, value in own.items() if key not in inner}}
        _refuse_unknown(both.keys() - shared.keys(), _all_options(command), path, f"{name}.")
        return {key: _for_command(sub, both, own.get(key, {}), path, f"{name}.{key}") for key, sub in inner.items()}
    options = _options(command)
    _refuse_unknown(own, options.keys(), path, f"{name}.")
    return {
        options[_key(key)]: _placed(_key(key), value, path.parent)
        for key, value in {**shared, **own}.items()
        if _key(key) in options
    }


def _options(command: Any) -> dict[str, str]:
    """Return the options of a command: their names without dashes, and those of their parameters."""
    found = {}
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            found.update(dict.fromkeys((_key(name.lstrip("-")) for name in parameter.opts), parameter.name))
    return found


def _all_options(command: Any) -> set[str]:
    inner = getattr(command, "commands", {})
    return set().union(*(_all_options(sub) for sub in inner.values())) if inner else set(_options(command))


def _key(name: str) -> str:
    return name.replace("-", "_")


def _refuse_unknown(keys: Any, known: Any, path: Path, prefix: str) -> None:
    for key in keys:
        if _key(key) not in known:
            names = ", ".join(sorted(name for name in known if len(name) > 1))
            raise UsageError(f"Unknown setting `{prefix}{key}`", place=str(path), next_step=f"The settings are {names}")


def _placed(key: str, value: Any, folder: Path) -> Any:
    is_file = key in {"store", "style_model"} or (key == "policy" and value not in _NAMED_POLICIES)
    if not is_file or not isinstance(value, str):
        return value
    if "\0" in value:
        raise UsageError(f"`{key}` has a zero character in it, as no file's name has", place=str(folder))
    try:
        return str(folder / Path(value).expanduser())
    except RuntimeError:  # it begins with ~ and names no user: a file of that name
        return str(folder / value)
