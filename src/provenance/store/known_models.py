"""The catalogue of known models as tables: what the package ships, in every store."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any, Final

import duckdb
import pyarrow as pa

_MODELS: Final = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("developer", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("predecessor", pa.string()),
        pa.field("released", pa.date32(), nullable=False),
        pa.field("aliases", pa.list_(pa.string()), nullable=False),
    ]
)
_CLAIMS: Final = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("about", pa.string(), nullable=False),
        pa.field("claim", pa.string(), nullable=False),
        pa.field("synthetic", pa.bool_()),
        pa.field("stage", pa.string()),
        pa.field("said_by", pa.string(), nullable=False),
        pa.field("source", pa.string()),
    ]
)


def texts() -> list[str]:
    """Return the files of the catalogue, one for each developer, in the order of their names."""
    folder = resources.files("provenance").joinpath("lineage", "known_models")
    return [
        file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    ]


def rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the models and the claims about them, as the files have them."""
    models, claims = [], []
    for text in texts():
        document = tomllib.loads(text)
        for entry in document["model"]:
            model = {field.name: entry.get(field.name) for field in _MODELS}
            models.append(
                {
                    **model,
                    "model": entry["name"],
                    "developer": document["developer"],
                    "aliases": entry.get("aliases", []),
                }
            )
            claims += [{"said_by": "developer", **claim, "model": entry["name"]} for claim in entry.get("claim", [])]
    return models, claims


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the tables ``known_models`` and ``known_model_claims`` of a catalogue anew."""
    models, claims = rows()
    connection.register("shipped_models", pa.Table.from_pylist(models, schema=_MODELS))
    connection.register("shipped_claims", pa.Table.from_pylist(claims, schema=_CLAIMS))
    folder = resources.files("provenance").joinpath("lineage", "sql")
    connection.execute(folder.joinpath("known_names.sql").read_text(encoding="utf-8"))
    connection.execute("create or replace table known_model_claims as select * from shipped_claims order by all")
    connection.execute(
        "create or replace table known_models as " + folder.joinpath("known_models.sql").read_text(encoding="utf-8")
    )
    connection.unregister("shipped_models")
    connection.unregister("shipped_claims")
