"""Labelled texts: reading them, and which of them a licence lets into a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from provenance.classifier.families.names import BASE, family_of
from provenance.errors import UsageError

Licences = Literal["default", "open", "all"]
LICENCE_CHOICES: Final[tuple[Licences, ...]] = ("default", "open", "all")

COLUMNS: Final = pa.schema(
    [
        pa.field("text", pa.large_string()),
        pa.field("label", pa.string()),
        pa.field("model", pa.string()),
        pa.field("domain", pa.string()),
        pa.field("lang", pa.string()),
        pa.field("pair_id", pa.string()),
        pa.field("document_id", pa.string()),
        pa.field("dataset", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("year", pa.int32()),
        pa.field("attack", pa.string()),
    ]
)
"""What training and evaluation read; all but ``text`` and ``label`` may be missing."""

_RESTRICTED: Final = re.compile(r"(?i)\bCC[- ]BY[- ]NC\b|non[- ]?commercial|\bresearch\b|\bacademic\b|personal use")
_UNSTATED: Final = re.compile(r"(?i)none stated|^\s*$|^unknown$|no licen[cs]e|unspecified")


def licence_kind(licence: str | None) -> Literal["open", "unstated", "restricted"]:
    """What a publisher's statement allows.

    Returns:
        ``restricted`` for non-commercial, research-only, academic and personal use, for any part of the set;
        ``unstated`` where nothing is stated; ``open`` for all else.
    """
    if licence and _RESTRICTED.search(licence):
        return "restricted"
    return "unstated" if not licence or _UNSTATED.search(licence) else "open"


def is_base_model(model: str | None, dataset: str | None = None) -> bool:
    """Whether a generator is a base model, or one too weakly tuned to write as today's do.

    Args:
        model: Its name.
        dataset: The set it stands in: most sets write ``llama-2-70b`` for the chat model, a few mean the base model.
    """
    return family_of(model, dataset) == BASE


def read_labelled(paths: Sequence[Path | str]) -> pa.Table:
    """Read labelled Parquet and JSON-lines files.

    Args:
        paths: Files, or folders of ``.parquet``, ``.jsonl`` or ``.json`` files, read in the order of their names.

    Returns:
        A table of `COLUMNS`. A missing ``dataset`` is the file's name, a missing ``lang`` is ``en``.

    Raises:
        UsageError: A path is missing, a file lacks ``text`` or ``label``, or a label is neither ``human`` nor
            ``synthetic``.
    """
    tables = [_read(file) for path in paths for file in _files(Path(path))]
    if not tables:
        raise UsageError("There is nothing to train or test on", next_step="Name labelled Parquet or JSONL files")
    return pa.concat_tables(tables)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in {".parquet", ".jsonl", ".json"})
        if found:
            return found
        raise UsageError("The folder holds no labelled file", place=str(path), next_step="Name Parquet or JSONL files")
    if not path.is_file():
        raise UsageError("There is no such file", place=str(path), next_step="Check the path")
    return [path]


def _read(path: Path) -> pa.Table:
    import pyarrow.json as pj
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pj.read_json(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(
            f"The labelled file can't be read: {str(error).splitlines()[0]}",
            place=str(path),
            next_step="Write it again as Parquet or as one JSON object a line",
        ) from None
    for name in ("text", "label"):
        if name not in table.column_names:
            raise UsageError(
                f"A labelled file needs the column {name!r}",
                place=str(path),
                next_step="Rename the column that holds it",
            )
    columns = []
    for column in COLUMNS:
        if column.name in table.column_names:
            columns.append(table[column.name].cast(column.type))
        else:
            default = {"dataset": path.stem, "lang": "en"}.get(column.name)
            columns.append(pa.chunked_array([pa.array([default] * table.num_rows, column.type)]))
    table = pa.Table.from_arrays(columns, schema=COLUMNS)
    strange = set(pc.unique(table["label"]).to_pylist()) - {"human", "synthetic"}
    if strange:
        raise UsageError(
            f"A label is {sorted(map(str, strange))[0]!r}, but it can only be 'human' or 'synthetic'",
            place=str(path),
            next_step="Leave such rows out",
        )
    return table.filter(pc.is_valid(table["text"]))


def select_licences(table: pa.Table, licences: Licences) -> pa.Table:
    """Leave out what the choice does not allow.

    Args:
        table: From `read_labelled`.
        licences: ``default`` leaves out restricted licences, ``open`` also those without a statement, ``all`` nothing.

    Raises:
        UsageError: An unknown choice.
    """
    if licences not in LICENCE_CHOICES:
        raise UsageError(f"Licences can't be {licences!r}", next_step=f"Choose one of {', '.join(LICENCE_CHOICES)}")
    if licences == "all":
        return table
    refused = {"restricted"} if licences == "default" else {"restricted", "unstated"}
    statements = pc.unique(table["licence"])
    allowed = [text for text in statements.to_pylist() if text is not None and licence_kind(text) not in refused]
    mask = pc.is_in(table["licence"], value_set=pa.array(allowed, pa.string()))
    if licence_kind(None) not in refused:
        mask = pc.or_(mask, pc.is_null(table["licence"]))
    return table.filter(mask)
