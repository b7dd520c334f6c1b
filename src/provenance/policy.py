"""Policies: the numbers and switches that turn evidence into tags and decide what a dataset may hold.

A policy is a TOML document. Every key has a type and a range; an unknown key is an error, because a
misspelt limit that is silently ignored lets text through. The SQL verdict reads a policy as one flat
STRUCT whose type is `settings_type_sql`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from provenance import bounded
from provenance.errors import PolicyError
from provenance.schema import DATE_ORIGINS

NAMED: Final = ("default", "strict", "lenient")

_MAX_BYTES: Final = 1 << 20
_MAX_DOTS: Final = 4000
"""Dots in a document: a key of so many parts takes the TOML parser the square of them."""


@dataclass(frozen=True)
class _Share:
    """A number in [0, 1]."""

    sql: str = "DOUBLE"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
            raise ValueError("a number from 0 to 1 is wanted")
        return float(value)


@dataclass(frozen=True)
class _Count:
    """A whole number of at least zero."""

    sql: str = "INTEGER"

    def read(self, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            raise ValueError("a whole number of at least 0 is wanted")
        return value


@dataclass(frozen=True)
class _Weight:
    """A natural-log likelihood ratio in [-50, 50]."""

    sql: str = "DOUBLE"

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not -50.0 <= value <= 50.0:
            raise ValueError("a number from -50 to 50 is wanted")
        return float(value)


@dataclass(frozen=True)
class _Switch:
    sql: str = "BOOLEAN"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("true or false is wanted")
        return value


@dataclass(frozen=True)
class _Day:
    sql: str = "DATE"

    def read(self, value: object) -> dt.date:
        if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
            raise ValueError("a date such as 2019-01-01 is wanted")
        return value


@dataclass(frozen=True)
class _Names:
    among: tuple[str, ...] = ()
    sql: str = "VARCHAR[]"

    def read(self, value: object) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("a list of names is wanted")
        for item in value:
            if self.among and item not in self.among:
                raise ValueError(f"{item!r} is not one of {', '.join(self.among)}")
        return value


@dataclass(frozen=True)
class _Prior:
    """Steps of (month, share), in order of time."""

    sql: str = 'STRUCT("from" DATE, "share" DOUBLE)[]'

    def read(self, value: object) -> list[dict[str, object]]:
        if not isinstance(value, list) or not value:
            raise ValueError("at least one step with `from` and `share` is wanted")
        steps: list[dict[str, object]] = []
        for step in value:
            if not isinstance(step, dict) or set(step) != {"from", "share"}:
                raise ValueError("each step has `from` and `share` and nothing else")
            share = _Share().read(step["share"])
            if not 0.0 < share < 1.0:
                raise ValueError("a share must lie strictly between 0 and 1")
            steps.append({"from": _Day().read(step["from"]), "share": share})
        months = [step["from"] for step in steps]
        if months != sorted(months) or len(set(months)) != len(months):  # type: ignore[type-var]
            raise ValueError("the steps must be in order of time")
        return steps


_Setting = _Share | _Count | _Weight | _Switch | _Day | _Names | _Prior

_SECTIONS: Final[dict[str, dict[str, _Setting]]] = {
    "dated": {"before": _Day(), "trust": _Names(DATE_ORIGINS)},
    "matched": {
        "share": _Share(),
        "min_words": _Count(),
        "human_share": _Share(),
        "unverified_share": _Share(),
        "unverified_words": _Count(),
        "mixed_words": _Count(),
    },
    "declared": {"decides": _Switch(), "ignore": _Names()},
    "marker": {"decides": _Switch(), "ignore": _Names()},
    "style": {
        "decides": _Switch(),
        "alpha": _Share(),
        "beta": _Share(),
        "min_words": _Count(),
        "conflict_weight": _Weight(),
    },
    "weights": {"dated": _Weight(), "matched": _Weight(), "style_cap": _Weight()},
    "gate": {
        "loops": _Switch(),
        "max_own_share": _Share(),
        "max_synthetic_share": _Share(),
        "estimate": _Switch(),
        "max_unknown_share": _Share(),
        "min_human_share": _Share(),
        "max_depth": _Count(),
        "max_unverified_share": _Share(),
        "max_self_graded_share": _Share(),
        "max_opt_out_share": _Share(),
        "forbidden_licences": _Names(),
    },
}

_PRIOR: Final = _Prior()


@dataclass(frozen=True)
class Policy:
    """A validated policy.

    Attributes:
        name: The policy's own name.
        version: The author's version number, at least 1.
        document: The TOML text as read, kept so that a verdict can be explained years later.
        settings: Flat mapping ``section_key`` → value, plus ``prior``; the STRUCT that SQL reads.
    """

    name: str
    version: int
    document: str
    settings: Mapping[str, Any]

    @property
    def policy_id(self) -> str:
        """Name, version and 12 hex digits of the settings' SHA-256: two policies with one id tag alike."""
        canonical = repr(sorted((key, repr(value)) for key, value in self.settings.items()))
        return f"{self.name}@{self.version}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def settings_type_sql() -> str:
    """Return the DuckDB STRUCT type of `Policy.settings`, fields in their fixed order."""
    fields = [
        f'"{section}_{key}" {setting.sql}' for section, keys in _SECTIONS.items() for key, setting in keys.items()
    ]
    return f'STRUCT({", ".join(fields)}, "prior" {_PRIOR.sql})'


def settings_sql(column: str) -> str:
    """Return SQL for the STRUCT of `settings_type_sql` that a JSON column holds.

    A policy that was recorded before a setting existed has that setting's default; one that exists no more is left out.

    Args:
        column: Name of the column, or any expression of type JSON.
    """
    fields: dict[str, object] = {
        f"{section}_{key}": ["VARCHAR"] if isinstance(setting, _Names) else setting.sql
        for section, keys in _SECTIONS.items()
        for key, setting in keys.items()
    }
    structure = json.dumps({**fields, "prior": [{"from": "DATE", "share": "DOUBLE"}]})
    defaults = json.dumps(dict(_default_settings()), default=str).replace("'", "''")
    return f"json_transform(json_merge_patch('{defaults}'::json, {column}::json), '{structure}')"


def load(name_or_path: str | Path = "default") -> Policy:
    """Load one of the named policies, or a TOML file.

    Args:
        name_or_path: ``default``, ``strict``, ``lenient``, or the path of a TOML file.

    Raises:
        PolicyError: If there is no such policy, or its document is malformed; the message names the key.
    """
    if str(name_or_path) in NAMED:
        resource = resources.files("provenance").joinpath("policies", f"{name_or_path}.toml")
        return parse(resource.read_text(encoding="utf-8"), place=f"policy {name_or_path}")
    path = Path(name_or_path)
    try:
        document = bounded.read(path, _MAX_BYTES).decode("utf-8").replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        raise PolicyError(
            f"There is no policy {str(name_or_path)!r}",
            place=getattr(error, "strerror", None) or str(error),
            next_step=f"Name one of {', '.join(NAMED)}, or the path of a TOML file",
        ) from error
    return parse(document, place=str(path))


def parse(document: str, place: str = "policy") -> Policy:
    """Parse and validate a policy document.

    Sections and keys that are left out are taken from the ``default`` policy, so that a user's policy
    states only what it changes.

    Raises:
        PolicyError: On TOML errors, unknown sections or keys, wrong types or values out of range.
    """
    if document.count(".") > _MAX_DOTS:
        raise PolicyError(f"The policy holds more than {_MAX_DOTS:,} dots: that is no policy", place=place)
    try:
        body = tomllib.loads(document)
    except (ValueError, RecursionError) as error:  # also numbers of too many digits, and tables in tables in tables
        raise PolicyError(f"The policy is not valid TOML: {error}", place=place) from error
    unknown = set(body) - set(_SECTIONS) - {"name", "version", "prior"}
    if unknown:
        raise PolicyError(
            f"Unknown section {sorted(unknown)[0]!r}",
            place=place,
            next_step=f"The sections are {', '.join([*_SECTIONS, 'prior'])}",
        )
    name, version = body.get("name"), body.get("version", 1)
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= 100:
        raise PolicyError("A policy needs a `name` of at most 100 printable characters", place=place)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise PolicyError("`version` must be a whole number of at least 1", place=place)
    settings = {**_default_settings(), **_settings(body, place)}
    ordered = [f"{section}_{key}" for section, keys in _SECTIONS.items() for key in keys] + ["prior"]
    return Policy(name, version, document, {key: settings[key] for key in ordered})


def _default_settings() -> Mapping[str, Any]:
    text = resources.files("provenance").joinpath("policies", "default.toml").read_text(encoding="utf-8")
    return _settings(tomllib.loads(text), "policy default")


def _settings(body: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for section, keys in _SECTIONS.items():
        table = body.get(section, {})
        if not isinstance(table, dict):
            raise PolicyError(f"`{section}` must be a table", place=place)
        for key, value in table.items():
            if key not in keys:
                raise PolicyError(
                    f"Unknown key `{section}.{key}`", place=place, next_step=f"The keys are {', '.join(keys)}"
                )
            found[f"{section}_{key}"] = _read(keys[key], value, f"{section}.{key}", place)
    if "prior" in body:
        found["prior"] = _read(_PRIOR, body["prior"], "prior", place)
    return found


def _read(setting: _Setting, value: object, key: str, place: str) -> object:
    try:
        return setting.read(value)
    except ValueError as error:
        raise PolicyError(f"`{key}` has an unusable value: {error}", place=place) from error
